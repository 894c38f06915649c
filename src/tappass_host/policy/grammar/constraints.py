"""Constraints on one argument of a tool call, and when one is proven narrower than another.

All facets that are present must hold. A value of another type than a facet speaks of violates it, so a
number never slips past a pattern. Types are exact: `1`, `true` and `1.0` are three different values.
"""

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tappass_host.policy.errors import GrammarError
from tappass_host.policy.grammar.paths import parse_path
from tappass_host.policy.grammar.text import MAX_TEXT, refuse

Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Scalar = Text | int | bool | None
Scalars = Annotated[tuple[Scalar, ...], Meta(min_length=1, max_length=1024)]
Integer = Annotated[int, Meta(ge=-9007199254740991, le=9007199254740991)]

# Bounds what RE2 may build for one pattern; far above any honest pattern, far below what would hurt.
_MAX_PATTERN_MEMORY = 1 << 20
_WHAT = "constraint"


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Bounds of a number, both included; an absent one is open."""

    min: Integer | None = None
    max: Integer | None = None

    def __post_init__(self) -> None:
        if self.min is None and self.max is None:
            raise ValueError("range has no bound: give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("range holds no number: min is greater than max")

    def holds(self, value: float) -> bool:
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)

    def covers(self, other: "Range") -> bool:
        """Tell whether every number of `other` lies in this range."""
        low = self.min is None or (other.min is not None and other.min >= self.min)
        high = self.max is None or (other.max is not None and other.max <= self.max)
        return low and high


class Constraint(
    msgspec.Struct, frozen=True, eq=False, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What one argument may be.

    `pattern` is RE2 and must match the whole text; `subpath` is a folder that a path, as written, must lie
    in; `max_len` counts characters of a text or items of a list. A malformed facet raises ValueError, which
    a decoder reports with the place.
    """

    const: Scalar | UnsetType = UNSET
    one_of: Scalars | None = None
    not_one_of: Scalars | None = None
    range: Range | None = None
    pattern: Text | None = None
    subpath: Text | None = None
    max_len: Annotated[int, Meta(ge=0, le=9007199254740991)] | None = None

    def __post_init__(self) -> None:
        for name in ("one_of", "not_one_of"):
            entries = getattr(self, name)
            if entries is not None:
                msgspec.structs.force_setattr(self, name, _sorted(entries))
        if not _facets(self):
            raise ValueError("constraint is empty: give at least one of " + ", ".join(_CHECKS))
        if self.pattern is not None:
            _compiled(self.pattern)
        if self.subpath is not None:
            _check_folder(self.subpath)

    def __str__(self) -> str:
        return msgspec.json.encode(self, order="sorted").decode()

    # By text, because by value Python takes `1` and `true` for equal, and they are different constraints.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constraint) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def check(self, value: object) -> str | None:
        """Return why the value violates the constraint, or None where it holds."""
        for name, facet in _facets(self):
            reason = _CHECKS[name](facet, value)
            if reason is not None:
                return reason
        return None


@lru_cache(maxsize=4096)
def parse_constraint(text: str) -> Constraint:
    """Parse one constraint from its JSON text.

    Raises:
        GrammarError: naming what is wrong and how to write it instead.
    """
    try:
        return msgspec.json.decode(text, type=Constraint)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        remedy = 'write an object such as {"one_of":["a","b"]} or {"range":{"max":10}}'
        raise refuse(_WHAT, text, f"is malformed: {str(error)!a}", remedy) from None


def narrower(a: Constraint, b: Constraint) -> bool:
    """Tell whether every value that satisfies `a` is proven to satisfy `b`."""
    finite = a.one_of if a.const is UNSET else (a.const,)
    if finite is not None:
        return all(b.check(value) is None for value in finite if a.check(value) is None)
    return all(_IMPLIED[name](a, b) for name, _ in _facets(b))


def _facets(constraint: Constraint) -> list[tuple[str, Any]]:
    pairs = [(name, getattr(constraint, name)) for name in _CHECKS]
    return [(n, f) for n, f in pairs if (f is not UNSET if n == "const" else f is not None)]


