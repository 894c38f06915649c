"""Path rules: an absolute path, `~/...`, `${param}/...`, or a relative glob such as `**/.env`.

A rule is a literal prefix (the *anchor*) and a glob tail. `*` and `?` stay within one segment and
match dot files too, `**` stands for any number of whole segments, none included. Every rule covers
the node it names and all below it, so a final `/**` says nothing and is dropped from the canonical text.
Names compare by code points: case folding and Unicode form are capabilities of a target.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from tappass_host.policy.grammar.globs import accepts, after_names, after_pattern, covers_names, is_glob
from tappass_host.policy.grammar.text import refuse, require_plain

_PARAM = re.compile(r"\$\{[a-z_][a-z0-9_]*\}")
_ROOTS = "begin with /, ~/ or ${workspace}/, or with **/ for any depth"
_WHAT = "path"


@dataclass(frozen=True, slots=True)
class PathRule:
    """One path entry: `root` is `/`, `~`, `${param}`, or empty for a relative glob."""

    root: str
    segments: tuple[str, ...]
    literal: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        globs = (i for i, segment in enumerate(self.segments) if is_glob(segment))
        object.__setattr__(self, "literal", next(globs, len(self.segments)))

    def __str__(self) -> str:
        return _join(self.root, self.segments)

    @property
    def is_glob(self) -> bool:
        return self.literal < len(self.segments)

    @property
    def anchor(self) -> str:
        """The literal prefix as text; empty for a glob that is relative from its first segment."""
        return _join(self.root, self.segments[: self.literal])

    def matches(self, path: str) -> bool:
        """Tell whether the rule covers this node: by naming it or one of its ancestors.

        `path` is the resolved path in the agent's view, rooted like the rule: a relative glob fits
        relative paths only, so anchor it with `anchored_at` first.
        """
        root, names = split_path(path)
        if root != self.root or names[: self.literal] != self.segments[: self.literal]:
            return False
        return not self.is_glob or covers_names(self.segments[self.literal :], names[self.literal :])

    def covers_node(self, path: str) -> bool:
        """Tell whether the rule names this very node, not merely one above it."""
        root, names = split_path(path)
        return root == self.root and accepts(self.segments, after_names(self.segments, names, below=False))

    def lies_within(self, path: str) -> bool:
        """Tell whether the anchor is this node or below it."""
        root, names = split_path(path)
        return root == self.root and self.segments[: self.literal][: len(names)] == names

    def anchored_above(self, path: str) -> bool:
        """Tell whether this is a glob whose anchor is strictly above this node."""
        root, names = split_path(path)
        above = self.is_glob and root == self.root and self.literal < len(names)
        return above and names[: self.literal] == self.segments[: self.literal]

    def reaches(self, path: str) -> bool:
        """Tell whether the rule can cover something at or below this node."""
        return self._reached(path) != 0 or self.lies_within(path)

    def survives_move(self, source: str, destination: str) -> bool:
        """Tell whether all that the rule covers at or below `source` is proven covered after the move.

        True too where the rule can cover nothing there. `**/.env` survives below its anchor; a literal
        below the source, a glob that leaves its anchor, or `**/keys/*.pem` when `keys` moves, does not.
        """
        return self._reached(source) & ~self._reached(destination) == 0

    def covers(self, other: "PathRule") -> bool:
        """Tell whether every path that `other` covers is proven to be covered by this rule."""
        return self.root == other.root and accepts(
            self.segments, after_pattern(self.segments, other.segments)
        )

    def anchored_at(self, root: str) -> "PathRule":
        """Return this relative glob anchored at `root`; any other rule is returned as it is.

        Raises:
            GrammarError: `root` is no path, or a glob.
        """
        if self.root:
            return self
        base = parse_path(root)
        if base.is_glob:
            raise refuse(_WHAT, root, "cannot anchor a glob", "anchor at a path without stars")
        return parse_path(_join(base.root, base.segments + self.segments))

    def _reached(self, path: str) -> int:
        root, names = split_path(path)
        return after_names(self.segments, names) if root == self.root else 0


def specificity(rule: PathRule) -> int:
    """Length of the literal prefix in segments: the longest one decides between grants."""
    return rule.literal


@lru_cache(maxsize=16384)
def parse_path(text: str) -> PathRule:
    """Parse one path entry.

    Raises:
        GrammarError: naming what is wrong and how to write it instead.
    """
    require_plain(_WHAT, text)
    _check_characters(text)
    if text == "/":
        return PathRule("/", ())
    first, slash, rest = text.partition("/")
    rooted = first in ("", "~") or _PARAM.fullmatch(first) is not None
    segments = tuple((rest if rooted else text).split("/")) if slash or not rooted else ()
    _check_segments(text, segments)
    rule = PathRule((first or "/") if rooted else "", _shorten(segments, rooted=rooted))
    if not rooted and not rule.is_glob:
        raise refuse(_WHAT, text, "is relative", _ROOTS)
    return rule


@lru_cache(maxsize=16384)
def split_path(path: str) -> tuple[str, tuple[str, ...]]:
    """Split a path to judge into root and names; `.`, `..` and empty segments are folded by text alone."""
    first, slash, rest = path.partition("/")
    rooted = bool(slash) if not first else first == "~" or _PARAM.fullmatch(first) is not None
    names: list[str] = []
    for name in (rest if rooted else path).split("/"):
        if name == "..":
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    return (first or "/") if rooted else "", tuple(names)


def _check_characters(text: str) -> None:
    if "\\" in text:
        raise refuse(_WHAT, text, "holds a backslash", "separate with /; write ? for a backslash in a name")
    if "${" in _PARAM.sub("", text):
        raise refuse(_WHAT, text, "holds a malformed parameter", "write ${name} in lower case")


def _check_segments(text: str, segments: tuple[str, ...]) -> None:
    for segment in segments:
        if not segment:
            raise refuse(_WHAT, text, "has an empty segment", "write single slashes and none at the end")
        if segment in (".", ".."):
            raise refuse(_WHAT, text, f"has a {segment} segment", "write the path it stands for")
        if "**" in segment and segment != "**":
            raise refuse(_WHAT, text, "has ** inside a segment", "** stands alone: /a/**/*.env")
    if text.startswith("~") and not text.startswith("~/") and text != "~":
        raise refuse(_WHAT, text, "names another user's home", "write its absolute path")
    if text.startswith("$") and not _PARAM.match(text):
        raise refuse(_WHAT, text, "begins with a variable", "declare a parameter and write ${name}")


def _shorten(segments: tuple[str, ...], *, rooted: bool) -> tuple[str, ...]:
    """Drop what changes nothing: repeated `**`, and a final one, but keep a relative rule a glob."""
    kept = tuple(s for i, s in enumerate(segments) if s != "**" or segments[i - 1 : i] != ("**",))
    shorter = kept[:-1] if kept[-1:] == ("**",) else kept
    return shorter if rooted or any(is_glob(segment) for segment in shorter) else kept


def _join(root: str, segments: tuple[str, ...]) -> str:
    text = "/".join(segments)
    if root in ("", "/"):
        return root + text
    return f"{root}/{text}" if segments else root
