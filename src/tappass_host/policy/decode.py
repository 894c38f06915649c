"""Bytes to `Policy`: strict JSON, then the schema, then the grammars. Pure; every refusal names its place."""

import re
from typing import Final, TypeVar

import msgspec

from tappass_host.policy.errors import SchemaError
from tappass_host.policy.model import Policy
from tappass_host.policy.validate import check_grammar, check_meaning
from tappass_host.policy.wire import strict_json

T = TypeVar("T")

# msgspec ends its messages with " - at `$.a.b[0]`"; `[...]` stands for any value of a mapping.
_PLACE: Final = re.compile(r" - at `(?:key` in `)?(\$[^`]*)`$")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def decode_policy(data: bytes, *, source: str = "") -> Policy:
    """Decode a Compiled Policy.

    Raises:
        WireError: the bytes are not strict JSON.
        SchemaError: a field is unknown, missing or of the wrong type.
        GrammarError: an entry does not follow its grammar.
    """
    return policy_of(strict_json(data, source=source), source=source)


def policy_of(document: object, *, source: str = "") -> Policy:
    """The same, from JSON that is already decoded."""
    policy = convert(document, Policy, source=source)
    check_grammar(policy)
    check_meaning(policy)
    return policy


def convert(document: object, kind: type[T], *, source: str = "") -> T:
    """Decode plain JSON values into a Struct.

    Raises:
        SchemaError: with the JSON Pointer of what is wrong.
    """
    try:
        return msgspec.convert(document, kind, strict=True)
    except msgspec.ValidationError as error:
        raise _schema_error(str(error), source) from None


def _schema_error(text: str, source: str) -> SchemaError:
    place = _PLACE.search(text)
    message = text[: place.start()] if place else text
    pointer = to_pointer(place.group(1)) if place else ""
    remedy = "remove it; schema v1 has no such field" if "unknown field" in message else ""
    return SchemaError(message, pointer=pointer, source=source, remedy=remedy)


def to_pointer(path: str) -> str:
    """Turn `$.a[0].b` of msgspec into a JSON Pointer; a mapping's unknown key reads `*`."""
    steps = (name or ("*" if index == "..." else index) for name, index in _STEP.findall(path))
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
