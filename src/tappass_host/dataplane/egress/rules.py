"""What the policy says about one destination: deny beats category beats allow beats default.

Names are looked up by their suffixes, so that thousands of category domains cost no more than ten.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tappass_host.dataplane.egress.tls import Hello
from tappass_host.policy.grammar.addresses import Address, CidrRule, canonical_ip, local_kind, parse_cidr
from tappass_host.policy.grammar.domains import DomainRule, canonical_host, parse_domain
from tappass_host.sdk.configs.egress import EgressConfig


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
        self._local = config.local

    def judge(self, host: str, port: int) -> Verdict:
        """Judge a canonical destination, before any name is resolved."""
        ip = canonical_ip(host)
        if ip is not None:
            return self._judge_literal(ip, port)
        for index, why in ((self._deny, "a denied domain"), (self._category, "in a denied category")):
            for rule, statement in index.near(host):
                if rule.matches_deny(host, port):
                    return Verdict(allowed=False, rule=statement, why=why)
        hits = [text for rule, text in self._allow.near(host) if rule.matches_allow(host, port)]
        if hits:
            return self._allowed("network.allow_domains", hits)
        allowed = self._default == "allow"
        why = "allowed by default" if allowed else "no allowed domain covers this host and port"
        return Verdict(allowed=allowed, rule=f"network.default[{self._default}]", why=why)

    def judge_address(self, address: str) -> Verdict | None:
        """Judge an address that a name resolved to; None: nothing against it."""
        ip = canonical_ip(address)
        if ip is None:
            return Verdict(allowed=False, rule="", why="the resolver gave something that is no address")
        return self._judge_local(ip)

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

    def _judge_local(self, ip: Address) -> Verdict | None:
        kind = local_kind(ip)
        if kind is None or self._local == "allow":
            return None
        return Verdict(allowed=False, rule="network.local[deny]", why=f"a local address ({kind})")

    def _judge_literal(self, ip: Address, port: int) -> Verdict:
        if local := self._judge_local(ip):
            return local
        hits = [text for rule, text in self._cidrs if rule.matches(ip, port)]
        if hits:
            return self._allowed("network.allow_cidrs", hits)
        rule = "network.default[deny]" if self._default == "deny" else ""
        return Verdict(allowed=False, rule=rule, why="an address that no allowed range covers")

    def _allowed(self, field: str, hits: list[str]) -> Verdict:
        opaque = any(text in self._opaque for text in hits)
        return Verdict(allowed=True, rule=f"{field}[{hits[0]}]", why="allowed", opaque=opaque)
