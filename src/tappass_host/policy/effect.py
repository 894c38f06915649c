"""The three verdicts and their order, and the word for "we promise nothing"."""

from enum import StrEnum


class Effect(StrEnum):
    """What a policy says of an action. `UNMANAGED` is not "allow": nothing is promised or compared."""

    ALLOW = "allow"
    UNMANAGED = "unmanaged"
    ASK = "ask"
    DENY = "deny"

    @property
    def strictness(self) -> int:
        """Deny beats ask beats unmanaged beats allow: an allow needs all aspects managed."""
        return _ORDER[self]


_ORDER = {Effect.ALLOW: 0, Effect.UNMANAGED: 1, Effect.ASK: 2, Effect.DENY: 3}


def strictest(*effects: Effect) -> Effect:
    """The strictest of one or more effects."""
    return max(effects, key=_ORDER.__getitem__)
