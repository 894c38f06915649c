"""Signed documents other than policies: strict JSON bytes to a typed struct."""

import re
from typing import TypeVar

import msgspec

from tappass_host.policy.errors import SchemaError
from tappass_host.policy.wire import MAX_BYTES, pointer, printable, strict_json

T = TypeVar("T")

# How msgspec ends a message: " - at `$.roles.policy.keys[0]`"; a fault at the top has no ending.
_PLACE = re.compile(r" - at `(?:key` in `)?\$(?P<path>.*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[([0-9]+)\]")
_FIELD = re.compile(r"(?:missing required|contains unknown) field `(.*)`")


class Node(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every part of a signed document: immutable, unknown fields refused."""


def read(data: bytes, form: type[T], *, max_bytes: int = MAX_BYTES, source: str = "") -> T:
    """Parse a document of the given form.

    Raises:
        WireError: the bytes are not strict JSON.
        SchemaError: a field is missing, unknown or of the wrong type, with its JSON Pointer.
    """
    value = strict_json(data, max_bytes=max_bytes, source=source)
    try:
        return msgspec.convert(value, form, strict=True)
    except msgspec.ValidationError as error:
        message, where = _split(str(error))
        raise SchemaError(message, pointer=where, source=source) from error


def _split(text: str) -> tuple[str, str]:
    place = _PLACE.search(text)
    message = text[: place.start()] if place else text
    steps = [name or index for name, index in _STEP.findall(place["path"])] if place else []
    steps += _FIELD.findall(message)
    return printable(message), pointer(steps)
