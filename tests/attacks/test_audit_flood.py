"""Attack 21: a flood of an agent's events cannot push out evidence, and is counted."""

import os

import pytest

from tappass_host.audit import files
from tappass_host.audit.events import Decided, PolicyLabel, Started
from tappass_host.audit.read import records, verify_folder
from tappass_host.audit.write import Log, LogSettings

HOST = Started(component="host", version="1", policy=PolicyLabel(version=1))


def decided(effect="deny"):
    return Decided(
        request="r", sandbox="s", tool="Bash", what="x", args="sha256:0", effect=effect, policy=PolicyLabel()
    )


class Clock:
    now = 1_790_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def flooded(tmp_path):
    clock = Clock()
    opened = []

    def make(**settings):
        log = Log.open(
            tmp_path / "log",
            component="test",
            settings=LogSettings(fsync="batch", **settings),
            clock=clock,
            steady=clock,
        )
        opened.append(log)
        return log, clock

    yield make
    for log in opened:
        log.close()


def test_what_is_over_the_limit_is_counted_and_not_written(flooded):
    log, clock = flooded(rate=2, burst=5)
    written = [log.append(decided()) for _ in range(50)]
    assert [record is not None for record in written] == [True] * 5 + [False] * 45
    clock.now += 1
    assert log.append(decided("allow")) is not None
    kinds = [(r.kind, r.event.get("count")) for r in records(log.folder)]
    assert kinds[-2:] == [("suppressed", 45), ("decision", None)]
    assert list(records(log.folder))[-2].event["kinds"] == {"decision/deny": 45}


def test_a_summary_comes_without_another_event(flooded):
    log, _ = flooded(rate=1, burst=1)
    for _ in range(3):
        log.append(decided())
    log.tick()
    assert [r.kind for r in records(log.folder)][-1] == "suppressed"
    log.tick()
    assert [r.kind for r in records(log.folder)].count("suppressed") == 1


def test_the_summary_commits_to_what_was_left_out(flooded):
    digests = set()
    log, _ = flooded(rate=1, burst=1)
    log.append(decided())
    for effect in ("deny", "ask"):
        log.append(decided(effect))
        log.tick()
        digests.add(list(records(log.folder))[-1].event["digest"])
    assert len(digests) == 2


def test_events_of_the_host_are_never_left_out(flooded):
    log, _ = flooded(rate=1, burst=1)
    for _ in range(20):
        log.append(decided())
        assert log.append(HOST) is not None


def test_a_patient_flood_fills_its_own_share_and_removes_nothing(flooded):
    """Young files never go: once the space is used up, the agent is refused and the host still writes."""
    log, clock = flooded(
        rate=1000, burst=1000, segment_bytes=4000, max_bytes=40_000, keep_days=30, epoch_records=10_000
    )
    first = log.append(HOST)
    outcomes = []
    for _ in range(400):
        clock.now += 2
        outcomes.append(log.append(decided()) is not None)
    assert outcomes[0]
    assert not any(outcomes[-50:])
    assert log.append(HOST) is not None
    assert next(r for r in records(log.folder) if r.kind == "started") == first
    assert verify_folder(log.folder).ok


def test_when_files_are_old_they_make_room(flooded):
    log, clock = flooded(rate=1000, burst=1000, segment_bytes=4000, max_bytes=40_000, keep_days=30)
    for _ in range(200):
        clock.now += 2
        log.append(decided())
    for _, path in files.segments(log.folder):
        os.utime(path, (clock.now - 31 * 86400,) * 2)
    # The host's own record begins a file, and with it the old ones go.
    for _ in range(12):
        log.append(HOST)
    clock.now += 2
    assert log.append(decided()) is not None
    report = verify_folder(log.folder)
    assert report.ok, report.findings
