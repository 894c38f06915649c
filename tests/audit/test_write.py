"""What the writer promises: whole records or none, through rotation, restarts and crashes."""

import errno
import os
import resource
import stat

import msgspec
import pytest

from tappass_host.audit import files, keyfile
from tappass_host.audit.events import cut
from tappass_host.audit.read import last, read_checkpoints, records, verify_folder
from tappass_host.audit.write import Log
from tappass_host.policy.errors import AuditError

SMALL = {"segment_bytes": 2000, "epoch_records": 5}


def kinds(folder):
    return [record.kind for record in records(folder)]


def test_a_log_begins_with_its_header(open_log, started):
    log = open_log()
    record = log.append(started)
    assert (record.seq, record.event["component"]) == (2, "test")
    assert kinds(log.folder) == ["segment", "started"]
    assert verify_folder(log.folder).ok


def test_everything_is_for_the_writer_alone(open_log, started):
    log = open_log()
    log.append(started)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (log.folder, *log.folder.iterdir())}
    assert set(modes.values()) == {0o700, 0o600}


def test_a_folder_open_to_others_is_refused(open_log, tmp_path):
    (tmp_path / "log").mkdir(mode=0o755)
    with pytest.raises(AuditError, match="writer alone"):
        open_log()


def test_files_and_keys_turn_and_the_chain_holds(open_log, started):
    log = open_log(settings=SMALL)
    for _ in range(60):
        log.append(started)
    report = verify_folder(log.folder)
    assert report.ok, report.findings
    assert report.segments > 5
    assert report.epoch > 8
    assert report.last == log.seq


def test_a_key_turns_with_time(open_log, started, clock):
    log = open_log()
    log.append(started)
    clock.now += 3601
    log.tick()
    assert kinds(log.folder)[-1] == "epoch"
    assert verify_folder(log.folder).epoch == 2


def test_old_keys_are_erased(open_log, started):
    log = open_log(settings=SMALL)
    seeds = set()
    for _ in range(20):
        seeds.add(keyfile.load(log.folder).current.seed)
        log.append(started)
    log.append(started)
    held = (log.folder / files.KEY).read_text()
    assert len(seeds) > 3
    assert [seed for seed in seeds if seed in held] in ([], [keyfile.load(log.folder).current.seed])


def test_the_bytes_of_the_old_key_file_are_overwritten(open_log, started, clock):
    log = open_log()
    old = os.open(log.folder / files.KEY, os.O_RDONLY)
    try:
        seed = keyfile.load(log.folder).current.seed.encode()
        assert seed in os.pread(old, 4096, 0)
        clock.now += 3601
        log.append(started)
        # Two files are replaced; the one that held both keys is the last that is scrubbed.
        assert keyfile.load(log.folder).current.seed.encode() != seed
    finally:
        os.close(old)


def test_scrub(tmp_path):
    path = tmp_path / "key"
    files.replace(path, b"secret")
    old = os.open(path, os.O_RDONLY)
    files.replace(path, b"new", scrub=True)
    assert (os.pread(old, 16, 0), path.read_bytes()) == (b"\0" * 6, b"new")
    os.close(old)


def test_it_is_continued(open_log, started):
    for _ in range(3):
        log = open_log()
        log.append(started)
        log.close()
    assert kinds(log.folder) == ["segment", "started", "started", "started"]
    assert verify_folder(log.folder).ok


def test_one_writer_at_a_time(open_log):
    open_log()
    with pytest.raises(AuditError, match="another process"):
        open_log()


def test_a_torn_line_is_taken_away_and_said(open_log, started):
    log = open_log()
    log.append(started)
    log.close()
    path = log.folder / "00000001.jsonl"
    path.write_bytes(path.read_bytes() + b'{"at":"20')
    again = open_log()
    (recovered,) = last(again.folder, 1)
    assert (recovered.kind, recovered.event["bytes"]) == ("recovered", 9)
    assert verify_folder(again.folder).ok


CRASHES = {
    "before the next key is signed": "_write",
    "after it is signed": "_finish_turn",
    "before it is remembered": "end_turn",
    "at the next file": "_segment",
}


