"""The shape of authored YAML, derived from the model: what may be written where, and how it is keyed.

A field that the model gains is at once known to the loader; the cascade then refuses to start without a rule
for it (see `cascade_rules`).
"""

from collections.abc import Mapping
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from tappass_host.policy import model

# What a level may say beside the aspects. All other fields of the head come with the compilation.
HEAD_FIELDS = ("mode", "on_expiry", "retain_until", "freshness", "params", "compliance_tags", "extensions")

# Lists of these are written as lists but are really tables: merged by this field, never by position.
_KEYS: Mapping[type, str] = {
    model.McpServer: "id",
    model.Source: "id",
    model.View: "name",
    model.Upstream: "id",
    model.Secret: "env",
}
# Taken or left as a whole: half a transport or half a price means nothing.
_WHOLE = (model.Transport, model.Price, model.Redact)


class Leaf(NamedTuple):
    """One value of a type, with its place."""

    type: Any


class Items(NamedTuple):
    """A list of values of a type."""

    type: Any


class Fields(NamedTuple):
    """A mapping with known keys. `key` names the field that tells one row of a table from another."""

    fields: dict[str, "Shape"]
    key: str = ""


class Table(NamedTuple):
    """Rows of one shape by free keys, written as a list of rows (`row.key` set) or as a mapping."""

    row: "Shape"

    @property
    def as_list(self) -> bool:
        """True if authors write a list."""
        return isinstance(self.row, Fields) and bool(self.row.key)


Shape = Leaf | Items | Fields | Table


@lru_cache(maxsize=1)
def policy_shape() -> Fields:
    """The shape of a level, without `level`, `id` and `extends`."""
    names = (*HEAD_FIELDS, *model.ASPECTS)
    types = {f.name: f.type for f in msgspec.structs.fields(model.Policy)}
    return Fields({name: _shape(types[name]) for name in names})


@lru_cache(maxsize=1)
def document_shape() -> Fields:
    """The shape of a whole Compiled Policy, but for the tables that speak about its statements."""
    skipped = ("provenance", "annotations", "compliance_tags", "chain")
    fields = msgspec.structs.fields(model.Policy)
    return Fields({f.name: _shape(f.type) for f in fields if f.name not in skipped})


def shape_at(field: str) -> Shape:
    """The shape of a dotted path without entries, e.g. `mcp.servers.tools.allow`."""
    shape: Shape = policy_shape()
    for name in field.split("."):
        while isinstance(shape, Table):
            shape = shape.row
        assert isinstance(shape, Fields)
        shape = shape.fields[name]
    return shape


def _shape(kind: Any) -> Shape:
    kind = _bare(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        row = _bare(arguments[0])
        return Table(_struct(row)) if row in _KEYS else Items(arguments[0])
    if origin is dict:
        return Table(_shape(arguments[1]))
    if _is_struct(kind) and kind not in _WHOLE and issubclass(kind, model.Node):
        return _struct(kind)
    return Leaf(kind)


def _struct(kind: Any) -> Fields:
    return Fields({f.name: _shape(f.type) for f in msgspec.structs.fields(kind)}, _KEYS.get(kind, ""))


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _bare(kind: Any) -> Any:
    """A type without what says only that it may be absent: `Annotated`, and None in a union of structs."""
    if get_origin(kind) is Annotated:
        inner = get_args(kind)[0]
        return inner if get_origin(inner) in (tuple, dict, Literal) or _is_struct(inner) else kind
    if get_origin(kind) in (Union, UnionType):
        members = [m for m in get_args(kind) if m is not type(None)]
        return _bare(members[0]) if len(members) == 1 else kind
    return kind
