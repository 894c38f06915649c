"""What the join looks at: the rendered uses, who encloses and serves whom, and what each one permits."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from tappass_host.policy.actions import Action
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.surfaces import Surface
from tappass_host.sdk.claims import Claim
from tappass_host.sdk.facts import Answer
from tappass_host.sdk.reader import Ruling


class Member(NamedTuple):
    """One use, as far as the join is concerned.

    Attributes:
        names: id and aliases of its provider: what a `Component` requirement may name.
        permits: the ruling of its reader; None where it has no say, or no reader.
    """

    id: str
    names: frozenset[str]
    brings: tuple[Surface, ...]
    claims: tuple[Claim, ...]
    policy: EffectivePolicy
    facts: dict[str, Answer]
    enclosers: tuple[str, ...]
    permits: Callable[[Action], Ruling | None]


class System:
    """The uses of one Runtime, in rendering order, and which service serves which use."""

    def __init__(self, members: Iterable[Member], wired: frozenset[tuple[str, str]]) -> None:
        self.members = {member.id: member for member in members}
        self.wired = wired
        self.components = frozenset(name for member in self.members.values() for name in member.names)
        self._scopes = {use: self._scope(use) for use in self.members}

    def scope(self, use: str) -> tuple[str, ...]:
        """The uses whose surfaces a claim of this use counts on: itself, what it encloses, what it serves."""
        return self._scopes[use]

    def services_of(self, use: str) -> tuple[str, ...]:
        """The services a use is wired to."""
        return tuple(service for service in self.members if (service, use) in self.wired)

    def _scope(self, use: str) -> tuple[str, ...]:
        return tuple(
            key
            for key, member in self.members.items()
            if key == use or use in member.enclosers or (use, key) in self.wired
        )
