"""Where a path really leads, by what the host answers about every folder on the way.

A mount laid over a symbolic link lands on whatever the link leads to. Inside a folder that may be written,
whoever runs there chose where that is: a link left behind by one run would make the next launch open a place
that no rule grants, or shut the wrong one. So rules are laid where they really lead, or not at all.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from tappass_host.sdk.facts import UNKNOWN, Answer, Unknown

Know = Callable[[str, str], Answer | Unknown]
Segments = tuple[str, ...]

# As many as Linux follows (path_resolution(7)); more is a circle, and nothing can be reached through it.
_MOST_LINKS: Final = 40
_LINK: Final = "symlink:"
MISSING: Final = "missing"
NOT_KNOWN: Final = "not known"


class Place(NamedTuple):
    """The end of a way.

    Attributes:
        segments: of the real path.
        kind: `file`, `dir`, `missing` or `not known`.
        link: the first link on the way, empty if there is none.
    """

    segments: Segments
    kind: str
    link: Segments = ()


class Links:
    """Follows paths."""

    def __init__(self, know: Know) -> None:
        self._know = know

    def follow(self, segments: Segments, trusted: int) -> Place:
        """Follow an absolute path whose first `trusted` segments are taken as they stand."""
        # All at once, so that a way without links takes one round of questions.
        for size in range(trusted + 1, len(segments) + 1):
            self._kind(segments[:size])
        done, rest, first = segments[:trusted], segments[trusted:], Segments()
        kind: str = "dir"
        for _ in range(_MOST_LINKS):
            done, rest, kind = self._walk(done, rest)
            if not kind.startswith(_LINK):
                return Place((*done, *rest), kind, first)
            first = first or done
            done, rest = _through(done, kind.removeprefix(_LINK), rest)
        return Place((*done, *rest), MISSING, first)

    def _walk(self, done: Segments, rest: Segments) -> tuple[Segments, Segments, str]:
        """Go on until the end, a link, or nothing."""
        kind = "dir"
        while rest and kind == "dir":
            if rest[0] == "..":
                done, rest = done[:-1], rest[1:]
                continue
            done, rest = (*done, rest[0]), rest[1:]
            kind = self._kind(done)
        # A file on the way ends it.
        return done, rest, MISSING if rest and kind == "file" else kind

    def _kind(self, segments: Segments) -> str:
        kind = self._know("path_kind", "/" + "/".join(segments))
        return NOT_KNOWN if kind is UNKNOWN else str(kind)


def _through(link: Segments, target: str, rest: Segments) -> tuple[Segments, Segments]:
    """Where to go on behind a link: what is behind an absolute one is walked from the top."""
    more = tuple(part for part in target.split("/") if part not in ("", "."))
    return () if target.startswith("/") else link[:-1], (*more, *rest)
