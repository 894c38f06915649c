"""An aspect of which a target has nothing: every restriction holds by itself, and no grant works.

An engine without files or sockets, or a box without a network, needs no rules about them; it still has to
answer for every statement.
"""

from collections.abc import Iterable
from typing import Final

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.statements import Statement
from tappass_host.sdk.claims import Item

# Restrictions that leave something open: to shut all of it forbids more than they say.
_HALF_OPEN: Final = frozenset({"ask", "read_only"})


def lower_closed(policy: EffectivePolicy, aspect: str, why: str, *, fields: Iterable[str] = ()) -> list[Item]:
    """One item per statement: op `shut`, to be credited to whatever closes the target; grants are refused.

    Args:
        policy: the policy.
        aspect: the aspect of which there is nothing; no items where it is unmanaged.
        why: why its grants do not work here.
        fields: only statements of these fields (`interpreter.env`); all of the aspect if empty.
    """
    only = frozenset(fields)
    mine = (s for s in policy.statements if s.aspect == aspect and (not only or s.field in only))
    return [_item(statement, why) for statement in mine]


def _item(said: Statement, why: str) -> Item:
    item = Item("shut", said.entry, (said.id,))
    if said.polarity == "grant":
        return item._replace(refused=why)
    # `filesystem.read_only` and `tools.ask` are such words too, as fields.
    words = {said.entry, said.field.rpartition(".")[2]}
    return item._replace(fidelity="stricter") if words & _HALF_OPEN else item
