"""Which hosts nodes reach: the N8N_SSRF variables, lists separated by commas.

Made against requests to internal addresses, they hold an allowlist too: every address is blocked, and an
allowed name or range beats that. `*.x.org` is any depth below x.org, not x.org itself. An allowed name beats
a blocked one.
"""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.addresses import CidrRule
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.sdk.claims import Item
from tappass_host.sdk.lowering import NetFeatures, lower_net

LISTED: Final = NetFeatures(
    domains="native", floor="nothing", ports=False, deny=False, conflict="grant", other=False
)
OPEN: Final = NetFeatures(domains="native", floor="all", ports=False, other=False)
FIXED_HOSTS: Final = "only requests whose destination a workflow chooses are guarded"
BY_NAME: Final = "an address, or another name of the same host, gets round it"
RESOLVED: Final = "a granted name may resolve to a local address"
APART: Final = "local addresses are opened all or not at all"
EVERYWHERE: Final = ("0.0.0.0/0", "::/0")
# Loopback, private, link-local, metadata, multicast and reserved addresses.
LOCAL: Final = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
    *("::/96", "64:ff9b:1::/48", "fc00::/7", "fd20:ce::254/128", "fe80::/10", "fec0::/10", "ff00::/8"),
)
# An empty list would stand for n8n's own; this one address is never anybody's.
NOTHING: Final = ("255.255.255.255/32",)
_LOCAL_NETWORKS: Final = tuple(map(ip_network, LOCAL))


def items(policy: EffectivePolicy) -> Iterator[Item]:
    """Items of the network aspect, as guarded requests hold them."""
    network = policy.doc.network
    closed = network is not None and network.default == "deny"
    for item in lower_net(policy, LISTED if closed else OPEN):
        yield item if item.refused or item.under else _guarded(item, policy)


def _guarded(item: Item, policy: EffectivePolicy) -> Item:
    match item.op, item.value:
        case "default", "deny":
            return item._replace(loss=_join(item.loss, FIXED_HOSTS))
        case "local", "deny":
            return item._replace(loss=_join(FIXED_HOSTS, RESOLVED if policy.net.allow else ""))
        case "deny", _:
            return item._replace(loss=_join(item.loss, BY_NAME, FIXED_HOSTS))
        case "cidr", CidrRule(network=network) if _is_local(network):
            return item._replace(refused=APART)
    return item


def _is_local(network: IPv4Network | IPv6Network) -> bool:
    return any(network.version == local.version and network.overlaps(local) for local in _LOCAL_NETWORKS)


def _join(*losses: str) -> str:
    return "; ".join(loss for loss in losses if loss)


def _blocked_ranges(policy: EffectivePolicy, _found: Sequence[Item]) -> list[str]:
    network = policy.doc.network
    assert network is not None
    if network.default == "deny":
        return list(EVERYWHERE)
    return list(LOCAL if network.local == "deny" else NOTHING)


def _allowed_ranges(policy: EffectivePolicy, found: Sequence[Item]) -> list[str]:
    network = policy.doc.network
    assert network is not None
    ranges = {str(item.value.network) for item in found if isinstance(item.value, CidrRule)}
    opened = LOCAL if (network.default, network.local) == ("deny", "allow") else ()
    return [*sorted(ranges), *opened]


def _allowed_hosts(policy: EffectivePolicy, found: Sequence[Item]) -> list[str]:
    network = policy.doc.network
    return _names(found, "allow") if network is not None and network.default == "deny" else []


def _blocked_hosts(_policy: EffectivePolicy, found: Sequence[Item]) -> list[str]:
    return _names(found, "deny")


def _names(found: Sequence[Item], op: str) -> list[str]:
    rules = (item.value for item in found if item.op == op)
    return sorted({f"*.{r.host}" if r.wildcard else r.host for r in rules if isinstance(r, DomainRule)})


# Variable -> its entries, and the ops of the items that they stand for.
VARIABLES: Final[
    tuple[tuple[str, Callable[[EffectivePolicy, Sequence[Item]], list[str]], tuple[str, ...]], ...]
] = (
    ("N8N_SSRF_BLOCKED_IP_RANGES", _blocked_ranges, ("default", "local")),
    ("N8N_SSRF_ALLOWED_IP_RANGES", _allowed_ranges, ("cidr", "local")),
    ("N8N_SSRF_ALLOWED_HOSTNAMES", _allowed_hosts, ("allow",)),
    ("N8N_SSRF_BLOCKED_HOSTNAMES", _blocked_hosts, ("deny",)),
)
