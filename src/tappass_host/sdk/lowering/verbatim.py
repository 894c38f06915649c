"""Rules for a target that judges by the policy's own grammar: our guard, and nothing else so far.

Nothing is translated, so nothing is lost; what the target makes of a rule is for its provider to claim.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from msgspec import to_builtins

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.canonical import canonical_entry
from tappass_host.policy.statements import Statement
from tappass_host.sdk.claims import Item
from tappass_host.sdk.document import escape

Aspect = Literal["tools", "filesystem", "network"]
_SCALARS: Final = ("default", "unknown", "local", "workspace")
_LABELLED: Final = ("deny_if_tainted", "taint_sources")


class Place(NamedTuple):
    """The value of an item: where it goes in a document that holds whole aspects, and what goes there."""

    pointer: str
    value: object


def lower_verbatim(policy: EffectivePolicy, aspect: Aspect) -> list[Item]:
    """One item for each statement of an aspect; empty where it is unmanaged.

    Ops: `set` (a scalar or a constraint), `add` (an entry of a list), `credit` (the aspect as such says it).
    """
    said = [s for s in policy.statements if s.aspect == aspect and s.field != "tools.constraints"]
    return [*(_item(aspect, statement) for statement in said), *_constraints(policy, aspect)]


def _item(aspect: str, statement: Statement) -> Item:
    name, origins = statement.field.removeprefix(f"{aspect}."), (statement.id,)
    if name in _SCALARS:
        return Item("set", Place(f"/{aspect}/{name}", statement.entry), origins)
    if name == "other":
        return Item("credit", Place(f"/{aspect}", None), origins)
    label = ""
    if name in _LABELLED:
        # A label holds no `[`; a rule may.
        label = "/" + escape(statement.id.removeprefix(f"{statement.field}.").partition("[")[0])
    return Item("add", Place(f"/{aspect}/{name}{label}", statement.entry), origins)


def _constraints(policy: EffectivePolicy, aspect: Aspect) -> Iterator[Item]:
    node = policy.doc.tools if aspect == "tools" else None
    for tool, arguments in sorted(node.constraints.items()) if node else ():
        for argument, constraint in sorted(arguments.items()):
            entry = canonical_entry("tools.constraints", constraint)
            place = Place(f"/tools/constraints/{escape(tool)}/{escape(argument)}", to_builtins(constraint))
            yield Item("set", place, (f"tools.constraints.{tool}.{argument}[{entry}]",))
