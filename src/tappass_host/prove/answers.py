"""Answers to what providers ask about a host: plain look-ups that change nothing and run nothing."""

import glob
import os
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from tappass_host.sdk.facts import UNKNOWN, Answer, Query, Unknown

# A pattern over a whole home could name millions; beyond this the question stays open: the safe side.
_MOST_PATHS: Final = 10_000


class Answers:
    """Answers queries.

    Args:
        programs: where the pinned targets are; every other program is looked up on PATH.
        env: variables that code may be given.
        folders: folders that will be there when things are launched, such as `/etc/claude-code`.
    """

    def __init__(
        self,
        programs: Mapping[str, str],
        *,
        env: Mapping[str, str] | None = None,
        folders: Collection[str] = (),
    ) -> None:
        self._programs = dict(programs)
        self._env = dict(env or {})
        self._folders = frozenset(folders)

    def __call__(self, query: Query) -> Answer | Unknown:
        """The answer, or UNKNOWN for a kind that cannot be answered here."""
        answer = _KINDS.get(query.kind)
        return UNKNOWN if answer is None else answer(self, query.arg)

    def path_kind(self, path: str) -> Answer:
        """What is at a path, without following a link."""
        place = Path(path)
        if place.is_symlink():
            return f"symlink:{place.readlink()}"
        if place.is_dir() or path in self._folders:
            return "dir"
        return "file" if place.exists() else "missing"

    def matches(self, pattern: str) -> Answer | Unknown:
        """Existing paths that a rule's pattern names, sorted; a match hides all below it."""
        found: list[str] = []
        for path in glob.iglob(pattern, recursive=True, include_hidden=True):  # noqa: PTH207 - `**` and dot files
            found.append(path.rstrip("/"))
            if len(found) > _MOST_PATHS:
                return UNKNOWN
        return tuple(sorted(set(found)))

    def program(self, name: str) -> Answer:
        """The real path of a program, empty if there is none."""
        known = self._programs.get(name) or shutil.which(name, path=os.defpath)
        return str(Path(known).resolve()) if known else ""

    def variable(self, name: str) -> Answer | Unknown:
        """A variable that code may be given."""
        return self._env.get(name, UNKNOWN)


_KINDS: Final[dict[str, Callable[[Answers, str], Answer | Unknown]]] = {
    "path_kind": Answers.path_kind,
    "glob": Answers.matches,
    "program": Answers.program,
    "env": Answers.variable,
}
