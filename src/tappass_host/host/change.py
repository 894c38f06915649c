"""What the engine is told, and what it answers."""

from typing import NamedTuple

from tappass_host.policy.errors import TappassError


class ForeignFileError(TappassError):
    """A managed file that we did not write is in the way."""


class Wanted(NamedTuple):
    """One file as it is to be."""

    data: bytes
    mode: int = 0o644


class Change(NamedTuple):
    """What is to happen at a path: `write`, `restore` (what was there before us) or `remove`.

    `uid` and `gid` are of what comes back, if root may give it back; -1 is whoever we are.
    """

    path: str
    what: str
    digest: str = ""
    mode: int = 0
    uid: int = -1
    gid: int = -1


class Applied(NamedTuple):
    """What an apply did."""

    generation: int
    changes: tuple[Change, ...]


class Mended(NamedTuple):
    """A file that was not as it should be; `error` says why it still is not."""

    change: Change
    error: str = ""