@pytest.mark.parametrize("case", CRASHES)
def test_a_crash_while_the_key_turns(open_log, started, monkeypatch, case):
    class Crash(BaseException):
        pass

    def crash(*_, **__):
        raise Crash

    log = open_log(settings=SMALL)
    while log._tail.size < SMALL["segment_bytes"]:
        log.append(started)
    with monkeypatch.context() as patched:
        patched.setattr(keyfile if case == "before it is remembered" else Log, CRASHES[case], crash)
        with pytest.raises(Crash):
            log.append(started)
    os.close(log._lock)
    log._closed = True
    again = open_log(settings=SMALL)
    for _ in range(10):
        again.append(started)
    report = verify_folder(again.folder)
    assert report.ok, report.findings


def test_a_crash_before_the_first_record(open_log, tmp_path, started):
    folder = tmp_path / "log"
    folder.mkdir(mode=0o700)
    keyfile.create(folder, os.urandom)
    (folder / "00000001.jsonl").write_bytes(b'{"at"')
    (folder / "00000001.jsonl").chmod(0o600)
    log = open_log()
    log.append(started)
    assert verify_folder(folder).ok


@pytest.fixture
def small_files():
    """Files may not grow: what a full disk looks like to a writer."""
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_raises_and_leaves_nothing_torn(open_log, started, small_files):
    log = open_log()
    log.append(started)
    size = log._tail.size
    small_files(size + 100)
    with pytest.raises(AuditError, match="cannot be written"):
        log.append(started)
    assert (log.folder / "00000001.jsonl").stat().st_size == size
    small_files(10**7)
    log.append(started)
    assert verify_folder(log.folder).ok


@pytest.mark.parametrize("place", ["begin_turn", "end_turn"])
def test_a_turn_that_fails_is_done_later(open_log, started, clock, monkeypatch, place):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    log = open_log()
    clock.now += 3601
    with monkeypatch.context() as patched:
        patched.setattr(keyfile, place, full)
        with pytest.raises(AuditError, match="No space"):
            log.append(started)
        with pytest.raises(AuditError, match="No space"):
            log.append(started)
    log.append(started)
    report = verify_folder(log.folder)
    assert (report.ok, report.epoch) == (True, 2), report.findings


def test_somebody_else_in_the_file_is_noticed(open_log, started):
    log = open_log()
    path = log.folder / "00000001.jsonl"
    path.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(AuditError, match="changed by somebody else"):
        log.append(started)
    files.cut(path, log._tail.size)


def test_an_event_that_is_too_long_is_refused(open_log, decided):
    log = open_log()
    with pytest.raises(AuditError, match="the limit"):
        log.append(decided(reason="x" * 70_000))
    assert log.append(decided()).seq == 2


def test_a_checkpoint_goes_to_the_witness(open_log, started):
    kept = []
    log = open_log(witness=kept.append)
    log.append(started)
    made = log.checkpoint()
    assert kept == [made] == read_checkpoints(log.folder / files.CHECKPOINTS)
    report = verify_folder(log.folder, witnesses=kept)
    assert (report.ok, report.witnessed) == (True, 2)


def test_a_witness_that_is_away_is_recorded(open_log, started):
    def away(_):
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    log = open_log(witness=away)
    log.append(started)
    log.checkpoint()
    assert kinds(log.folder)[-1] == "witness_failed"
    assert verify_folder(log.folder).ok


def test_old_files_go_and_the_log_says_so(open_log, started, clock):
    log = open_log(settings={**SMALL, "max_bytes": 6000, "keep_days": 1})
    for _ in range(40):
        log.append(started)
    for _, path in files.segments(log.folder):
        os.utime(path, (clock.now - 2 * 86400,) * 2)
    for _ in range(10):
        log.append(started)
    assert "pruned" in kinds(log.folder)
    report = verify_folder(log.folder)
    assert report.ok, report.findings
    assert report.first > 1
    assert any("pruned" in note for note in report.notes)


def test_text_that_is_no_text_is_refused(open_log, decided):
    log = open_log()
    with pytest.raises(AuditError, match="surrogate"):
        log.append(decided(what="\ud800"))
    assert log.append(decided(what=cut("\ud800\x1b[2J"))).event["what"] == "\\ud800\\u001b[2J"


def test_records_survive_the_trip(open_log, decided):
    log = open_log()
    event = decided(what="naïve \u202e", tags=("SOC2:CC6.1",))
    record = log.append(event)
    (read,) = last(log.folder, 1)
    assert read == record
    assert msgspec.convert(read.event, type(event)) == event
