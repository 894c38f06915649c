"""Reads an app's rendering back: the guard by its schema, the manifest by the scopes that Slack checks."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tappass_host.policy import actions as a
from tappass_host.policy.decide import decide
from tappass_host.policy.effect import Effect
from tappass_host.policy.errors import RenderError
from tappass_host.providers.harness.slack_bot.catalogue import slack_tool
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.configs.guard import GuardConfig, decode, rules
from tappass_host.sdk.document import escape
from tappass_host.sdk.reader import Ruling

_KEYS: Final = {
    "display_information": {"name"},
    "features": {"bot_user", "slash_commands"},
    "oauth_config": {"scopes"},
    "settings": {"event_subscriptions", "socket_mode_enabled", "token_rotation_enabled"},
}
_JUDGED: Final = (a.Tool, a.File, a.Connect, a.UnixConnect)


class Native:
    """What the guard and Slack together let a bot do."""

    def __init__(self, config: GuardConfig, scopes: frozenset[str]) -> None:
        self._config = config
        self._rules = rules(config)
        self._scopes = scopes

    def permits(self, action: a.Action) -> Ruling | None:
        """The ruling on what goes through a tool, or None; a call without its scope is refused by Slack."""
        if isinstance(action, a.Use) and action.resource == "budget.tool_calls_per_minute":
            return self._rate(action.amount)
        if action.surface != "tool" or not isinstance(action, _JUDGED):
            return None
        guarded = self._guard(action)
        if guarded is None or guarded.effect is Effect.DENY or not isinstance(action, a.Tool):
            return guarded
        native = slack_tool(action.name)
        if native is not None and not self._scopes.issuperset(native.scopes):
            return Ruling(Effect.DENY, "manifest#/oauth_config/scopes/bot")
        return guarded

    def _guard(self, action: a.Action) -> Ruling | None:
        decision = decide(self._rules, action)
        if decision.effect is Effect.UNMANAGED:
            return None
        asked = decision.effect is Effect.ASK and not self._config.approvals.channel
        return Ruling(Effect.DENY if asked else decision.effect, _place(decision.statement))

    def _rate(self, amount: int) -> Ruling | None:
        limit = self._config.calls_per_minute
        if limit is None:
            return None
        return Ruling(Effect.ALLOW if amount <= limit else Effect.DENY, "guard#/calls_per_minute")


_SCALARS: Final = ("default", "unknown", "local", "workspace")


def _place(statement: str) -> str:
    """Where in the document a statement stands."""
    path, _, entry = statement.partition("[")
    aspect, _, rest = path.partition(".")
    field, _, label = rest.partition(".")
    if field == "other":
        return f"guard#/{aspect}"
    if field in _SCALARS or field == "constraints":
        return f"guard#/{aspect}/{field}"
    inner = f"/{escape(label)}" if label else ""
    return f"guard#/{aspect}/{field}{inner}[{entry.removesuffix(']')}]"


def read(artifacts: Sequence[Artifact]) -> Native:
    """Parse a rendering.

    Raises:
        TappassError: the guard would not start with it, or Slack would not take the manifest.
    """
    found = {artifact.id: artifact.doc for artifact in artifacts}
    return Native(decode(msgspec.json.encode(found["guard"])), _scopes(found["manifest"]))


def _scopes(manifest: Any) -> frozenset[str]:
    if set(manifest) - set(_KEYS):
        raise RenderError(f"a Slack app manifest has no {sorted(set(manifest) - set(_KEYS))}")
    for section, keys in _KEYS.items():
        unknown = sorted(set(manifest.get(section, {})) - keys)
        if unknown:
            raise RenderError(f"a Slack app manifest has no {section}.{unknown[0]}")
    if not manifest["display_information"]["name"]:
        raise RenderError("a Slack app needs a name")
    return frozenset(manifest["oauth_config"]["scopes"]["bot"])
