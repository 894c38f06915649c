"""Strict JSON: what every document from outside passes before anything looks into it.

Ordinary decoders keep the last of two equal keys, read `1e3` and `NaN`, round large
integers and recurse as deep as the sender likes. Each of these lets two readers of one
signed document see two policies, so here they are refused, with their JSON Pointer.

The work is one pass of the standard library's scanner. Its hooks leave a `_Fault` in
the tree where something is refused; only then is the tree walked to find the pointer.
"""

import json
import re
from collections.abc import Iterable
from typing import NoReturn

from tappass_host.policy.errors import WireError

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
# The largest integer that every JSON reader keeps exactly (RFC 8259 section 6).
MAX_INTEGER = 2**53 - 1

_BOM = b"\xef\xbb\xbf"
_LONGEST_QUOTE = 256
_LONGEST_INTEGER = len(str(-MAX_INTEGER))
# The closing quote is optional and the repeats possessive, so that a text full of quotes
# that never close is still scanned once and not once per quote.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OPENING = frozenset(b"[{")
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


class _Fault:
    """Stands in the parsed tree where a value was refused."""

    __slots__ = ("key", "why")

    def __init__(self, why: str, key: str | None = None) -> None:
        self.why = why
        self.key = key


def strict_json(
    data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, source: str = ""
) -> object:
    """Parse one JSON document, refusing everything two readers could read differently.

    Args:
        data: the whole document, UTF-8 without a byte order mark.
        max_bytes: size limit, checked before anything is decoded.
        max_depth: how many arrays and objects may be nested, checked before recursion.
        source: file name for messages.

    Raises:
        WireError: with a JSON Pointer, or with `source:line:col` where there is no tree yet.
    """
    if len(data) > max_bytes:
        raise WireError(f"{len(data)} bytes, the limit is {max_bytes}", source=source)
    text = _decode(data, source)
    _check_depth(data, max_depth, source)
    value, faulty = _parse(text, source)
    # Only an escape can smuggle a lone surrogate past the UTF-8 decoder.
    if faulty or _SURROGATE_ESCAPE.search(data):
        _raise_first(value, (), source)
    return value


def pointer(parts: Iterable[str | int]) -> str:
    """Join parts to an RFC 6901 JSON Pointer that is safe to print, see `printable`."""
    return "".join(f"/{_token(str(part))}" for part in parts)


def printable(text: str) -> str:
    """Escape what could fake or garble a message, and cut what is too long for one.

    Control, bidi and surrogate characters come as JSON escapes. Messages quote documents that
    nobody has vouched for, and end up on an operator's terminal.
    """
    if len(text) > _LONGEST_QUOTE:
        text = text[:_LONGEST_QUOTE] + "..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _token(part: str) -> str:
    return printable(part.replace("~", "~0").replace("/", "~1"))


def _decode(data: bytes, source: str) -> str:
    if data.startswith(_BOM):
        raise WireError("starts with a byte order mark", source=source, remedy="save it as plain UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _line_col(data, error.start, source)
        raise WireError(f"not UTF-8: {error.reason} at byte {error.start}", source=place) from error


def _check_depth(data: bytes, max_depth: int, source: str) -> None:
    depth = 0
    for byte in _STRING.sub(b"", data).translate(None, _NOT_BRACKETS):
        depth += 1 if byte in _OPENING else -1
        if depth > max_depth:
            place = _line_col(data, _too_deep_at(data, max_depth), source)
            raise WireError(f"nested deeper than {max_depth}", source=place)


def _too_deep_at(data: bytes, max_depth: int) -> int:
    """Offset of the bracket that exceeds `max_depth`; strings blanked to keep offsets."""
    depth = 0
    for at, byte in enumerate(_STRING.sub(lambda m: b" " * len(m[0]), data)):
        depth += (byte in b"[{") - (byte in b"]}")
        if depth > max_depth:
            return at
    return len(data)


def _parse(text: str, source: str) -> tuple[object, bool]:
    faults: list[_Fault] = []

    def refuse(why: str, key: str | None = None) -> _Fault:
        faults.append(_Fault(why, key))
        return faults[-1]

    def members(pairs: list[tuple[str, object]]) -> object:
        table = dict(pairs)
        return table if len(table) == len(pairs) else refuse("duplicate key", _first_repeated(pairs))

    def integer(digits: str) -> object:
        # Length first: turning a million digits into an integer is quadratic work.
        if len(digits) <= _LONGEST_INTEGER and abs(value := int(digits)) <= MAX_INTEGER:
            return value
        return refuse("integer beyond 2^53-1")

    decoder = json.JSONDecoder(
        object_pairs_hook=members,
        parse_int=integer,
        parse_float=lambda _: refuse("a number with fraction or exponent; only integers are allowed"),
        parse_constant=lambda name: refuse(f"{name} is not JSON"),
    )
    try:
        return decoder.decode(text), bool(faults)
    except json.JSONDecodeError as error:
        place = f"{source or '<json>'}:{error.lineno}:{error.colno}"
        raise WireError(f"not JSON: {error.msg}", source=place) from error


def _first_repeated(pairs: list[tuple[str, object]]) -> str:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    raise AssertionError  # only called where a key repeats


def _raise_first(value: object, path: tuple[str | int, ...], source: str) -> None:
    """Walk the tree, at most `max_depth` deep, to the first refused value."""
    if isinstance(value, _Fault):
        _refuse(value.why, path if value.key is None else (*path, value.key), source)
    elif isinstance(value, str):
        _check_surrogate(value, path, source)
    elif isinstance(value, dict):
        for key, member in value.items():
            _check_surrogate(key, (*path, key), source)
            _raise_first(member, (*path, key), source)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            _raise_first(member, (*path, index), source)


def _check_surrogate(text: str, path: tuple[str | int, ...], source: str) -> None:
    if any("\ud800" <= c <= "\udfff" for c in text):
        _refuse("a lone surrogate is not a character", path, source)


def _refuse(why: str, path: tuple[str | int, ...], source: str) -> NoReturn:
    raise WireError(why, pointer=pointer(path), source=source)


def _line_col(data: bytes, offset: int, source: str) -> str:
    line = data.count(b"\n", 0, offset) + 1
    col = offset - data.rfind(b"\n", 0, offset)
    return f"{source or '<json>'}:{line}:{col}"
