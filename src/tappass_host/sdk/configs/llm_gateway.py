"""Configuration of the LLM gateway, schema `tappass.llm-gateway/v1`: one schema for every vendor's API.

Rendered by the `llm-gateway-*` providers and the only thing that the gateway runs from. What is not listed is
refused: a route, a model where `models.default` is deny, a model without a price where dollars are counted.
Secrets are references; the gateway drops the credential of the client and adds its own.
"""

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from tappass_host.policy.decode import to_pointer
from tappass_host.policy.errors import SchemaError
from tappass_host.policy.times import parse_instant
from tappass_host.sdk.configs.parts import Listen, Name, Names, Node, PolicyRef, read_config

SCHEMA = "tappass.llm-gateway/v1"
MAX_BYTES = 4 * 1024 * 1024

Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Api = Literal["anthropic", "openai", "vertex"]
# What the gateway can find in a request or an answer: forms with a check, no guessing.
Detector = Literal[
    "aws_access_key",
    "credit_card",
    "email",
    "github_token",
    "iban",
    "ip_address",
    "jwt",
    "phone",
    "private_key",
    "us_ssn",
]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$", max_length=4096)]
HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]
# A literal path, where a segment that is one `*` stands for any single segment.
RoutePath = Annotated[str, Meta(pattern=r"^(/([A-Za-z0-9._~:-]+|\*))+$", max_length=512)]
# Model names end in at most one star, as in the policy.
ModelName = Annotated[str, Meta(pattern=r"^[^\s*]+\*?$", max_length=128)]


class Credential(Node, frozen=True, kw_only=True):
    """What the gateway adds to a request: `header: prefix + value of ref`."""

    header: HeaderName
    ref: Name
    prefix: Annotated[str, Meta(pattern=r"^[ -~]*$", max_length=64)] = ""


class Upstream(Node, frozen=True, kw_only=True):
    """Where requests are sent. Without `auth` the credential of the client is passed on."""

    id: Name
    kind: Api
    base_url: Url
    auth: Credential | None = None


class Route(Node, frozen=True, kw_only=True):
    """One method and path that is served, and the policy's name for it."""

    route: Name
    method: Literal["GET", "POST", "DELETE"]
    path: RoutePath


class Models(Node, frozen=True, kw_only=True):
    """Which models may be asked. A deny beats an allow; a trailing `*` matches any rest."""

    default: Literal["allow", "deny"]
    allow: tuple[ModelName, ...] = ()
    deny: tuple[ModelName, ...] = ()


class Price(Node, frozen=True, kw_only=True):
    """Micro-dollars per million tokens."""

    input: Count
    output: Count
    cache_read: Count = 0
    cache_write: Count = 0


class Budget(Node, frozen=True, kw_only=True):
    """What one agent may use up, over all its sandboxes. Days and months are UTC, dollars micro-dollars.

    Args:
        agent: whom it is counted for.
        ledger: file in which use is kept across restarts.
        count_cached: whether cached input tokens count like others.
        tool_calls_per_minute: tool calls asked for in answers of a model.
    """

    agent: Name
    ledger: str
    count_cached: bool = True
    tokens_per_day: Count | None = None
    tokens_per_call: Count | None = None
    dollars_per_month: Count | None = None
    tool_calls_per_minute: Count | None = None


class Redaction(Node, frozen=True, kw_only=True):
    """One detector; entries apply in order."""

    detector: Detector
    action: Literal["mask", "block"]
    direction: Literal["request", "response", "both"]


class Limits(Node, frozen=True, kw_only=True):
    """Bounds of one gateway process. `holdback_bytes` of a stream wait, so that a match is seen whole."""

    connections: Annotated[int, Meta(ge=1, le=65536)] = 1024
    request_bytes: Annotated[int, Meta(ge=1024, le=256 * 1024 * 1024)] = 32 * 1024 * 1024
    holdback_bytes: Annotated[int, Meta(ge=64, le=65536)] = 256
    idle_s: Annotated[int, Meta(ge=1, le=86400)] = 600


class GatewayConfig(Node, frozen=True, kw_only=True):
    """The whole document.

    Args:
        public_url: how clients call the gateway; a request for another Host is refused.
        upstreams: the first is used for what names none; empty means that nothing is sent anywhere.
        routes: everything else is refused, whatever the upstream would make of it.
        forward: headers of the client that are passed on; all others are dropped.
    """

    schema: Literal["tappass.llm-gateway/v1"]
    policy: PolicyRef
    api: Api
    sandbox: Name
    mode: Literal["enforce", "observe"]
    listen: Listen
    public_url: Url
    upstreams: tuple[Upstream, ...]
    routes: tuple[Route, ...]
    models: Models
    budget: Budget
    prices: dict[ModelName, Price] = msgspec.field(default_factory=dict)
    redact: tuple[Redaction, ...] = ()
    forward: tuple[HeaderName, ...] = ()
    limits: Limits = Limits()


def decode(data: bytes, *, source: str = "") -> GatewayConfig:
    """Read a rendered configuration.

    Raises:
        WireError: not strict JSON.
        SchemaError: unknown field, wrong type, two upstreams of one id, a credential over plain HTTP.
        GrammarError: an instant that is none.
    """
    config = read_config(data, GatewayConfig, max_bytes=MAX_BYTES, source=source)
    parse_instant(config.policy.expires_at)
    _check_upstreams(config, source)
    return config


def encode(config: GatewayConfig) -> bytes:
    """Write a configuration; the inverse of `decode`, byte-identical for equal values."""
    return msgspec.json.encode(config, order="sorted")


def names(pattern: str, model: str) -> bool:
    """Whether a model name of the configuration stands for a model."""
    return model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern


def priced(prices: dict[str, Price], model: str) -> Price | None:
    """The price of a model: its own entry, else that of the longest prefix."""
    fitting = [pattern for pattern in prices if names(pattern, model)]
    return prices[max(fitting, key=lambda p: (not p.endswith("*"), len(p)))] if fitting else None


def keeps_secrets(url: str) -> bool:
    """Whether a credential may be sent there: over TLS, or without leaving the machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in ("127.0.0.1", "::1", "localhost")


def _check_upstreams(config: GatewayConfig, source: str) -> None:
    seen: Names = ()
    for index, upstream in enumerate(config.upstreams):
        at = to_pointer(f"$.upstreams[{index}]")
        if upstream.id in seen:
            raise SchemaError(f"two upstreams are called {upstream.id}", pointer=f"{at}/id", source=source)
        if upstream.kind != config.api:
            raise SchemaError(
                f"{upstream.kind} behind a gateway for {config.api}", pointer=f"{at}/kind", source=source
            )
        if upstream.auth is not None and not keeps_secrets(upstream.base_url):
            raise SchemaError(
                "a credential would cross the network in the clear",
                pointer=f"{at}/base_url",
                source=source,
                remedy="use https, or a loopback address",
            )
        seen += (upstream.id,)
