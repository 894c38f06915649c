"""Numbers: limits of processes, interpreters and budgets. A target holds a field or does not."""

from collections.abc import Mapping
from typing import NamedTuple

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.sdk.claims import Item


class LimitFeatures(NamedTuple):
    """Which fields of one aspect a target holds.

    Attributes:
        aspect: `process`, `interpreter` or `budget`.
        holds: field -> a named loss, or `` where the field is held exactly.
        why: why the others are not held, by field, or one reason under `*`.
        fields: only these fields, where a target holds some here and some elsewhere; all if empty.
    """

    aspect: str
    holds: Mapping[str, str]
    why: Mapping[str, str]
    fields: tuple[str, ...] = ()


class Limit(NamedTuple):
    """The value of an item: a field of the aspect and its number, in the policy's unit."""

    field: str
    number: int


def lower_limits(policy: EffectivePolicy, features: LimitFeatures) -> list[Item]:
    """One item per number of the aspect, op `limit`, value a `Limit`; empty where unmanaged."""
    node = getattr(policy.doc, features.aspect)
    if node is None:
        return []
    items = []
    for field in features.fields or node.__struct_fields__:
        value = getattr(node, field)
        if type(value) is int:
            items.append(_item(policy, features, field, value))
    return items


def _item(policy: EffectivePolicy, f: LimitFeatures, field: str, value: int) -> Item:
    origins = (policy.id(f"{f.aspect}.{field}"),)
    if field in f.holds:
        return Item("limit", Limit(field, value), origins, loss=f.holds[field])
    return Item("limit", Limit(field, value), origins, refused=f.why.get(field) or f.why["*"])
