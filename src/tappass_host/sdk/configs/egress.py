"""Configuration of the egress proxy, schema `tappass.egress-proxy/v1`.

Rendered by the provider `egress-proxy` and the only thing the proxy runs from. Domain and CIDR
texts follow `policy.grammar`; they are checked here, so that a bad rule never reaches a socket.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tappass_host.policy.errors import SchemaError
from tappass_host.policy.grammar.addresses import parse_cidr
from tappass_host.policy.grammar.domains import parse_domain
from tappass_host.policy.times import parse_instant
from tappass_host.sdk.configs.parts import Listen, Name, Node, PolicyRef, read_config

SCHEMA = "tappass.egress-proxy/v1"
# The catalogue of categories alone holds thousands of domains.
MAX_BYTES = 16 * 1024 * 1024
_TLS_PORT = 443
# Routing and framing stand on these.
_NEVER_INJECTED = frozenset(
    {"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)

Rules = tuple[Name, ...]
Header = Annotated[str, Meta(pattern=r"^([A-Za-z][A-Za-z0-9-]{0,63})?$")]
# Long enough that nobody writes one by chance.
Placeholder = Annotated[str, Meta(pattern=r"^([A-Za-z0-9_.:-]{16,128})?$")]


class Category(Node, frozen=True, kw_only=True):
    """One denied category with the domains it stood for when the policy was compiled."""

    category: Name
    domains: Rules


class Injection(Node, frozen=True, kw_only=True):
    """A secret that the proxy puts into plain HTTP requests, so that the sandbox never holds it.

    Args:
        env: the name of the secret in the policy; it stands in the audit.
        ref: where the value is: `file:/absolute/path` or `env:NAME`.
        domains: rules for the hosts it may be sent to, `network.allow_domains` apart.
        header: set to the value on every request there; the client's own is dropped.
        prefix: text before the value in that header, `"Bearer "`.
        placeholder: what the sandbox holds instead of the secret; replaced in any header value.
    """

    env: Name
    ref: Name
    domains: Rules
    header: Header = ""
    prefix: str = ""
    placeholder: Placeholder = ""

    def __post_init__(self) -> None:
        if not self.header and not self.placeholder:
            raise ValueError("needs header or placeholder")
        if self.header.lower() in _NEVER_INJECTED:
            raise ValueError(f"{self.header} is not a header that may carry a credential")
        if not self.prefix.isascii() or (self.prefix and not self.prefix.isprintable()):
            raise ValueError("prefix must be printable ASCII")


class Limits(Node, frozen=True, kw_only=True):
    """Bounds of one proxy process; together they bound its memory."""

    connections: Annotated[int, Meta(ge=1, le=65536)] = 1024
    header_bytes: Annotated[int, Meta(ge=1024, le=1048576)] = 32768
    hello_bytes: Annotated[int, Meta(ge=1024, le=65536)] = 16384
    idle_s: Annotated[int, Meta(ge=1, le=86400)] = 300
    handshake_s: Annotated[int, Meta(ge=1, le=300)] = 10


class EgressConfig(Node, frozen=True, kw_only=True):
    """The whole document.

    Args:
        allow: `network.allow_domains`.
        deny: `network.deny_domains`.
        category_deny: `network.deny_categories`, expanded.
        opaque: those entries of `allow` and `allow_cidrs`, each with a port other than 443, whose
            tunnels are not checked for TLS.
        ech: domains whose ClientHello may carry an encrypted name.
        inject: credentials for plain HTTP.
    """

    schema: Literal["tappass.egress-proxy/v1"]
    policy: PolicyRef
    sandbox: Name
    mode: Literal["enforce", "observe"]
    listen: Listen
    default: Literal["allow", "deny"]
    allow: Rules = ()
    deny: Rules = ()
    category_deny: tuple[Category, ...] = ()
    allow_cidrs: Rules = ()
    local: Literal["allow", "deny"]
    opaque: Rules = ()
    ech: Rules = ()
    inject: tuple[Injection, ...] = ()
    limits: Limits = Limits()


def decode(data: bytes, *, source: str = "") -> EgressConfig:
    """Read a rendered configuration.

    Raises:
        WireError: not strict JSON.
        SchemaError: unknown field, wrong type, missing listener.
        GrammarError: a domain, CIDR or instant that is none.
    """
    config = read_config(data, EgressConfig, max_bytes=MAX_BYTES, source=source)
    _check_rules(config)
    return config


def encode(config: EgressConfig) -> bytes:
    """Write a configuration; the inverse of `decode`, byte-identical for equal values."""
    return msgspec.json.encode(config, order="sorted")


def _check_rules(config: EgressConfig) -> None:
    parse_instant(config.policy.expires_at)
    listed = [group.domains for group in config.category_deny] + [entry.domains for entry in config.inject]
    for rules in (config.allow, config.deny, config.ech, *listed):
        for text in rules:
            parse_domain(text)
    for text in config.allow_cidrs:
        parse_cidr(text)
    for text in config.opaque:
        _check_opaque(config, text)


def _check_opaque(config: EgressConfig, text: str) -> None:
    if text in config.allow:
        port = parse_domain(text).port
    elif text in config.allow_cidrs:
        port = parse_cidr(text).port
    else:
        raise SchemaError(f"opaque entry {text} is in neither allow nor allow_cidrs", pointer="/opaque")
    if port in (None, _TLS_PORT):
        raise SchemaError(f"opaque entry {text} names no port other than 443", pointer="/opaque")
