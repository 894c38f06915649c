"""Attack 21: every edit, cut, reorder or replay of the audit log is found, up to the last checkpoint.

Each case is something that an attacker does to the files, with what has to be said about it. The attacker has
every old key, and all files; where he has the current key too, a witness is what is left.
"""

import copy
import json
import shutil

import pytest

from tappass_host.audit import files, keyfile
from tappass_host.audit.events import PolicyLabel, Started
from tappass_host.audit.keys import Checkpoint, EpochKey, checkpoint_bytes
from tappass_host.audit.read import read_checkpoints, verify_folder
from tappass_host.audit.record import hash_of, line_of, parse_line, unsigned
from tappass_host.audit.write import Log, LogSettings
from tappass_host.policy.errors import AuditError

EVENT = Started(component="test", version="1", policy=PolicyLabel(version=1))
SETTINGS = LogSettings(fsync="batch", segment_bytes=2500, epoch_records=6)


class World:
    """A log of several files and epochs, what witnesses hold of it, and every key that ever was."""

    def __init__(self, root):
        self.folder, self.keys, self.witnessed = root / "log", {}, []
        log = self.open(witness=self.witnessed.append)
        for _ in range(40):
            self.remember_key()
            log.append(EVENT)
        self.remember_key()
        log.close()
        self.remember_key()

    def open(self, **options):
        return Log.open(self.folder, component="test", settings=SETTINGS, **options)

    def remember_key(self):
        current = keyfile.load(self.folder).current
        self.keys[current.number] = EpochKey(current.number, bytes.fromhex(current.seed))

    def paths(self):
        return [path for _, path in files.segments(self.folder)]

    def lines(self):
        """All lines, with the file of each."""
        return [(path, line) for path in self.paths() for line in path.read_bytes().splitlines()]

    def write(self, lines):
        """Put lines back, each into the file that is named with it."""
        for path in self.paths():
            path.unlink()
        for path in dict.fromkeys(path for path, _ in lines):
            path.write_bytes(b"".join(line + b"\n" for at, line in lines if at == path))
            path.chmod(0o600)

    def rechain(self, lines, keys):
        """Make lines follow one another again, signed with the keys that the attacker has."""
        made, head, seq = [], "", 0
        for path, old in lines:
            record = json.loads(old)
            if head:
                record["prev"], record["seq"] = head, seq + 1
            if record["epoch"] in keys:
                record["sig"] = keys[record["epoch"]].sign(unsigned(parse_line(dumps(record))))
            line = line_of(parse_line(dumps(record)))
            head, seq = hash_of(line), record["seq"]
            made.append((path, line))
        return made

    def report(self, **options):
        return verify_folder(self.folder, **options)


def dumps(record):
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return World(tmp_path_factory.mktemp("pristine"))


@pytest.fixture
def world(pristine, tmp_path):
    """A copy, to be attacked."""
    made = copy.copy(pristine)
    made.folder, made.witnessed = tmp_path / "log", list(pristine.witnessed)
    shutil.copytree(pristine.folder, made.folder)
    return made


def said(report):
    return " | ".join(f"{place}: {what}" for place, what in report.findings)


def test_control(world):
    report = world.report(witnesses=world.witnessed)
    assert report.ok, report.findings
    assert report.segments > 3
    assert report.epoch > 5
    assert report.witnessed == report.last
    assert "vouched for by no witness" not in " ".join(report.notes)


def test_without_a_witness_that_is_said(world):
    report = world.report()
    assert report.ok
    assert any(note.startswith("no witness") for note in report.notes)


def test_any_byte_changed(world):
    path = world.paths()[1]
    sound = path.read_bytes()
    for offset in range(0, len(sound), 31):
        path.write_bytes(sound[:offset] + bytes([sound[offset] ^ 1]) + sound[offset + 1 :])
        assert not world.report().ok, offset


def test_every_line_holds_its_place(world):
    """Take any one line away, or write it twice, or swap it with the next: all are found."""
    lines = world.lines()
    for at in range(1, len(lines) - 1):
        (path, line), (other, following) = lines[at : at + 2]
        for changed in (
            lines[:at] + lines[at + 1 :],
            lines[: at + 1] + lines[at:],
            [*lines[:at], (path, following), (other, line), *lines[at + 2 :]],
        ):
            world.write(changed)
            assert not world.report().ok, at


