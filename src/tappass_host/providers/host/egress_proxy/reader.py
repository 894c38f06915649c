"""Reads an egress proxy configuration back through the schema that the proxy itself uses."""

from collections.abc import Sequence

import msgspec

from tappass_host.policy import actions as a
from tappass_host.policy.effect import Effect
from tappass_host.policy.grammar.addresses import canonical_ip, local_kind, parse_cidr
from tappass_host.policy.grammar.domains import canonical_host, parse_domain
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.configs.egress import EgressConfig, decode
from tappass_host.sdk.reader import Ruling


class Native:
    """What one proxy forwards."""

    def __init__(self, config: EgressConfig) -> None:
        self._config = config

    def permits(self, action: a.Action) -> Ruling | None:
        """The ruling on a TCP connection; nothing else passes here."""
        if not isinstance(action, a.Connect) or action.protocol != "tcp":
            return None
        if self._config.mode == "observe":
            return Ruling(Effect.ALLOW, "egress#/mode")
        address = canonical_ip(action.host)
        if address is None:
            return self._name(action.host, action.port)
        if local_kind(address) is not None:
            return Ruling(Effect(self._config.local), "egress#/local")
        for text in self._config.allow_cidrs:
            if parse_cidr(text).matches(address, action.port):
                return Ruling(Effect.ALLOW, f"egress#/allow_cidrs[{text}]")
        return self._default()

    def _name(self, host: str, port: int) -> Ruling:
        for text in self._config.deny:
            if parse_domain(text).matches_deny(host, port):
                return Ruling(Effect.DENY, f"egress#/deny[{text}]")
        for group in self._config.category_deny:
            if any(parse_domain(text).matches_deny(host, port) for text in group.domains):
                return Ruling(Effect.DENY, "egress#/category_deny")
        name = canonical_host(host) or ""
        if name == "localhost" or name.endswith(".localhost"):
            return Ruling(Effect(self._config.local), "egress#/local")
        for text in self._config.allow:
            if parse_domain(text).matches_allow(host, port):
                return Ruling(Effect.ALLOW, f"egress#/allow[{text}]")
        return self._default() if name else Ruling(Effect.DENY, "egress#/default")

    def _default(self) -> Ruling:
        return Ruling(Effect(self._config.default), "egress#/default")


def read(artifacts: Sequence[Artifact]) -> Native:
    """Parse a rendering with the proxy's own decoder.

    Raises:
        TappassError: the proxy would not start with it.
    """
    doc = next(artifact.doc for artifact in artifacts if artifact.id == "egress")
    return Native(decode(msgspec.json.encode(doc)))
