"""Where a log was left: read from its last file, checked against what the writer remembers.

The key is turned at the end of each file, so the record that the writer remembers lies in the last file or
right before it: starting never takes longer than reading one file.
"""

from pathlib import Path
from typing import Final, NamedTuple

from tappass_host.audit import files
from tappass_host.audit.keyfile import KeyFile
from tappass_host.audit.verify import Chain
from tappass_host.policy.errors import AuditError

_REMEDY: Final = "keep the folder as evidence (tappass-host audit verify) and move it away"


class Left(NamedTuple):
    """The end of the chain.

    Attributes:
        torn: the bytes of a last line that a crash cut short, already taken away.
        turned: number and hash of a record that turned the key, if the old key was still there.
    """

    number: int
    seq: int
    head: str
    torn: bytes | None
    turned: tuple[int, str] | None


def resume(folder: Path, held: KeyFile) -> Left:
    """Find the end of the chain.

    Raises:
        AuditError: the chain is not what the writer remembers; it must not be continued.
    """
    number, path = _last(folder)
    torn = _cut_torn(path)
    chain = Chain(wanted=(held.seq,))
    chain.segment(number, path.name, files.lines(path))
    if chain.findings:
        place, what = chain.findings[0]
        raise AuditError(f"{folder}/{place}: {what}", remedy=_REMEDY)
    following = held.next_key()
    turned = following is not None and (chain.epoch, chain.public) == (following.number, following.public)
    _compare(folder, chain, held, turned=turned)
    begun = chain.turns.get(chain.epoch, 0)
    return Left(number, chain.seq, chain.head, torn, (begun, chain.heads[begun]) if turned else None)


def nothing_there(folder: Path) -> None:
    """Make sure that a log that never began has no records; what a crash left of the first one goes.

    Raises:
        AuditError: there are records that the writer does not remember.
    """
    found = files.segments(folder)
    if not found:
        return
    if len(found) > 1 or sum(1 for _ in files.lines(found[0][1])) > 1:
        raise AuditError(f"{folder} holds records that its key file does not know of", remedy=_REMEDY)
    found[0][1].unlink()


def _last(folder: Path) -> tuple[int, Path]:
    """The last segment; one that a crash left without a single whole record is taken away."""
    found = files.segments(folder)
    if len(found) > 1 and not next(files.lines(found[-1][1]), b"").endswith(b"\n"):
        found.pop()[1].unlink()
    if not found:
        raise AuditError(f"{folder} has lost its records", remedy=_REMEDY)
    return found[-1]


def _cut_torn(path: Path) -> bytes | None:
    """Take away a last line without an end: nobody was told that it was written."""
    data = files.read(path)
    whole = data.rfind(b"\n") + 1
    if whole == len(data):
        return None
    if not whole:
        raise AuditError(f"{path} has no whole record", remedy=_REMEDY)
    files.cut(path, whole)
    return data[whole:]


def _compare(folder: Path, chain: Chain, held: KeyFile, *, turned: bool) -> None:
    known = held.anchor()
    same_key = (chain.epoch, chain.public) == (known.epoch, known.public)
    if chain.log != known.log or not (same_key or turned):
        raise AuditError(f"{folder} does not end in the key that its writer holds", remedy=_REMEDY)
    before = chain.first - 1
    if known.seq > chain.seq or known.seq < before:
        raise AuditError(f"{folder} lacks records that its writer remembers", remedy=_REMEDY)
    if known.head != (chain.start if known.seq == before else chain.heads.get(known.seq)):
        raise AuditError(f"{folder} says something else than its writer remembers", remedy=_REMEDY)
