"""Network rules for a target: default, names, address ranges, local addresses, unix sockets, the rest."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from tappass_host.policy.effective import EffectivePolicy, NetRule
from tappass_host.policy.grammar.domains import DEFAULT_PORTS, DomainRule
from tappass_host.sdk.claims import Item

PORT_BLIND = "blind to ports: every port of a granted host is open"
ONE_LABEL = "its `*.` covers one label only"


class NetFeatures(NamedTuple):
    """What a target can hold.

    Attributes:
        domains: whether it knows names itself (`native`), through a proxy it is given (`proxy`), or not.
        floor: what it leaves open for what nobody lists.
        ports: whether a rule can name a port.
        deep_wildcard: whether its wildcard reaches any depth.
        deny: whether it has a deny list that beats its allow list.
        cidrs: whether it takes address ranges.
        local: what it does with loopback, link-local, private and metadata addresses: always `shut`, by an
            `entry`, or `open` (it cannot tell).
        unix: whether unix sockets can be granted one by one.
        other: whether UDP, ICMP and raw sockets are shut.
        widest: the most open default it can be given; under a wider one it stays closed.
        conflict: without a deny list, what gives way when a granted name holds a denied one: the `grant`
            (dropped) or the `deny` (unenforceable).
    """

    domains: Literal["native", "proxy", "none"]
    floor: Literal["nothing", "all", "prompt"]
    ports: bool = True
    deep_wildcard: bool = True
    deny: bool = True
    cidrs: bool = True
    local: Literal["shut", "entry", "open"] = "entry"
    unix: bool = False
    other: bool = True
    widest: Literal["deny", "allow"] = "allow"
    conflict: Literal["grant", "deny"] = "deny"


def lower_net(policy: EffectivePolicy, features: NetFeatures) -> list[Item]:
    """Lower the network aspect; empty where it is unmanaged."""
    if policy.doc.network is None:
        return []
    return [
        _default(policy, features),
        *_allows(policy, features),
        *_denies(policy, features),
        *_cidrs(policy, features),
        _local(policy, features),
        *_unix(policy, features),
        _other(features),
    ]


def _default(policy: EffectivePolicy, f: NetFeatures) -> Item:
    assert policy.doc.network is not None
    default, origins = policy.doc.network.default, (policy.id("network.default"),)
    if _too_wide(policy, f):
        return Item("default", "deny", origins, refused="reaches only hosts that are listed")
    if default == "allow":
        return Item("open" if f.floor == "all" else "default", default, origins)
    if f.floor != "nothing":
        what = "asks about" if f.floor == "prompt" else "leaves open"
        return Item("default", default, origins, refused=f"{what} every host that nobody lists")
    # A grant that opens more ports than it names is a hole in the default, not in the grant.
    granted = (f.domains != "none" and policy.net.allow) or (f.cidrs and policy.net.cidrs)
    return Item("default", default, origins, loss=PORT_BLIND if granted and not f.ports else "")


def _too_wide(policy: EffectivePolicy, f: NetFeatures) -> bool:
    assert policy.doc.network is not None
    return policy.doc.network.default == "allow" and f.widest == "deny"


def _sealed(policy: EffectivePolicy, f: NetFeatures) -> bool:
    """Whether a host that nobody lists is out of reach."""
    assert policy.doc.network is not None
    return f.floor == "nothing" and (policy.doc.network.default == "deny" or f.widest == "deny")


def _allows(policy: EffectivePolicy, f: NetFeatures) -> Iterator[Item]:
    denied = _Names(policy.net.deny if _gives_way(f) else ())
    for rule in policy.net.allow:
        item = Item("allow", rule.domain, (rule.statement,))
        inside = denied.meeting(rule.domain, f, _meet)
        if f.domains == "none":
            yield item._replace(refused="knows no host names, only whether there is a network")
        elif inside is not None:
            yield item._replace(refused=f"{inside} is denied, and nothing can be taken from a granted name")
        elif rule.domain.wildcard and not f.deep_wildcard:
            yield item._replace(loss=ONE_LABEL)
        else:
            yield item


def _gives_way(f: NetFeatures) -> bool:
    return not f.deny and f.conflict == "grant"


def _denies(policy: EffectivePolicy, f: NetFeatures) -> Iterator[Item]:
    granted = _Names(policy.net.allow)
    sealed = _sealed(policy, f)
    for rule in policy.net.deny:
        out_of_reach = f.domains == "none" or _gives_way(f) or not granted.meeting(rule.domain, f, _met_by)
        if sealed and out_of_reach:
            yield _closed(policy, rule, f)
        elif not f.deny or f.domains == "none":
            why = "has no deny list that beats a granted host" if sealed else "cannot deny one host"
            yield Item("deny", rule.domain, (rule.statement,), refused=why)
        else:
            yield _deny(rule, f)
    yield from _empty_categories(policy)


def _closed(policy: EffectivePolicy, rule: NetRule, f: NetFeatures) -> Item:
    """What the default closes; where the default itself cannot be given, whatever closes the target."""
    if _too_wide(policy, f):
        return Item("shut", rule.domain, (rule.statement,))
    return Item("deny", rule.domain, (rule.statement,), under=(policy.id("network.default"),))


def _deny(rule: NetRule, f: NetFeatures) -> Item:
    strict = rule.domain.port is not None and not f.ports
    return Item("deny", rule.domain, (rule.statement,), "stricter" if strict else "exact")


def _empty_categories(policy: EffectivePolicy) -> Iterator[Item]:
    """A category that the catalogue fills with nothing is still a statement."""
    said = {rule.statement for rule in policy.net.deny}
    for statement in policy.ids("network.deny_categories"):
        if statement not in said:
            yield Item("absent", None, (statement,))


class _Names:
    """Rules by name: finds one that has a host in common with another; linear to build, fast to ask."""

    def __init__(self, rules: Iterable[NetRule]) -> None:
        self.exact: dict[str, list[DomainRule]] = {}
        self.wild: dict[str, list[DomainRule]] = {}
        self.below: dict[str, list[DomainRule]] = {}
        for rule in (r.domain for r in rules):
            (self.wild if rule.wildcard else self.exact).setdefault(rule.host, []).append(rule)
            for up in _parents(rule.host):
                self.below.setdefault(up, []).append(rule)

    def meeting(
        self, rule: DomainRule, f: NetFeatures, meet: Callable[[DomainRule, DomainRule], bool]
    ) -> DomainRule | None:
        """The first rule with a host, and where the target knows ports a port, in common."""
        return next((other for other in self._sharing(rule) if not f.ports or meet(rule, other)), None)

    def _sharing(self, rule: DomainRule) -> Iterator[DomainRule]:
        for up in _parents(rule.host):
            yield from self.wild.get(up, ())
        for table in (self.wild, self.below) if rule.wildcard else (self.exact,):
            yield from table.get(rule.host, ())


def _meet(allow: DomainRule, deny: DomainRule) -> bool:
    """Whether an allowed name and a denied one have a port in common."""
    granted = DEFAULT_PORTS if allow.port is None else (allow.port,)
    return deny.port is None or deny.port in granted


def _met_by(deny: DomainRule, allow: DomainRule) -> bool:
    return _meet(allow, deny)


def _parents(host: str) -> Iterator[str]:
    while "." in host:
        host = host.partition(".")[2]
        yield host


def _cidrs(policy: EffectivePolicy, f: NetFeatures) -> Iterator[Item]:
    for entry in policy.net.cidrs:
        why = "" if f.cidrs else "takes no address ranges"
        yield Item("cidr", entry.cidr, (entry.statement,), refused=why)


def _local(policy: EffectivePolicy, f: NetFeatures) -> Item:
    assert policy.doc.network is not None
    value, origins = policy.doc.network.local, (policy.id("network.local"),)
    if value == "allow" and f.local == "open":
        return Item("open", value, origins)
    if value == "allow":
        return Item(
            "local", value, origins, refused="never reaches local addresses" if f.local == "shut" else ""
        )
    return Item("local", value, origins, refused="cannot tell local addresses" if f.local == "open" else "")


def _unix(policy: EffectivePolicy, f: NetFeatures) -> Iterator[Item]:
    assert policy.doc.network is not None
    for statement, path in zip(
        policy.ids("network.allow_unix"), sorted(policy.doc.network.allow_unix), strict=True
    ):
        yield Item("unix", path, (statement,), refused="" if f.unix else "cannot grant one unix socket")


def _other(f: NetFeatures) -> Item:
    return Item(
        "other",
        None,
        ("network.other",),
        refused="" if f.other else "does not shut UDP, ICMP and raw sockets",
    )
