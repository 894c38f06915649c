"""What stands in the way of a proof that one policy is narrower than another."""

from collections.abc import Iterable
from typing import NamedTuple

from tappass_host.policy.actions import Action

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


def missing(new: Iterable[str], old: Iterable[str]) -> list[str]:
    """What the old list has and the new one has not."""
    there = set(new)
    return [entry for entry in old if entry not in there]
