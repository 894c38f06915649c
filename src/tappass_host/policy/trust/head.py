"""The fields of a policy that trust depends on, read by plain look-up.

They are read before and apart from the full schema, so that a policy for somebody else, or
of a schema that this version does not know, is refused for that reason and not for its
first unknown field.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from tappass_host.policy.errors import GrammarError, SchemaError
from tappass_host.policy.times import parse_instant
from tappass_host.policy.trust.audience import Audience
from tappass_host.policy.wire import pointer

SCHEMA = "tappass.compiled-policy/v1"

T = TypeVar("T")
_AUDIENCE_FIELDS = frozenset({"sandbox_id", "host_class", "labels"})


class Head(msgspec.Struct, frozen=True):
    """The head of a policy; instants as Unix seconds."""

    version: int
    org_id: str
    project_id: str
    audience: Audience
    not_before: int
    expires_at: int
    retain_until: int | None
    runtimes: Mapping[str, str]


def read_head(document: object, *, source: str = "") -> Head:
    """Read the head of a decoded policy.

    Raises:
        SchemaError: another schema, or a field is missing or of the wrong type.
        GrammarError: an instant is not one.
    """
    try:
        return _read(document)
    except (SchemaError, GrammarError) as error:
        error.at(source=source)
        raise


def _read(document: object) -> Head:
    if not isinstance(document, dict):
        raise SchemaError("a policy is a JSON object")
    if (schema := _field(document, "schema", str)) != SCHEMA:
        remedy = "a newer schema needs a newer tappass-host"
        raise SchemaError(f"schema is not {SCHEMA}: {schema!r}", pointer="/schema", remedy=remedy)
    version = _field(document, "version", int)
    if version < 1:
        raise SchemaError("versions start at 1", pointer="/version")
    if not (org_id := _field(document, "org_id", str)):
        raise SchemaError("names no organisation", pointer="/org_id")
    return Head(
        version=version,
        org_id=org_id,
        project_id=_field(document, "project_id", str) if "project_id" in document else "",
        audience=_audience(_field(document, "audience", dict)),
        not_before=_instant(document, "not_before"),
        expires_at=_instant(document, "expires_at"),
        retain_until=_retain_until(document),
        runtimes=_texts(_field(document, "runtimes", dict), "runtimes"),
    )


def _retain_until(document: Mapping[str, object]) -> int | None:
    """Give the end of retention, or None where expiry means lock-down."""
    match document.get("on_expiry", "lockdown"):
        case "lockdown":
            return None
        case "retain":
            return _instant(document, "retain_until")
        case _:
            raise SchemaError("neither lockdown nor retain", pointer="/on_expiry")


def _audience(fields: Mapping[str, object]) -> Audience:
    # An unknown field may well narrow the audience: ignoring it would bind the wrong host.
    for name in sorted(fields.keys() - _AUDIENCE_FIELDS):
        raise SchemaError("unknown field", pointer=pointer(["audience", name]))
    labels = fields.get("labels", {})
    if not isinstance(labels, dict):
        raise SchemaError("not an object", pointer="/audience/labels")
    texts = _texts({name: value for name, value in fields.items() if name != "labels"}, "audience")
    return Audience(**texts, labels=_texts(labels, "audience", "labels"))


def _instant(document: Mapping[str, object], name: str) -> int:
    try:
        return parse_instant(_field(document, name, str))
    except GrammarError as error:
        error.at(pointer=pointer([name]))
        raise


def _field(document: Mapping[str, object], name: str, kind: type[T]) -> T:
    if name not in document:
        raise SchemaError(f"missing field {name}", pointer=pointer([name]))
    value = document[name]
    # bool is a subclass of int in Python, and `true` is no version.
    if not isinstance(value, kind) or isinstance(value, bool):
        raise SchemaError(f"not of type {kind.__name__}", pointer=pointer([name]))
    return value


def _texts(table: Mapping[str, object], *place: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in table.items():
        if not isinstance(value, str):
            raise SchemaError("not a string", pointer=pointer([*place, name]))
        texts[name] = value
    return texts
