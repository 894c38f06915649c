"""Reads a gateway configuration back through the schema that the gateway itself uses."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from tappass_host.policy import actions as a
from tappass_host.policy.effect import Effect
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.configs.llm_gateway import GatewayConfig, decode, names, priced
from tappass_host.sdk.reader import Ruling


class Native:
    """What one gateway forwards."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config

    def permits(self, action: a.Action) -> Ruling | None:
        """The ruling on a request to a model, and on what it uses up; nothing else passes here."""
        rule = _RULES.get(type(action))
        return rule(self, action) if rule else None

    def model(self, action: a.ModelCall) -> Ruling:
        """A denied model, a closed route, the list of models, a price, an upstream: in this order."""
        config = self._config
        for name in config.models.deny:
            if names(name, action.model):
                return _deny(f"/models/deny[{name}]")
        if all(route.route != action.route for route in config.routes):
            return _deny("/routes")
        listed = next((name for name in config.models.allow if names(name, action.model)), None)
        if listed is None and config.models.default == "deny":
            return _deny("/models/default")
        if config.budget.dollars_per_month is not None and priced(config.prices, action.model) is None:
            return _deny("/budget/dollars_per_month")
        if not config.upstreams:
            return _deny("/upstreams")
        return _allow("/models/default" if listed is None else f"/models/allow[{listed}]")

    def use(self, action: a.Use) -> Ruling | None:
        """An amount against a limit of the budget."""
        aspect, _, field = action.resource.partition(".")
        limit = getattr(self._config.budget, field) if aspect == "budget" else None
        if limit is None:
            return None
        return (_allow if action.amount <= limit else _deny)(f"/budget/{field}")


_RULES: Final[dict[type, Callable[..., Ruling | None]]] = {a.ModelCall: Native.model, a.Use: Native.use}


def _allow(pointer: str) -> Ruling:
    return Ruling(Effect.ALLOW, f"gateway#{pointer}")


def _deny(pointer: str) -> Ruling:
    return Ruling(Effect.DENY, f"gateway#{pointer}")


def read(artifacts: Sequence[Artifact]) -> Native:
    """Parse a rendering with the gateway's own decoder.

    Raises:
        TappassError: the gateway would not start with it.
    """
    doc = next(artifact.doc for artifact in artifacts if artifact.id == "gateway")
    return Native(decode(msgspec.json.encode(doc)))