def _same(a: object, b: object) -> bool:
    return type(a) is type(b) and a == b


def _check_const(const: Scalar, value: object) -> str | None:
    return None if _same(value, const) else f"must be {msgspec.json.encode(const).decode()}"


def _check_one_of(entries: tuple[Scalar, ...], value: object) -> str | None:
    if any(_same(value, entry) for entry in entries):
        return None
    return f"must be one of {msgspec.json.encode(entries).decode()}"


def _check_not_one_of(entries: tuple[Scalar, ...], value: object) -> str | None:
    if type(value) not in {type(entry) for entry in entries}:
        return "is of another type than the values it is compared with"
    if any(_same(value, entry) for entry in entries):
        return f"must be none of {msgspec.json.encode(entries).decode()}"
    return None


def _check_range(bounds: Range, value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return "must be a number"
    return None if bounds.holds(value) else f"must be in {msgspec.json.encode(bounds).decode()}"


def _check_pattern(pattern: str, value: object) -> str | None:
    if not isinstance(value, str):
        return "must be a text"
    try:
        fits = _compiled(pattern).fullmatch(value) is not None
    except UnicodeError:  # a lone surrogate is no text
        fits = False
    return None if fits else f"must match {pattern}"


def _check_subpath(folder: str, value: object) -> str | None:
    if not isinstance(value, str):
        return "must be a path"
    if "\0" in value or ".." in value.split("/"):
        return "must be a path without .. segments"
    return None if parse_path(folder).matches(value) else f"must lie in {folder}"


def _check_max_len(limit: int, value: object) -> str | None:
    if not isinstance(value, str | list | tuple):
        return "must be a text or a list"
    return None if len(value) <= limit else f"must not be longer than {limit}"


_CHECKS: dict[str, Callable[[Any, object], str | None]] = {
    "const": _check_const,
    "one_of": _check_one_of,
    "not_one_of": _check_not_one_of,
    "range": _check_range,
    "pattern": _check_pattern,
    "subpath": _check_subpath,
    "max_len": _check_max_len,
}


def _implies_not_one_of(a: Constraint, b: Constraint) -> bool:
    entries = b.not_one_of or ()
    types = _types(a)
    excluded = all(a.check(entry) is not None for entry in entries)
    return excluded and types is not None and types <= {type(entry) for entry in entries}


def _types(a: Constraint) -> frozenset[type] | None:
    """Return the types that `a` proves of its values; None where it proves nothing useful."""
    if a.not_one_of is not None:
        return frozenset(type(entry) for entry in a.not_one_of)
    return frozenset({str}) if a.pattern is not None or a.subpath is not None else None


# Facet of `b` -> is it implied by `a`, which here is no finite set of values.
_IMPLIED: dict[str, Callable[[Constraint, Constraint], bool]] = {
    "const": lambda _a, _b: False,
    "one_of": lambda _a, _b: False,
    "not_one_of": _implies_not_one_of,
    "range": lambda a, b: a.range is not None and b.range is not None and b.range.covers(a.range),
    "pattern": lambda a, b: a.pattern == b.pattern,
    "subpath": lambda a, b: (
        a.subpath is not None and parse_path(b.subpath or "").covers(parse_path(a.subpath))
    ),
    "max_len": lambda a, b: a.max_len is not None and b.max_len is not None and a.max_len <= b.max_len,
}


def _sorted(entries: Iterable[Scalar]) -> tuple[Scalar, ...]:
    return tuple(entry for _, entry in sorted({msgspec.json.encode(e): e for e in entries}.items()))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.max_mem = _MAX_PATTERN_MEMORY
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        why = error.args[0] if error.args else error
        text = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        raise ValueError(f"pattern is not RE2: {text}") from None


def _check_folder(folder: str) -> None:
    try:
        rule = parse_path(folder)
    except GrammarError as error:
        raise ValueError(f"subpath: {error.message}: {error.remedy}") from None
    if rule.is_glob:
        raise ValueError("subpath is a glob: name one folder")
