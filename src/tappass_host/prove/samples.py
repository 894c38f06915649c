"""Arguments that satisfy constraints, and arguments that do not."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tappass_host.policy.grammar.constraints import Constraint

# Values of every kind that a constraint can be about, tried until one fits.
_GUESSES: Final = ("x", "a", "", 0, 1, -1, True, "/", 1 << 40, "!" * 64, "no such value")


def calls_for(constraints: Mapping[str, Constraint]) -> Iterator[dict[str, Any]]:
    """One call that every constraint accepts, then for each argument one that it refuses."""
    good = {name: value for name, c in constraints.items() if (value := accepted(c)) is not None}
    if len(good) == len(constraints):
        yield good
    for name, constraint in constraints.items():
        bad = next((guess for guess in _GUESSES if constraint.check(guess) is not None), None)
        if bad is not None:
            yield {**good, name: bad}


def accepted(constraint: Constraint) -> Any:
    """A value that the constraint accepts, or None where none is found."""
    return next((value for value in _candidates(constraint) if constraint.check(value) is None), None)


def _candidates(constraint: Constraint) -> Iterator[Any]:
    if constraint.const is not None:
        yield constraint.const
    yield from constraint.one_of or ()
    if constraint.range is not None:
        yield from (bound for bound in (constraint.range.min, constraint.range.max) if bound is not None)
    if constraint.subpath is not None:
        yield f"{constraint.subpath}/x"
    if constraint.pattern is not None:
        yield _matching(constraint.pattern)
    yield from _GUESSES


def _matching(pattern: str) -> str:
    """The shortest obvious text for a simple pattern: the first choice of everything, as often as needed."""
    from re import _parser as parser  # type: ignore[attr-defined]

    try:
        return "".join(_spell(parser.parse(pattern)))
    except (ValueError, TypeError, RecursionError):
        return ""


def _spell(nodes: Any) -> Iterator[str]:
    for operation, argument in nodes:
        match str(operation):
            case "LITERAL":
                yield chr(argument)
            case "IN":
                yield _member(argument)
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, _most, inner = argument
                yield "".join(_spell(inner)) * least
            case "SUBPATTERN":
                yield from _spell(argument[-1])
            case "BRANCH":
                yield from _spell(argument[1][0])
            case "ANY":
                yield "x"


def _member(choices: Any) -> str:
    kind, value = choices[0]
    match str(kind):
        case "LITERAL":
            return chr(value)
        case "RANGE":
            return chr(value[0])
        case "CATEGORY":
            return "0" if "DIGIT" in str(value) else "a"
    return "x"
