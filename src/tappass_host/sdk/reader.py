"""What a provider's reader returns: the target's own rules, parsed back strictly, and what they permit.

A reader is written from the vendor's rules and never imports the provider: it is the second, independent
opinion that the conformance kit compares with `decide`.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tappass_host.policy.actions import Action
from tappass_host.policy.effect import Effect
from tappass_host.sdk.artifacts import Artifact


class Ruling(NamedTuple):
    """What the native rules do with an action, and which entry says so (empty: the target's own default)."""

    effect: Effect
    locator: str = ""


class Native(Protocol):
    """A parsed native configuration."""

    def permits(self, action: Action) -> Ruling | None:
        """The ruling, or None where this target has no say over the action."""
        ...


class Reader(Protocol):
    """The module a reader is."""

    def read(self, artifacts: Sequence[Artifact]) -> Native:
        """Parse strictly; raise `RenderError` on anything the target would not take."""
        ...
