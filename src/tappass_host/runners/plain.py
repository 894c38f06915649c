"""Values of an engine as plain JSON values. Standard library only: used in the child."""

import datetime as dt
import math
from typing import Any

_MAX_DEPTH = 100
# 4300 digits is where Python itself stops turning integers into text (CVE-2020-10735).
_MAX_BITS = 14_000
_TEXTUAL = (dt.datetime, dt.date, dt.time)


def to_plain(value: object, *, depth: int = 0) -> Any:
    """Return `value` as null, booleans, numbers, text, lists and objects.

    Tuples and sets become lists, keys become text, instants become ISO 8601 text.

    Raises:
        TypeError: a value JSON has no form for, saying which.
    """
    if depth > _MAX_DEPTH:
        raise TypeError("the value is nested too deep, or holds itself")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(each, depth=depth + 1) for each in value]
    if isinstance(value, dict):
        return {_key(key): to_plain(each, depth=depth + 1) for key, each in value.items()}
    if isinstance(value, _TEXTUAL):
        return value.isoformat()
    raise TypeError(f"{_described(value)} is not a JSON value; use text, numbers, lists and dicts")


def _number(value: float) -> float:
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise TypeError("the integer is too long")
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"{value} is not a JSON number")
    return value


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool | int | float):
        return str(key)
    raise TypeError(f"a key that is {_described(key)} is not a JSON key; use text")


def _described(value: object) -> str:
    return f"a value of type {getattr(value, 'name', None) or type(value).__name__}"
