"""Answers to what providers ask about a host: plain look-ups that change nothing and run nothing."""

import os
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from tappass_host.policy.grammar.globs import is_glob, segment_matches
from tappass_host.policy.grammar.paths import PathRule, parse_path
from tappass_host.sdk.facts import UNKNOWN, Answer, Query, Unknown

# A whole home can hold millions; beyond this the question stays open: the safe side.
_MOST_PATHS: Final = 2_000_000


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
        self._trees: dict[str, Tree] = {}

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
        """Existing paths that a rule's pattern names, sorted."""
        rule = parse_path(pattern)
        if not rule.is_glob or rule.root != "/":
            return UNKNOWN
        tree = self._trees.get(rule.anchor) or self._trees.setdefault(rule.anchor, Tree(rule.anchor))
        return tree.matching(rule)

    def program(self, name: str) -> Answer:
        """The real path of a program, empty if there is none."""
        known = self._programs.get(name) or shutil.which(name, path=os.defpath)
        return str(Path(known).resolve()) if known else ""

    def variable(self, name: str) -> Answer | Unknown:
        """A variable that code may be given."""
        return self._env.get(name, UNKNOWN)


class Tree:
    """What is below one folder, walked once for the many patterns that hang from it."""

    def __init__(self, root: str) -> None:
        self._by_name: dict[str, list[str]] = {}
        self.whole = self._walk(root)

    def _walk(self, root: str) -> bool:
        seen = 0
        for folder, folders, files in os.walk(root):
            for name in (*folders, *files):
                self._by_name.setdefault(name, []).append(f"{folder.rstrip('/')}/{name}")
            seen += len(folders) + len(files)
            if seen > _MOST_PATHS:
                return False
        return True

    def matching(self, rule: PathRule) -> Answer | Unknown:
        """Paths that the rule names; UNKNOWN if the tree is too large to have been seen whole."""
        if not self.whole:
            return UNKNOWN
        last = rule.segments[-1]
        names = [n for n in self._by_name if segment_matches(last, n)] if is_glob(last) else [last]
        found = (path for name in names for path in self._by_name.get(name, ()) if rule.covers_node(path))
        return tuple(sorted(found))


_KINDS: Final[dict[str, Callable[[Answers, str], Answer | Unknown]]] = {
    "path_kind": Answers.path_kind,
    "glob": Answers.matches,
    "program": Answers.program,
    "env": Answers.variable,
}
