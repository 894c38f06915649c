"""Shipped recordings are replayed: rendered again, judged again; edited ones are refused."""

import json

import msgspec
import pytest

from tappass_host.policy.errors import ProviderError
from tappass_host.prove import record as r
from tappass_host.registry import api

FILES = sorted(r.SHIPPED.glob("*/*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_a_shipped_recording_still_speaks_of_what_is_rendered(path):
    recorded = r.read(path)
    checked = r.check(recorded, api.get(recorded.provider))
    assert checked.reasons == ()
    assert checked.state == "live"


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_row_has_a_control_and_both_verdicts_were_seen(path):
    rows = r.read(path).rows
    claimed = [row for row in rows if row["claimed"]]
    assert all(row["control"]["status"] == "ran" for row in claimed)
    assert {row["outcome"]["status"] for row in claimed} >= {"ran", "blocked"}


def test_the_three_rings_are_recorded():
    assert {path.parent.name for path in FILES} >= {"claude-code", "bubblewrap", "monty"}


@pytest.mark.parametrize("edit", ["verdict", "version", "cut"])
def test_an_edited_recording_is_refused(edit, tmp_path):
    document = json.loads(FILES[0].read_text())
    if edit == "verdict":
        document["rows"][0]["outcome"]["status"] = "blocked"
    elif edit == "version":
        document["target"]["version"] = "99"
    else:
        document["rows"] = document["rows"][:-1]
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ProviderError, match="edited"):
        r.read(path)


def test_another_configuration_makes_a_recording_stale():
    recorded = r.read(FILES[0])
    digests = {**recorded.digests, "config": "sha256:" + "0" * 64}
    checked = r.check(msgspec.structs.replace(recorded, digests=digests), api.get(recorded.provider))
    assert checked.state == "stale"
    assert "another configuration" in checked.reasons[0]


def test_another_meaning_makes_a_recording_stale():
    recorded = r.read(FILES[0])
    first, *rest = recorded.rows
    flipped = {**first, "expected": "deny" if first["expected"] == "allow" else "allow"}
    checked = r.check(msgspec.structs.replace(recorded, rows=(flipped, *rest)), api.get(recorded.provider))
    assert checked.state == "stale"