def cut_tail(world):
    lines = world.lines()
    world.write(lines[: len(lines) * 2 // 3])


def cut_middle(world):
    lines = world.lines()
    world.write(lines[:10] + lines[14:])


def cut_last_file(world):
    world.paths()[-1].unlink()


def cut_first_file(world):
    world.paths()[0].unlink()


def cut_a_file_between(world):
    world.paths()[1].unlink()


def swap_files(world):
    first, second = world.paths()[1:3]
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


def tear_last_line(world):
    path = world.paths()[-1]
    path.write_bytes(path.read_bytes()[:-20])


def empty_file(world):
    world.paths()[2].write_bytes(b"")


def another_log(world):
    """The files of a log of the same shape, written by somebody with keys of his own."""
    other = World(world.folder.parent / "elsewhere")
    for path in world.paths():
        path.unlink()
    for path in other.paths():
        shutil.copy(path, world.folder / path.name)


def one_file_of_another_log(world):
    other = World(world.folder.parent / "elsewhere")
    shutil.copy(other.paths()[1], world.paths()[1])


def old_keys(world):
    return {number: key for number, key in world.keys.items() if number < max(world.keys)}


def edited_with_old_keys(world):
    """Change one record of an old epoch and rewrite all that follows, as far as the keys go."""
    lines = world.lines()
    changed = json.loads(lines[3][1])
    changed["event"]["version"] = "2"
    lines[3] = (lines[3][0], dumps(changed))
    world.write(world.rechain(lines, old_keys(world)))


def forked_with_old_keys(world):
    """Go back to an old epoch and tell another story from there, turning to a key of the attacker's."""
    lines = [(path, line) for path, line in world.lines() if json.loads(line)["epoch"] <= 3]
    lines = lines[:-1]
    last_path, last = lines[-1]
    record = json.loads(last)
    own = EpochKey(4, b"e" * 32)
    epoch = record | {"event": {"type": "epoch", "number": 4, "public": own.public}, "epoch": 3}
    after = record | {"epoch": 4}
    story = [*lines, (last_path, dumps(epoch)), *[(last_path, dumps(after))] * 3]
    world.write(world.rechain(story, {**old_keys(world), 4: own}))


def added_with_an_old_key(world):
    path, last = world.lines()[-1]
    forged = json.loads(last) | {"epoch": 2}
    world.write(world.rechain([*world.lines(), (path, dumps(forged))], {2: world.keys[2]}))


def signature_left_out(world):
    lines = world.lines()
    record = json.loads(lines[5][1]) | {"sig": ""}
    world.write([*lines[:5], (lines[5][0], dumps(record)), *lines[6:]])


def weak_key(world):
    """A small-order key verifies one signature for every message: it must not be taken."""
    path = world.paths()[0]
    first, *rest = path.read_bytes().splitlines()
    header = json.loads(first)
    header["event"]["public"] = "ed25519:" + "01" + "00" * 31
    path.write_bytes(b"\n".join([dumps(header), *rest]) + b"\n")


def not_canonical(world):
    lines = world.lines()
    spaced = json.dumps(json.loads(lines[5][1]), sort_keys=True).encode()
    world.write([*lines[:5], (lines[5][0], spaced), *lines[6:]])


def checkpoints_gone(world):
    (world.folder / files.CHECKPOINTS).unlink()


def one_checkpoint_gone(world):
    path = world.folder / files.CHECKPOINTS
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1] + lines[2:]))


def checkpoint_edited(world):
    path = world.folder / files.CHECKPOINTS
    first, *rest = path.read_bytes().splitlines()
    edited = json.loads(first) | {"head": "0" * 64}
    path.write_bytes(b"\n".join([dumps(edited), *rest]) + b"\n")


# Found without any witness: by the chain, the checkpoints beside it and the writer's own key.
FOUND = {
    cut_tail: "missing",
    cut_middle: "expected",
    cut_last_file: "missing",
    cut_first_file: "nothing says that they were pruned",
    cut_a_file_between: "segments 2 to 2 are missing",
    swap_files: "says it is segment",
    tear_last_line: "cut short",
    empty_file: "is empty",
    another_log: "another log",
    one_file_of_another_log: "belongs to another log",
    edited_with_old_keys: "signature does not hold",
    forked_with_old_keys: "holds another key",
    added_with_an_old_key: "is signed in epoch 2",
    signature_left_out: "signature does not hold",
    weak_key: "small order",
    not_canonical: "not in canonical form",
    checkpoints_gone: "of epoch 2 is missing",
    one_checkpoint_gone: "is missing",
    checkpoint_edited: "says something else",
}


