"""The actions of a call with their paths as they really are, in every reading."""

from collections.abc import Callable, Iterator
from itertools import product

import msgspec

from tappass_host.policy import actions as a

Lookup = Callable[[str], tuple[str, ...]]
_FILE_TOOLS = ("Read", "Write")


def resolve(actions: tuple[a.Action, ...], lookup: Lookup) -> tuple[a.Action, ...]:
    """Every action in every reading of its paths, each once.

    Args:
        actions: with paths as the agent wrote them.
        lookup: path to what it may stand for.

    Raises:
        PathError: of `lookup`.
    """
    found: list[a.Action] = []
    for action in actions:
        found += (resolved for resolved in _readings(action, lookup) if resolved not in found)
    return tuple(found)


def _readings(action: a.Action, lookup: Lookup) -> Iterator[a.Action]:
    replace = msgspec.structs.replace
    match action:
        case a.Tool(name=name, args={"path": str() as path}) if name in _FILE_TOOLS:
            for real in lookup(path):
                yield replace(action, args={**action.args, "path": real})
        case a.File(op="move"):
            for path, to in product(lookup(action.path), lookup(action.to)):
                yield replace(action, path=path, to=to)
        case a.File() | a.UnixConnect():
            for path in lookup(action.path):
                yield replace(action, path=path)
        case _:
            yield action


def has_paths(actions: tuple[a.Action, ...]) -> bool:
    """Whether the file system has to be looked at."""
    return any(
        isinstance(act, (a.File, a.UnixConnect)) or (isinstance(act, a.Tool) and act.name in _FILE_TOOLS)
        for act in actions
    )
