"""JSON from a harness: strict about everything that two readers could read differently.

Unlike a policy, the arguments of a tool may hold fractions.
"""

import json
import math
from typing import Any, Final

from tappass_host.policy.errors import WireError

_DEPTH: Final = 64


def parse(data: bytes) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        WireError: anything else, a duplicate key, a number that is none, a text that is not Unicode.
    """
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_number)
        canonical(value).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise WireError(f"not a JSON object that can be judged: {error}") from None
    if not isinstance(value, dict):
        raise WireError("not a JSON object")
    _check_depth(value, _DEPTH)
    return value


def canonical(value: object) -> str:
    """One spelling of plain JSON values, in ASCII escapes where needed to be shown and compared."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a duplicate key")
    return table


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _check_depth(value: object, left: int) -> None:
    if left < 0:
        raise WireError("nested too deeply")
    if isinstance(value, float) and not math.isfinite(value):
        raise WireError("a number that is not finite")
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for member in members:
        _check_depth(member, left - 1)
