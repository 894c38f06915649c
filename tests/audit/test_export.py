"""Records for other systems."""

import json

import pytest

from tappass_host.audit.events import Applied, Drifted, PolicyLabel, Quarantined, cut
from tappass_host.audit.export import export
from tappass_host.audit.read import find, logs, records
from tappass_host.audit.record import instant, milliseconds

CLASSES = {
    "decision": (6003, 2),
    "started": (6002, 1),
    "applied": (5019, 1),
    "drift": (2004, 1),
    "quarantine": (2004, 1),
    "segment": (6002, 1),
}


@pytest.fixture
def log(open_log, decided, started):
    log = open_log()
    policy = PolicyLabel(version=7)
    log.append(started)
    log.append(decided("deny", statement="tools.deny[Bash(curl *)]", reason="no", tags=("SOC2:CC6.1",)))
    log.append(Applied(policy=policy, runtime="r", generation="3", coverage={"enforced": 9}, gaps=("x",)))
    log.append(Drifted(target="t", path="/p", expected="a", found="b", restored=True))
    log.append(Quarantined(reason="expired"))
    return log


def test_jsonl_is_the_log_itself(log):
    exported = b"".join(export(records(log.folder), "jsonl", product="1"))
    assert exported == (log.folder / "00000001.jsonl").read_bytes()


def test_ocsf_classes_and_status(log):
    events = [json.loads(line) for line in export(records(log.folder), "ocsf", product="1")]
    found = {e["activity_name"]: (e["class_uid"], e["status_id"]) for e in events}
    assert found == CLASSES
    for event in events:
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert event["category_uid"] == event["class_uid"] // 1000
        assert event["metadata"]["version"] == "1.3.0"
        assert event["unmapped"]["event"]["type"] == event["activity_name"]


def test_ocsf_decision(log):
    (event,) = [
        e
        for e in map(json.loads, export(records(log.folder), "ocsf", product="1"))
        if e["activity_name"] == "decision"
    ]
    assert event["api"] == {"operation": "Bash", "request": {"uid": "r-1"}}
    assert event["policy"] == {"uid": "tools.deny[Bash(curl *)]", "version": "7"}
    assert event["metadata"]["labels"] == ["SOC2:CC6.1"]
    assert event["severity_id"] == 3


def test_find_and_logs(log, open_log, decided, tmp_path):
    other = open_log("other")
    other.append(decided(request="r-2"))
    assert logs(tmp_path) == sorted([log.folder, other.folder])
    assert logs(log.folder) == [log.folder]
    assert [r.event["request"] for r in find(logs(tmp_path), "r-2")] == ["r-2"]


def test_instants():
    assert instant(1_790_000_000.5) == "2026-09-21T14:13:20.500Z"
    assert milliseconds("2026-09-21T14:13:20.500Z") == 1_790_000_000_500


def test_cut():
    assert cut("a" * 300) == "a" * 239 + "…"
    assert cut("x\n\u202ey") == "x\\n\\u202ey"
    assert len(cut("\u202e" * 300)) == 240
