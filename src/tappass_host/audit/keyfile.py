"""The writer's own memory beside the chain: its private key, and the last point of the chain it is sure of.

Turning the key takes two steps, so that a crash between them loses nothing: first the file holds the old key
and the new one, then the old one signs the new one into the chain, then only the new one is left and the
bytes of the old file are overwritten. On a file system that copies on write, or on flash, the medium may keep
them for a while: what is erased for sure is what the system can still read.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from tappass_host.audit import files
from tappass_host.audit.keys import EpochKey
from tappass_host.audit.record import NOTHING
from tappass_host.audit.verify import Anchor
from tappass_host.policy.decode import convert
from tappass_host.policy.errors import AuditError, TappassError
from tappass_host.policy.wire import strict_json

_MAX_BYTES: Final = 4096
_SEED_BYTES: Final = 32
Hex = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Random = Callable[[int], bytes]


class _Key(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    number: Annotated[int, Meta(ge=1)]
    seed: Hex


class KeyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `key.json` holds. `seq` 0: nothing was written yet."""

    log: str
    current: _Key
    next: _Key | None = None
    seq: int = 0
    head: str = NOTHING

    def key(self) -> EpochKey:
        """The key in force."""
        return EpochKey(self.current.number, bytes.fromhex(self.current.seed))

    def next_key(self) -> EpochKey | None:
        """The key that is to follow, while it is being turned."""
        return EpochKey(self.next.number, bytes.fromhex(self.next.seed)) if self.next else None

    def anchor(self) -> Anchor:
        """What verification may know of it."""
        return Anchor(self.log, self.current.number, self.key().public, self.seq, self.head)


def load(folder: Path) -> KeyFile | None:
    """Read it; None if there is none.

    Raises:
        AuditError: it is there and unusable.
    """
    path = folder / files.KEY
    if not path.exists() and not path.is_symlink():
        return None
    try:
        return convert(strict_json(files.read(path, max_bytes=_MAX_BYTES)), KeyFile, source=str(path))
    except AuditError:
        raise
    except TappassError as error:
        raise AuditError(f"{path} is unusable: {error.message}") from error


def create(folder: Path, random: Random) -> KeyFile:
    """A new log: an identity, and the key of epoch 1."""
    made = KeyFile(log=random(16).hex(), current=_fresh(1, random))
    files.replace(folder / files.KEY, msgspec.json.encode(made))
    return made


def begin_turn(folder: Path, held: KeyFile, random: Random) -> KeyFile:
    """Step 1: the next key is on the disk."""
    turning = msgspec.structs.replace(held, next=_fresh(held.current.number + 1, random))
    files.replace(folder / files.KEY, msgspec.json.encode(turning))
    return turning


def end_turn(folder: Path, held: KeyFile, *, seq: int, head: str) -> KeyFile:
    """Step 3: the old key is gone, and the record that names the new one is remembered."""
    if held.next is None:
        raise AuditError("no key is being turned")
    turned = KeyFile(log=held.log, current=held.next, seq=seq, head=head)
    files.replace(folder / files.KEY, msgspec.json.encode(turned), scrub=True)
    return turned


def remember(folder: Path, held: KeyFile, *, seq: int, head: str) -> KeyFile:
    """Remember a point of the chain under the same key."""
    known = msgspec.structs.replace(held, next=None, seq=seq, head=head)
    files.replace(folder / files.KEY, msgspec.json.encode(known))
    return known


def _fresh(number: int, random: Random) -> _Key:
    return _Key(number=number, seed=random(_SEED_BYTES).hex())
