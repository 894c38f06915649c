"""Reads a configuration of the decision service back, through the schema that the service itself uses."""

from collections.abc import Sequence
from typing import Final

import msgspec

from tappass_host.policy import actions as a
from tappass_host.policy.decide import decide
from tappass_host.policy.effect import Effect
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.configs.decision import DecisionConfig, decode, rules
from tappass_host.sdk.document import entry_text, escape
from tappass_host.sdk.reader import Ruling

_ASKED_ABOUT: Final = (a.Tool, a.McpCall, a.File, a.Connect, a.UnixConnect)
_SCALARS: Final = ("default", "unknown", "local", "workspace")


class Native:
    """What one service answers."""

    def __init__(self, config: DecisionConfig, document: object) -> None:
        self._config, self._document = config, document
        self._rules = rules(config)

    def permits(self, action: a.Action) -> Ruling | None:
        """The ruling on a call; None on what no hook asks about."""
        if isinstance(action, a.Use) and action.resource == "budget.tool_calls_per_minute":
            return self._rate(action.amount)
        if action.surface != "tool" or not isinstance(action, _ASKED_ABOUT):
            return None
        if isinstance(action, a.McpCall) and action.what in ("prompt", "feature"):
            return None
        decision = decide(self._rules, action)
        if decision.effect is Effect.UNMANAGED:
            return None
        unheard = decision.effect is Effect.ASK and self._config.approvals.route == "none"
        return Ruling(Effect.DENY if unheard else decision.effect, self._place(decision.statement))

    def _rate(self, amount: int) -> Ruling | None:
        limit = self._config.calls_per_minute
        if limit is None:
            return None
        return Ruling(Effect.ALLOW if amount <= limit else Effect.DENY, "decision#/calls_per_minute")

    def _place(self, statement: str) -> str:
        """Where in the document a statement stands."""
        path, _, entry = statement.partition("[")
        aspect, _, rest = path.partition(".")
        field, _, label = rest.partition(".")
        if path == "mcp.servers":
            return self._server(entry.partition("]")[0])
        if field == "other":
            return f"decision#/{aspect}"
        if field == "constraints":
            tool, _, argument = label.rpartition(".")
            return f"decision#/tools/constraints/{escape(tool)}/{escape(argument)}"
        if field in _SCALARS:
            return f"decision#/{aspect}/{field}"
        inner = f"/{escape(label)}" if label else ""
        return f"decision#/{aspect}/{field}{inner}[{entry.removesuffix(']')}]"

    def _server(self, name: str) -> str:
        """The entry of a server: all that is said of it stands there."""
        assert isinstance(self._document, dict)
        entry = next(s for s in self._document["mcp"]["servers"] if s["id"] == name)
        return f"decision#/mcp/servers[{entry_text(entry)}]"


def read(artifacts: Sequence[Artifact]) -> Native:
    """Parse a rendering with the service's own decoder.

    Raises:
        TappassError: the service would not start with it.
    """
    doc = next(artifact.doc for artifact in artifacts if artifact.id == "decision")
    return Native(decode(msgspec.json.encode(doc)), doc)
