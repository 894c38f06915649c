"""What a policy says about a connection.

Deny beats category beats allow. Hosts are canonicalised first: an address in any spelling is an address,
and `network.local` is judged on what it really is. Anything that is not TCP is `network.other`: denied.
"""

from collections.abc import Iterator
from typing import Final

from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.addresses import Address, canonical_ip, local_kind
from tappass_host.policy.grammar.domains import canonical_host
from tappass_host.policy.verdicts import Check, unmanaged

# RFC 6761 section 6.3: these names are loopback by definition, whatever a resolver says.
_LOCALHOST: Final = "localhost"


def connect_checks(policy: EffectivePolicy, host: str, port: int, protocol: str) -> Iterator[Check]:
    """The checks of one connection attempt to a name or an address in any spelling."""
    if policy.doc.network is None:
        yield unmanaged("network")
    elif protocol != "tcp":
        yield Check(Effect.DENY, "deny", "network.other", f"{protocol} is not TCP")
    elif (address := canonical_ip(host)) is not None:
        yield _address(policy, address, port)
    elif canonical_host(host) in (None, ""):
        yield Check(Effect.DENY, "deny", policy.id("network.default"), "not a host name")
    else:
        yield _name(policy, host, port)


def _name(policy: EffectivePolicy, host: str, port: int) -> Check:
    for rule in policy.net.deny:
        if rule.domain.matches_deny(host, port):
            why = f"category {rule.category}" if rule.category else "denied"
            return Check(Effect.DENY, "deny", rule.statement, f"{host} is {why}")
    name = canonical_host(host) or ""
    if name == _LOCALHOST or name.endswith("." + _LOCALHOST):
        return _local(policy, f"{host} is loopback")
    for rule in policy.net.allow:
        if rule.domain.matches_allow(host, port):
            return Check(Effect.ALLOW, "allow", rule.statement, f"{rule.domain} is granted")
    return _by_default(policy, f"no rule names {host}:{port}")


def _address(policy: EffectivePolicy, address: Address, port: int) -> Check:
    kind = local_kind(address)
    if kind is not None:
        return _local(policy, f"{address} is {kind.replace('_', '-')}")
    for entry in policy.net.cidrs:
        if entry.cidr.matches(address, port):
            return Check(Effect.ALLOW, "allow", entry.statement, f"{entry.cidr} is granted")
    return _by_default(policy, f"no range holds {address}:{port}")


def _local(policy: EffectivePolicy, why: str) -> Check:
    """`local` alone decides about loopback, link-local, private and metadata addresses."""
    assert policy.doc.network is not None
    effect = Effect(policy.doc.network.local)
    return Check(effect, "deny" if effect is Effect.DENY else "allow", policy.id("network.local"), why)


def _by_default(policy: EffectivePolicy, why: str) -> Check:
    assert policy.doc.network is not None
    return Check(Effect(policy.doc.network.default), "default", policy.id("network.default"), why)


def unix_checks(policy: EffectivePolicy, path: str) -> Iterator[Check]:
    """The checks of a connection to a unix socket: its path is a file too."""
    network = policy.doc.network
    if network is None:
        yield unmanaged("network")
    elif path in network.allow_unix:
        yield Check(Effect.ALLOW, "allow", f"network.allow_unix[{path}]", f"{path} is granted")
    else:
        yield Check(Effect(network.default), "default", policy.id("network.default"), f"{path} is not listed")
