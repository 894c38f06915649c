"""Reads a log from its folder: to verify it, to show it, to find one event."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from tappass_host.audit import files, keyfile
from tappass_host.audit.keys import Checkpoint
from tappass_host.audit.record import Record, parse_line
from tappass_host.audit.verify import Anchor, Chain, Report, judge
from tappass_host.policy.errors import AuditError, TappassError


def verify_folder(folder: Path, *, witnesses: Sequence[Checkpoint] = (), first_key: str = "") -> Report:
    """Check the log in a folder against all there is to check it against.

    Args:
        folder: of one log.
        witnesses: checkpoints that were kept elsewhere.
        first_key: public key that the log has to begin with.

    Raises:
        AuditError: the folder or a file in it cannot be read at all.
    """
    beside = read_checkpoints(folder / files.CHECKPOINTS)
    writer = _anchor(folder)
    wanted = [c.seq for c in (*witnesses, *beside)] + ([writer.seq] if writer else [])
    chain = Chain(wanted)
    for number, path in _segments(folder):
        chain.segment(number, path.name, files.lines(path))
    return judge(chain, witnesses=witnesses, beside=beside, first_key=first_key, writer=writer)


def read_checkpoints(path: Path) -> list[Checkpoint]:
    """The checkpoints of a file, one a line.

    Raises:
        AuditError: a line is none. A last line that a crash cut short is left out.
    """
    found = []
    for line in files.lines(path) if path.exists() else ():
        try:
            found.append(msgspec.json.decode(line, type=Checkpoint, strict=True))
        except msgspec.MsgspecError as error:
            if line.endswith(b"\n"):
                raise AuditError(f"{path} holds a line that is no checkpoint") from error
    return found


def records(folder: Path) -> Iterator[Record]:
    """Every record that can be read, in order; whether it can be believed is for `verify_folder` to say."""
    for _, path in _segments(folder):
        for line in files.lines(path):
            try:
                yield parse_line(line.removesuffix(b"\n"))
            except TappassError:
                continue


def last(folder: Path, count: int) -> list[Record]:
    """The newest records, oldest first."""
    return list(deque(records(folder), maxlen=count))


def find(folders: Iterable[Path], request: str) -> list[Record]:
    """Every record about one request, over several logs."""
    return [r for folder in folders for r in records(folder) if r.event.get("request") == request]


def logs(folder: Path) -> list[Path]:
    """The folders of logs at or below a folder, as components lay them out."""
    if (folder / files.KEY).exists() or any(folder.glob("*.jsonl")):
        return [folder]
    return sorted({path.parent for path in folder.glob("*/00*.jsonl")})


def _segments(folder: Path) -> list[tuple[int, Path]]:
    try:
        return files.segments(folder)
    except OSError as error:
        raise AuditError(f"{folder} cannot be read: {error.strerror}") from error


def _anchor(folder: Path) -> Anchor | None:
    """What the writer remembers, for who may read its key; anybody else verifies without."""
    try:
        held = keyfile.load(folder)
    except AuditError:
        return None
    return held.anchor() if held else None
