"""Facts about a host, asked for and answered purely.

A provider never looks at the host. It asks `know(kind, arg)`; what the host has answered comes back, what
it has not comes back as `UNKNOWN` and is written down in `asked`. The host answers and renders again until
nothing is asked, and asks anew before each launch.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple


class Unknown(Enum):
    """The one value of an unanswered question."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN
Answer = str | int | bool | tuple[str, ...]


class Query(NamedTuple):
    """A question about the host.

    Kinds a host can answer: `path_kind` (`file`, `dir`, `missing`, `symlink:<target>`), `glob` (existing
    paths matching, sorted), `program` (real path of a named program, empty if absent), `program_version`,
    `uid`, `feature` (kernel features: `userns`, `landlock_abi`, ...).
    """

    kind: str
    arg: str

    @property
    def key(self) -> str:
        """The form it takes as a key of `TargetCapabilities.facts`."""
        return f"{self.kind}:{self.arg}"


class Know:
    """Answers from a mapping, remembering what it could not answer."""

    def __init__(self, facts: Mapping[str, Answer]) -> None:
        self._facts = facts
        self.asked: dict[str, Query] = {}

    def __call__(self, kind: str, arg: str) -> Answer | Unknown:
        query = Query(kind, arg)
        if query.key in self._facts:
            return self._facts[query.key]
        self.asked[query.key] = query
        return UNKNOWN
