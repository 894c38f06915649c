"""What the policy says about one destination: deny beats category beats allow beats default.

Names are looked up by their suffixes, so that thousands of category domains cost no more than ten.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tappass_host.dataplane.egress.tls import Hello
from tappass_host.policy.grammar.addresses import Address, CidrRule, canonical_ip, local_kind, parse_cidr
from tappass_host.policy.grammar.domains import DomainRule, canonical_host, parse_domain
from tappass_host.sdk.configs.egress import EgressConfig

# RFC 6761 section 6.3: these names are loopback by definition, whatever a resolver says.
_LOCALHOST = "localhost"


class Verdict(NamedTuple):
    """What was decided, by which statement of the policy, and in words.

    Args:
        opaque: a tunnel that is allowed need not carry TLS.
    """

    allowed: bool
    rule: str
    why: str
    opaque: bool = False


class _Index:
    """Domain rules by the name they end in, each with the statement it stands for."""

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        self._by_host: dict[str, list[tuple[DomainRule, str]]] = {}
        for text, statement in entries:
            rule = parse_domain(text)
            self._by_host.setdefault(rule.host, []).append((rule, statement))

    def near(self, host: str) -> Iterator[tuple[DomainRule, str]]:
        """Every rule that could match: those of the name itself and of each name above it."""
        while host:
            yield from self._by_host.get(host, ())
            host = host.partition(".")[2]


def canonical_target(host: str) -> str | None:
    """One spelling per destination: the address in its usual form, or the lower-case name; None: neither."""
    ip = canonical_ip(host)
    return canonical_host(host) if ip is None else str(ip)


class Rules:
    """The network aspect of one rendered policy, compiled for look-up."""

    def __init__(self, config: EgressConfig) -> None:
        self._deny = _Index((text, f"network.deny_domains[{text}]") for text in config.deny)
        self._category = _Index(
            (text, f"network.deny_categories[{group.category}]")
            for group in config.category_deny
            for text in group.domains
        )
        self._allow = _Index((text, text) for text in config.allow)
        self._ech = _Index((text, text) for text in config.ech)
        self._cidrs: list[tuple[CidrRule, str]] = [(parse_cidr(text), text) for text in config.allow_cidrs]
        self._opaque = frozenset(config.opaque)
        self._default = config.default
        self._local_rule = config.local

    def judge(self, host: str, port: int) -> Verdict:
        """Judge a canonical destination, before any name is resolved."""
        ip = canonical_ip(host)
        if ip is not None:
            return self._judge_literal(ip, port)
        for index, why in ((self._deny, "a denied domain"), (self._category, "in a denied category")):
            for rule, statement in index.near(host):
                if rule.matches_deny(host, port):
                    return Verdict(allowed=False, rule=statement, why=why)
        if host == _LOCALHOST or host.endswith("." + _LOCALHOST):
            return self._local("a name of this machine")
        hits = [text for rule, text in self._allow.near(host) if rule.matches_allow(host, port)]
        if hits:
            return self._granted("network.allow_domains", hits)
        return self._by_default("no allowed domain covers this host and port")

    def judge_address(self, address: str) -> Verdict | None:
        """Judge an address that a name resolved to; None: nothing against it."""
        ip = canonical_ip(address)
        if ip is None:
            return Verdict(allowed=False, rule="", why="the resolver gave something that is no address")
        kind = local_kind(ip)
        return self._local(f"a local address ({kind})") if kind and self._local_rule == "deny" else None

    def judge_hello(self, host: str, hello: Hello) -> Verdict | None:
        """Compare the name in a ClientHello with the host of the CONNECT; None: nothing against it."""
        expected = () if canonical_ip(host) is not None else (host.encode(),)
        if tuple(name.lower() for name in hello.names) != expected:
            return Verdict(allowed=False, rule="", why="the TLS server name is not the host of the CONNECT")
        if hello.hidden and not any(rule.matches_host(host) for rule, _ in self._ech.near(host)):
            return Verdict(
                allowed=False, rule="", why="the TLS ClientHello carries an encrypted server name (ECH)"
            )
        return None

    def _judge_literal(self, ip: Address, port: int) -> Verdict:
        if kind := local_kind(ip):
            return self._local(f"a local address ({kind})")
        hits = [text for rule, text in self._cidrs if rule.matches(ip, port)]
        if hits:
            return self._granted("network.allow_cidrs", hits)
        return self._by_default("an address that no allowed range covers")

    def _local(self, why: str) -> Verdict:
        """`local` alone decides about loopback, link-local, private and metadata addresses."""
        return Verdict(
            allowed=self._local_rule == "allow", rule=f"network.local[{self._local_rule}]", why=why
        )

    def _by_default(self, why: str) -> Verdict:
        return Verdict(allowed=self._default == "allow", rule=f"network.default[{self._default}]", why=why)

    def _granted(self, field: str, hits: list[str]) -> Verdict:
        opaque = any(text in self._opaque for text in hits)
        return Verdict(allowed=True, rule=f"{field}[{hits[0]}]", why="allowed", opaque=opaque)
