"""Reads managed settings back: for now only the rules about files, MCP tools and single tools."""

from collections.abc import Sequence
from typing import Any

from tappass_host.policy.actions import Action
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.reader import Ruling


class Native:
    """One installation's settings."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def permits(self, action: Action) -> Ruling | None:
        """The ruling on an action, or None where the rules have no say."""
        del action
        return None


def read(artifacts: Sequence[Artifact]) -> Native:
    """Take the settings document as it is."""
    return Native(next(a.doc for a in artifacts if a.id == "settings"))  # type: ignore[arg-type]
