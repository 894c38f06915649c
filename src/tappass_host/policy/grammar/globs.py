"""A path pattern as a small automaton over segments: linear in the path, no regular expressions.

A state set is an int: bit i is set when `pattern[:i]` has been read. Every pattern covers all below
what it names, so its last state, once reached, stays.
"""

from collections.abc import Iterable

Pattern = tuple[str, ...]


def is_glob(segment: str) -> bool:
    return "*" in segment or "?" in segment


def covers_names(pattern: Pattern, names: Pattern) -> bool:
    """Tell whether the pattern names these names or something above them: the fast way for one path.

    As everything below a match counts, the earliest match after each `**` is as good as any later one, so
    only the last `**` is ever reconsidered.
    """
    at = i = mark = 0
    last = -1
    while at < len(pattern):
        if pattern[at] == "**":
            last, mark, at = at, i, at + 1
        elif i < len(names) and _fits(pattern[at], names[i]):
            at, i = at + 1, i + 1
        elif last >= 0 and mark < len(names):
            at, mark, i = last + 1, mark + 1, mark + 1
        else:
            return False
    return True


def accepts(pattern: Pattern, states: int) -> bool:
    return bool(states >> len(pattern) & 1)


def after_names(pattern: Pattern, names: Iterable[str], *, below: bool = True) -> int:
    """Return the states after reading `names`; with `below` false only the named node itself counts."""
    states = _skip(pattern, 1)
    for name in names:
        done = states & 1 << len(pattern) if below else 0
        states = done | _skip(pattern, _step(pattern, states, name))
        if not states:
            break
    return states


def after_pattern(pattern: Pattern, other: Pattern) -> int:
    """Return the states that are reached whatever concrete names `other` stands for."""
    states = _skip(pattern, 1)
    for segment in other:
        done = states & 1 << len(pattern)
        moved = _loops(pattern, states) if segment == "**" else _step(pattern, states, segment, proven=True)
        states = done | _skip(pattern, moved)
    return states


def _fits(pattern: str, name: str) -> bool:
    return pattern == name or (is_glob(pattern) and segment_matches(pattern, name))


def segment_matches(pattern: str, name: str) -> bool:
    """Match one segment; only the last star is ever reconsidered, so there is no exponential case."""
    at = star = mark = 0
    seen = False
    i = 0
    while i < len(name):
        if at < len(pattern) and pattern[at] == "*":
            seen, star, mark, at = True, at, i, at + 1
        elif at < len(pattern) and pattern[at] in ("?", name[i]):
            at, i = at + 1, i + 1
        elif seen:
            at, mark, i = star + 1, mark + 1, mark + 1
        else:
            return False
    return pattern[at:].strip("*") == ""


def segment_covers(pattern: str, other: str) -> bool:
    """Tell whether every name that `other` matches is proven to match `pattern`."""
    if pattern == other:
        return True
    if "${" in other:  # its value is not known yet
        return False
    return pattern == "*" or (not is_glob(other) and segment_matches(pattern, other))


def _step(pattern: Pattern, states: int, name: str, *, proven: bool = False) -> int:
    fits = segment_covers if proven else _fits
    moved = _loops(pattern, states)
    for i, segment in enumerate(pattern):
        if states >> i & 1 and segment != "**" and fits(segment, name):
            moved |= 2 << i
    return moved


def _loops(pattern: Pattern, states: int) -> int:
    return sum(1 << i for i, segment in enumerate(pattern) if segment == "**" and states >> i & 1)


def _skip(pattern: Pattern, states: int) -> int:
    """Add what is reached by letting `**` stand for no segment."""
    for i, segment in enumerate(pattern):
        if segment == "**" and states >> i & 1:
            states |= 2 << i
    return states
