"""The providers that ship with the package: a static table, so that finding one imports nothing."""

from typing import Final, NamedTuple

from tappass_host.sdk.contract import Position


class Builtin(NamedTuple):
    """One provider of this tree. Its package follows from its position and id."""

    position: Position
    aliases: tuple[str, ...] = ()


BUILTIN: Final[dict[str, Builtin]] = {
    "bubblewrap": Builtin("kernel"),
    "claude-code": Builtin("harness"),
    "decision-service": Builtin("host"),
    "egress-proxy": Builtin("host"),
    "k8s-netpol-gatekeeper": Builtin("kernel"),
    "llm-gateway-anthropic": Builtin("llm-gateway", aliases=("anthropic-gateway",)),
    "monty": Builtin("interpreter"),
    "openshell": Builtin("kernel"),
    "restricted-duckdb": Builtin("interpreter"),
    "slack-bot": Builtin("harness"),
}

ALIASES: Final[dict[str, str]] = {alias: name for name, entry in BUILTIN.items() for alias in entry.aliases}
# Ids and aliases that no other package can claim.
RESERVED: Final = frozenset(BUILTIN) | frozenset(ALIASES)


def package_of(provider_id: str) -> str:
    """The package of a built-in provider: folder names use underscores, ids hyphens."""
    position = BUILTIN[provider_id].position
    return ".".join(("tappass_host.providers", _folder(position), _folder(provider_id)))


def _folder(name: str) -> str:
    return name.replace("-", "_")
