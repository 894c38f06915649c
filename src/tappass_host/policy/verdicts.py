"""One check: what one aspect says about an action. `decide` picks among them."""

from typing import Final, Literal, NamedTuple

from tappass_host.policy.effect import Effect

Kind = Literal["deny", "constraint", "ask", "allow", "default", "unmanaged"]

# The kind of a rule by what it gives.
KIND_OF: Final[dict[Effect, Kind]] = {Effect.DENY: "deny", Effect.ASK: "ask", Effect.ALLOW: "allow"}


class Check(NamedTuple):
    """An effect, what kind of entry gave it, its statement and the reason in a few words."""

    effect: Effect
    kind: Kind
    statement: str
    reason: str


def unmanaged(aspect: str) -> Check:
    """The check of an aspect that the policy does not manage."""
    return Check(Effect.UNMANAGED, "unmanaged", "", f"{aspect} is unmanaged")
