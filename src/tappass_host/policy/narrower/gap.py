"""What stands in the way of a proof that one policy is narrower than another."""

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, NamedTuple, TypeVar

from tappass_host.policy.actions import Action

R = TypeVar("R", bound=Hashable)

STRICTNESS = {
    "deny": 2,
    "off": 2,
    "ask": 1,
    "read_only": 1,
    "allow": 0,
    "allowlist": 0,
    "enforce": 1,
    "observe": 0,
    "lockdown": 1,
    "retain": 0,
    "warn": 0,
}


class Gap(NamedTuple):
    """A statement of the new policy that grants, or of the old one that is gone, and why it matters.

    `actions` are candidates for an action that only the new policy permits.
    """

    statement: str
    why: str
    actions: tuple[Action, ...] = ()


def gap(statement: str, why: str, *actions: Action | None) -> Gap:
    """Build a gap, leaving out candidates that could not be made."""
    return Gap(statement, why, tuple(action for action in actions if action is not None))


def looser(new: str, old: str) -> bool:
    """True if a word permits more than another of its field."""
    return STRICTNESS[new] < STRICTNESS[old]


class Covering(Generic[R]):
    """Rules that may cover others. Most rules of two versions are equal, so first comes a look-up."""

    def __init__(self, rules: Iterable[R], covers: Callable[[R, R], bool]) -> None:
        self.rules = tuple(rules)
        self.same = frozenset(self.rules)
        self.covers = covers

    def holds(self, rule: R) -> bool:
        """True if one rule is proven to cover this one."""
        return rule in self.same or any(self.covers(other, rule) for other in self.rules)


def missing(new: Iterable[str], old: Iterable[str]) -> list[str]:
    """What the old list has and the new one has not."""
    there = set(new)
    return [entry for entry in old if entry not in there]