@pytest.mark.parametrize("attack", FOUND, ids=lambda f: f.__name__)
def test_found(world, attack):
    attack(world)
    report = world.report()
    assert not report.ok
    assert FOUND[attack] in said(report)


@pytest.mark.parametrize(
    "attack",
    [a for a in FOUND if a.__name__ not in ("checkpoints_gone", "one_checkpoint_gone", "checkpoint_edited")],
    ids=lambda f: f.__name__,
)
def test_a_witness_finds_it_even_where_everything_beside_the_log_was_removed(world, attack):
    attack(world)
    (world.folder / files.KEY).unlink()
    (world.folder / files.CHECKPOINTS).unlink(missing_ok=True)
    found = [f for f in world.report(witnesses=world.witnessed).findings if not f.place.startswith("local")]
    assert found


@pytest.mark.parametrize(
    "attack",
    [cut_tail, cut_last_file, another_log, swap_files, cut_first_file],
    ids=lambda f: f.__name__,
)
def test_the_writer_does_not_continue_what_was_changed_at_its_end(world, attack):
    attack(world)
    if attack in (swap_files, cut_first_file):
        return  # only the last file is read at the start; these are for `verify`
    with pytest.raises(AuditError):
        world.open()


def test_replay_of_the_whole_folder_needs_a_witness(world, tmp_path):
    """An older copy with its key is a sound log: only somebody else can know that it went on."""
    shutil.copytree(world.folder, tmp_path / "copy")
    log = world.open(witness=world.witnessed.append)
    log.append(EVENT)
    log.close()
    shutil.rmtree(world.folder)
    shutil.move(tmp_path / "copy", world.folder)
    unwitnessed = world.report()
    assert unwitnessed.ok
    assert any(note.startswith("no witness") for note in unwitnessed.notes)
    assert "are missing" in said(world.report(witnesses=world.witnessed))


def test_with_the_current_key_all_after_the_last_witnessed_checkpoint_is_open(world):
    """The limit of what is claimed: the thief of the current key can rewrite its epoch, and nothing older."""
    current = max(world.keys)
    begun = next(n for n, (_, line) in enumerate(world.lines()) if json.loads(line)["epoch"] == current)
    for at, found_by_chain in ((begun, False), (3, True)):
        lines = world.lines()
        changed = json.loads(lines[at][1])
        changed["event"]["version" if "version" in changed["event"] else "component"] = "2"
        rewritten = [*lines[:at], (lines[at][0], dumps(changed)), *lines[at + 1 :]]
        world.write(world.rechain(rewritten, {current: world.keys[current]}))
        (world.folder / files.CHECKPOINTS).unlink(missing_ok=True)
        (world.folder / files.KEY).unlink(missing_ok=True)
        lost = [f for f in world.report().findings if not f.place.startswith("local")]
        assert bool(lost) == found_by_chain
        assert not world.report(witnesses=world.witnessed).ok
        world.write(lines)


def test_a_forged_checkpoint_of_a_witness_is_said(world):
    good = world.witnessed[-1]
    own = EpochKey(good.epoch, b"w" * 32)
    forged = Checkpoint(log=good.log, seq=good.seq, head=good.head, epoch=good.epoch, at=good.at)
    forged = Checkpoint(
        **{f: getattr(forged, f) for f in forged.__struct_fields__ if f != "sig"},
        sig=own.sign(checkpoint_bytes(forged)),
    )
    assert "was not signed" in said(world.report(witnesses=[forged]))


def test_the_first_key_can_be_pinned(world):
    first = json.loads(world.lines()[0][1])["event"]["public"]
    assert world.report(first_key=first).ok
    assert "does not begin with the key" in said(world.report(first_key="ed25519:" + "ab" * 32))


def test_a_lost_key_is_no_reason_to_begin_again_in_the_same_folder(world):
    (world.folder / files.KEY).unlink()
    with pytest.raises(AuditError, match="key is gone"):
        world.open()


def test_a_removed_log_does_not_begin_again_unnoticed(world):
    for path in world.paths():
        path.unlink()
    with pytest.raises(AuditError, match="lost its records"):
        world.open()


def test_checkpoints_beside_the_log_are_of_it(world):
    assert {c.log for c in read_checkpoints(world.folder / files.CHECKPOINTS)} == {world.report().log}
