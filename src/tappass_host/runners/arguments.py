"""The arguments of one call by name, and whether they are within their constraints.

Code chooses how it passes an argument; a constraint names it. So each call is bound to the signature of the
function first. What cannot be named cannot be judged, and is refused.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tappass_host.policy.grammar.constraints import Constraint


class UnnamedError(Exception):
    """The arguments of the call have no certain names."""


class _Named(NamedTuple):
    given: dict[str, Any]
    parameters: frozenset[str]
    any_name: bool


def objection(
    function: Callable[..., Any],
    args: list[Any],
    kwargs: dict[str, Any],
    constraints: Mapping[str, Constraint],
) -> str:
    """Return why the call is outside `constraints`, or an empty text.

    A constrained argument that is left out would be whatever the function takes for it: refused.
    """
    try:
        named = _name(function, args, kwargs)
    except UnnamedError as error:
        return str(error)
    for argument, constraint in constraints.items():
        if argument not in named.parameters and not named.any_name:
            return f"the function has no argument {argument}, which the policy constrains"
        if argument not in named.given:
            return f"{argument} is missing, and the policy constrains it"
        why = constraint.check(named.given[argument])
        if why is not None:
            return f"{argument} {why}"
    return ""


def _name(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> _Named:
    try:
        signature = inspect.signature(function)
        bound = signature.bind(*args, **kwargs)
    except (TypeError, ValueError) as error:
        raise UnnamedError(f"the arguments cannot be named: {error}") from None
    given = dict(bound.arguments)
    kinds = {each.kind: each.name for each in signature.parameters.values()}
    spread, open_ended = kinds.get(inspect.Parameter.VAR_POSITIONAL), kinds.get(inspect.Parameter.VAR_KEYWORD)
    if given.pop(spread or "", ()):
        raise UnnamedError("positional arguments without a name cannot be judged")
    extra = given.pop(open_ended or "", {})
    parameters = frozenset(signature.parameters) - {spread, open_ended}
    # `def f(path, /, **more)` takes two arguments called path.
    if parameters & extra.keys():
        raise UnnamedError("two arguments have the same name")
    return _Named({**given, **extra}, parameters, open_ended is not None)
