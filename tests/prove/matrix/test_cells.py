"""Cells: what claims about the reference policy come to."""

import pytest

from tappass_host.prove.matrix.build import REFERENCE, Source, build, row_of
from tappass_host.registry import Entry
from tappass_host.sdk.kit.reference import reference

NETWORK = {
    "all": ({"network": "enforced"}, "all", "enforced"),
    "a grant is missing: safe, less useful": (
        {"network__default": "enforced", "network__allow_domains": "unenforceable"},
        "shut",
        "unenforceable",
    ),
    "a way round": (
        {"network__default": "enforced", "network__deny_domains": "partial"},
        "part",
        "partial",
    ),
    "a restriction is open": (
        {"network__default": "enforced", "network__deny_domains": "unenforceable"},
        "some",
        "unenforceable",
    ),
    "nothing": ({"network": "unenforceable"}, "none", "unenforceable"),
    "grants alone hold nothing": (
        {"network__allow_domains": "enforced", "network__default": "unenforceable"},
        "none",
        "unenforceable",
    ),
    "only grants are spoken of": ({"network__allow_domains": "enforced"}, "all", "enforced"),
}


@pytest.mark.parametrize(("verdicts", "grade", "verdict"), NETWORK.values(), ids=NETWORK)
def test_a_cell_says_what_the_claims_come_to(toy, verdicts, grade, verdict):
    cell = row_of(toy(**verdicts), ()).aspects["network"]
    assert (cell.grade, cell.verdict) == (grade, verdict)


def test_an_aspect_without_a_claim_has_no_cell(toy):
    assert set(row_of(toy(network="enforced"), ()).aspects) == {"network"}


def test_every_statement_is_counted_once(toy):
    cell = row_of(toy(network="enforced"), ()).aspects["network"]
    there = [s for s in reference(REFERENCE).statements if s.aspect == "network"]
    assert cell.restrictions.total + cell.grants.total == len(there) == len(cell.claims)
    assert cell.grants.total == sum(s.polarity == "grant" for s in there) > 0


def test_held_on_one_surface_and_open_on_another_is_open_but_not_nothing(toy, reach):
    open_, held = toy(network="unenforceable", at=reach("b", surfaces=("mcp",))), toy(network="enforced")
    both = toy(network="enforced")
    both.render = lambda p, t: _merged(held.render(p, t), open_.render(p, t))
    cell = row_of(both, ()).aspects["network"]
    assert (cell.verdict, cell.grade, cell.surfaces) == ("unenforceable", "some", ("exec",))


def test_two_claims_on_one_surface_count_as_the_better_one(toy, reach):
    weak, strong = toy(network="partial", at=reach("b")), toy(network="enforced")
    both = toy(network="enforced")
    both.render = lambda p, t: _merged(weak.render(p, t), strong.render(p, t))
    assert row_of(both, ()).aspects["network"].grade == "all"


def _merged(one, other):
    import msgspec

    return msgspec.structs.replace(one, claims=(*one.claims, *other.claims))


@pytest.mark.parametrize("strength", ["compulsory", "cooperative"])
def test_the_strength_is_that_of_what_is_held(toy, reach, strength):
    provider = toy(network="enforced", at=reach(strength=strength))
    assert row_of(provider, ()).aspects["network"].strength == strength


def test_a_preview_is_one_in_every_cell(toy):
    row = row_of(toy(network="enforced", tools="partial", preview=True), ())
    assert {row.proof, *(cell.proof for cell in row.aspects.values())} == {"preview"}


def test_without_a_recording_a_provider_is_documented(toy, reach):
    row = row_of(toy(network="enforced", at=reach(probe="toy/network")), ())
    assert (row.proof, row.aspects["network"].proof) == ("documented", "documented")


def _entries(*ids):
    return tuple(Entry(name, "kernel", "1.0", "test 1.0", "ok") for name in ids)


def test_a_provider_that_raises_is_broken_and_takes_nobody_with_it(toy):
    def raising(policy, target):
        raise KeyError("no such thing")

    bad = toy("bad")
    bad.render = raising
    made = build(Source(_entries("bad", "toy"), {"bad": bad, "toy": toy(network="enforced")}.__getitem__))
    assert [row.id for row in made.providers] == ["toy"]
    assert [(each.id, each.reason) for each in made.broken] == [
        ("bad", "does not render the reference policy: KeyError: 'no such thing'")
    ]


def test_what_the_registry_calls_broken_is_listed_with_its_reason():
    entry = Entry("lost", "kernel", "", "lost-dist 1.0", "broken", "does not import")
    made = build(Source((entry,), {}.__getitem__))
    assert [(each.id, each.source, each.reason) for each in made.broken] == [
        ("lost", "lost-dist 1.0", "does not import")
    ]


def test_rows_stand_by_position_from_the_agent_outwards(toy, monty):
    kernel = toy("aaa", network="enforced")
    made = build(Source(_entries("aaa", "monty"), {"aaa": kernel, "monty": monty}.__getitem__))
    assert [row.id for row in made.providers] == ["monty", "aaa"]


def test_excuses_are_those_of_the_kit(monty):
    row = row_of(monty, (), excuses=True)
    assert set(row.excused) == {"looser", "stricter"}
    assert row.excused["stricter"] > 0
