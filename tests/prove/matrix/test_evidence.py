"""What recordings prove of claims, and what they do not."""

import json

import msgspec
import pytest

from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import ProviderError
from tappass_host.prove.matrix.build import Source, build, row_of
from tappass_host.prove.outcome import Outcome
from tappass_host.prove.record import recordings, write
from tappass_host.registry import Entry, LoadedProvider


def proofs(row, aspect="interpreter"):
    """Field -> proof of the claims of an aspect."""
    return {claim.statement.partition("[")[0]: claim.proof for claim in row.aspects[aspect].claims}


def test_an_agreeing_row_with_its_control_makes_a_claim_live(monty, recorded):
    row = row_of(monty, [recorded()])
    assert proofs(row)["interpreter.allow_imports"] == "live"
    assert proofs(row)["interpreter.default"] == "live"
    assert row.proof == "live"
    assert row.aspects["interpreter"].proven > 0
    assert row.aspects["interpreter"].tried == ("code",)


def test_what_was_not_tried_stays_documented(monty, recorded):
    row = row_of(monty, [recorded()])
    assert proofs(row)["interpreter.cpu_time_ms"] == "documented"
    assert row.aspects["network"].proof == "documented"
    assert row.aspects["network"].proven == 0


def test_a_cell_is_as_good_as_the_weakest_place_that_holds_something(monty, recorded):
    cell = row_of(monty, [recorded()]).aspects["interpreter"]
    untried = {c.reach for c in cell.claims if c.verdict == "enforced"} - {
        c.reach for c in cell.claims if c.proof == "live"
    }
    assert untried
    assert cell.proof == "documented"


def _only_allowed(decision):
    return Outcome("ran") if decision.effect is Effect.ALLOW else Outcome("blocked", "", "bubblewrap")


def test_what_another_target_stopped_proves_nothing_of_this_one(monty, recorded):
    row = row_of(monty, [recorded(outcome=_only_allowed)])
    assert proofs(row)["interpreter.default"] == "documented"
    assert proofs(row)["interpreter.allow_imports"] == "live"


def test_a_failed_control_proves_nothing(monty, recorded):
    row = row_of(monty, [recorded(control="failed")])
    assert row.recordings[0].state == "stale"
    assert "live" not in proofs(row).values()


def test_a_permitted_action_does_not_prove_a_restriction(monty, recorded):
    row = row_of(monty, [recorded()])
    memory = [a for a in row.recordings[0].transcript if a.statement.startswith("interpreter.memory_mb")]
    assert {a.outcome for a in memory} == {"ran", "blocked"}
    kept = recorded()
    allowed = tuple(r for r in kept.rows if r["outcome"]["status"] == "ran")
    row = row_of(monty, [msgspec.structs.replace(kept, rows=allowed)])
    assert proofs(row)["interpreter.memory_mb"] == "documented"


def _changed(monty):
    """The same provider as it would be after a change: less memory whatever the policy says."""

    def render(policy, target):
        node = msgspec.structs.replace(policy.doc.interpreter, memory_mb=1)
        doc = msgspec.structs.replace(policy.doc, interpreter=node)
        return monty.render(EffectivePolicy(doc, digest=policy.digest), target)

    return LoadedProvider(monty.package, monty.source, monty.info, render)


def test_another_rendering_makes_the_cell_stale(monty, recorded):
    made = recorded()
    assert row_of(monty, [made]).aspects["interpreter"].proven > 0
    row = row_of(_changed(monty), [made])
    assert (row.proof, row.aspects["interpreter"].proven) == ("stale", 0)
    assert proofs(row)["interpreter.allow_imports"] == "stale"
    assert row.recordings[0].reasons == ("another configuration is rendered today",)


def test_a_fresh_recording_outweighs_a_stale_one(monty, recorded):
    stale = recorded(control="failed")
    assert proofs(row_of(monty, [stale, recorded()]))["interpreter.allow_imports"] == "live"


def test_a_recording_that_cannot_be_judged_any_more_is_stale(monty, recorded):
    made = recorded()
    odd = {**made.capabilities, "options": {"gone": 1}}
    row = row_of(monty, [msgspec.structs.replace(made, capabilities=odd)])
    assert row.recordings[0].state == "stale"
    assert "cannot be judged" in row.recordings[0].reasons[0]


def test_the_matrix_is_about_the_version_of_the_newest_proof(monty, recorded):
    old, new = recorded(version="1.3.0", at="2026-10-01T10:00:00Z"), recorded(version="1.4.1")
    row = row_of(monty, [old, new])
    assert row.target_version == "1.4.1"
    assert [(each.target_version, each.counted) for each in row.recordings] == [
        ("1.4.1", True),
        ("1.3.0", False),
    ]


def test_recordings_of_nobody_here_are_said_to_be_left_out(recorded):
    made = build(Source((), {}.__getitem__), [recorded()])
    assert made.notes == ("recordings of monty are not shown: no such provider here",)


def test_a_transcript_shows_both_sides_and_where_the_rule_stands(monty, recorded):
    (shown,) = row_of(monty, [recorded()]).recordings
    attempt = next(a for a in shown.transcript if a.action == "import subprocess")
    assert (attempt.says, attempt.without, attempt.outcome, attempt.by) == ("deny", "ran", "blocked", "monty")
    assert (attempt.aspect, attempt.where) == ("interpreter", "org org.yaml:7:3")
    assert (shown.by, shown.target_version, shown.platform["arch"] != "") == ("ops", "1.4.0", True)


EDITS = {
    "an outcome": lambda doc: doc["rows"][0]["outcome"].update(status="blocked"),
    "the version": lambda doc: doc["target"].update(version="99"),
    "who ran it": lambda doc: doc.update(by="somebody else"),
    "a row cut out": lambda doc: doc["rows"].pop(),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_recording_is_refused(recorded, tmp_path, edit):
    path = write(recorded(), tmp_path, "code")
    assert len(list(recordings(tmp_path))) == 1
    document = json.loads(path.read_bytes())
    edit(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ProviderError, match="edited"):
        list(recordings(tmp_path))


def test_the_row_of_the_registry_and_the_row_of_the_provider_are_one(monty, recorded):
    entry = Entry("monty", "interpreter", "", "builtin", "ok")
    made = build(Source((entry,), {"monty": monty}.__getitem__), [recorded()])
    assert made.providers == (row_of(monty, [recorded()]),)
