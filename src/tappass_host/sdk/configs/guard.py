"""Configuration of the guard in one process, schema `tappass.guard/v1`.

Rendered by the providers of frameworks and bots and the only thing that the guard decides from. Rules are in
the policy's own form and mean what `decide` says; an aspect that is not there is unmanaged.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Filesystem, Network, Policy, Tools
from tappass_host.policy.times import parse_instant
from tappass_host.policy.validate import check_grammar
from tappass_host.sdk.configs.parts import Name, Names, Node, PolicyRef, read_config

SCHEMA = "tappass.guard/v1"
MAX_BYTES = 4 * 1024 * 1024

EntryPoint = Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_.]*:[a-z_][a-z0-9_]*$", max_length=256)]


class Adapter(Node, frozen=True, kw_only=True):
    """How the guard gets into the process.

    Args:
        id: the framework's adapter.
        install: `module:function`, called with the path of this file.
        by: `process` installs before any code of the app runs, `app` trusts its author to call it.
    """

    id: Name
    install: EntryPoint
    by: Literal["process", "app"]


class Approvals(Node, frozen=True, kw_only=True):
    """Who is asked where a rule says ask. No channel: what would be asked is denied."""

    channel: str = ""
    timeout_s: Annotated[int, Meta(ge=1, le=86400)] = 300


class Tool(Node, frozen=True, kw_only=True):
    """One tool of the app that the policy leaves open: its name in rules, and what it is called natively."""

    tool: Name
    kind: Name
    native: Name
    scopes: Names = ()


class GuardConfig(Node, frozen=True, kw_only=True):
    """The whole document.

    Args:
        catalogue: tools that may be offered; a tool that is not there is judged all the same when called.
        calls_per_minute: tool calls of this agent; null for no limit.
    """

    schema: Literal["tappass.guard/v1"]
    policy: PolicyRef
    sandbox: Name
    mode: Literal["enforce", "observe"]
    adapter: Adapter
    approvals: Approvals = Approvals()
    catalogue: tuple[Tool, ...] = ()
    calls_per_minute: Annotated[int, Meta(ge=0)] | None = None
    tools: Tools | None = None
    filesystem: Filesystem | None = None
    network: Network | None = None


def decode(data: bytes, *, source: str = "") -> GuardConfig:
    """Read a rendered configuration.

    Raises:
        WireError: not strict JSON.
        SchemaError: an unknown field or a wrong type.
        GrammarError: a rule or an instant that is none.
    """
    config = read_config(data, GuardConfig, max_bytes=MAX_BYTES, source=source)
    parse_instant(config.policy.expires_at)
    check_grammar(_policy(config))
    return config


def encode(config: GuardConfig) -> bytes:
    """Write a configuration; the inverse of `decode`, byte-identical for equal values."""
    return msgspec.json.encode(config, order="sorted")


def rules(config: GuardConfig) -> EffectivePolicy:
    """The rules, to be asked by `decide`."""
    return EffectivePolicy(_policy(config), digest=config.policy.digest)


def _policy(config: GuardConfig) -> Policy:
    at = config.policy.expires_at
    return Policy(
        version=config.policy.version,
        issued_at=at,
        not_before=at,
        expires_at=at,
        mode=config.mode,
        org_id=config.sandbox,
        tools=config.tools,
        filesystem=config.filesystem,
        network=config.network,
    )
