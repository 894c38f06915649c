"""IP addresses in every spelling, what is local about them, and `cidr[:port]` rules.

An agent may spell 127.0.0.1 as 2130706433, 0x7f.1, 0177.0.0.1 or ::ffff:127.0.0.1. All become one
value before anything is judged, and a spelling that is no address is None.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from tappass_host.policy.grammar.text import parse_port, refuse, require_plain

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LocalKind = Literal["loopback", "link_local", "private", "metadata", "unspecified", "multicast"]

# One part of an inet_aton address (POSIX inet_addr): hexadecimal, octal, decimal.
_PARTS = (
    (re.compile(r"0[xX][0-9a-fA-F]+"), 16),
    (re.compile(r"0[0-7]*"), 8),
    (re.compile(r"[1-9][0-9]*"), 10),
)
_MAX_PARTS = 4
_MAX_SPELLING = 64
_WHAT = "address range"

# RFC 6052 section 2.1, RFC 4291 section 2.5.5.2, RFC 3056 section 2: v6 prefixes that carry a v4 address,
# and how many bits lie to the right of it.
_EMBEDDED = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)

# First match wins, so the metadata services stand before the ranges that hold them.
_LOCAL: tuple[tuple[LocalKind, tuple[str, ...]], ...] = (
    (
        "metadata",
        (
            "169.254.169.254",  # AWS, Azure, Google, Oracle: the common instance metadata address
            "169.254.170.2",  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint.html
            "169.254.170.23",  # https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
            "fd00:ec2::254",  # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
            "fd00:ec2::23",  # https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
            "fd20:ce::254",  # https://cloud.google.com/compute/docs/metadata/querying-metadata
            "100.100.100.200",  # https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata
            "168.63.129.16",  # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
        ),
    ),
    ("loopback", ("127.0.0.0/8", "::1/128")),
    # On Linux a connect to 0.0.0.0 or :: reaches this host.
    ("unspecified", ("0.0.0.0/8", "::/128")),
    ("link_local", ("169.254.0.0/16", "fe80::/10")),
    ("multicast", ("224.0.0.0/4", "255.255.255.255/32", "ff00::/8")),
    (
        "private",
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",  # RFC 6598, carrier-grade NAT
            "192.0.0.0/24",  # RFC 6890, IETF protocol assignments
            "198.18.0.0/15",  # RFC 2544, benchmarking
            "240.0.0.0/4",  # RFC 1112, reserved
            "fc00::/7",  # RFC 4193, unique local
            "fec0::/10",  # RFC 3879, deprecated site-local
            "64:ff9b:1::/48",  # RFC 8215, local-use NAT64
            "::/96",  # RFC 4291 section 2.5.5.1, deprecated v4-compatible
        ),
    ),
)


class CidrRule(msgspec.Struct, frozen=True):
    """One `allow_cidrs` entry; without a port it means 443 and 80, like a portless domain."""

    network: Network
    port: int | None = None

    def __str__(self) -> str:
        if self.port is None:
            return str(self.network)
        name = str(self.network) if self.network.version == 4 else f"[{self.network}]"  # noqa: PLR2004
        return f"{name}:{self.port}"

    def matches(self, ip: Address, port: int) -> bool:
        """Tell whether this rule grants TCP to `ip`, however it is spelled, at `port`."""
        return (port in (443, 80) if self.port is None else port == self.port) and unwrap(ip) in self.network

    def covers(self, other: "CidrRule") -> bool:
        """Tell whether all that `other` grants is proven to be granted by this rule."""
        ports = self.port == other.port or (self.port is None and other.port in (443, 80))
        return ports and _within(other.network, self.network)


def unwrap(ip: Address) -> Address:
    """Return the v4 address that a v4-mapped, NAT64 or 6to4 address carries, else `ip` itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    bare = ipaddress.IPv6Address(int(ip))
    for network, shift in _EMBEDDED:
        if bare in network:
            return ipaddress.IPv4Address((int(bare) >> shift) & 0xFFFFFFFF)
    return bare


@lru_cache(maxsize=8192)
def canonical_ip(text: str) -> Address | None:
    """Read an address in any spelling a resolver takes; None for what is no address or has a zone id."""
    if len(text) > _MAX_SPELLING or "%" in text:
        return None
    if text.startswith("[") and text.endswith("]"):
        return _ipv6(text[1:-1])
    return _ipv6(text) if ":" in text else _inet_aton(text)


@lru_cache(maxsize=8192)
def local_kind(ip: Address) -> LocalKind | None:
    """Say in which way an address is local, or None for a public one."""
    bare = unwrap(ip)
    for kind, networks in _local_table():
        if any(bare in network for network in networks):
            return kind
    return None


@lru_cache(maxsize=1)
def local_ranges() -> tuple[Network, ...]:
    """All that `network.local` is about, as ranges."""
    return tuple(_collapsed([network for _, networks in _local_table() for network in networks]))


@lru_cache(maxsize=8192)
def not_granted(network: Network) -> tuple[Network, ...]:
    """The ranges inside `network` that an entry for it never grants.

    Local addresses, which `network.local` alone decides about, and IPv6 ranges that carry IPv4 addresses. For
    a target that compares addresses only; the whole of `network` if it is local itself.
    """
    apart = [n for _, networks in _local_table() for n in networks] + [carrier for carrier, _ in _EMBEDDED]
    if any(_within(network, other) for other in apart):
        return (network,)
    return tuple(_collapsed([other for other in apart if _within(other, network)]))


@lru_cache(maxsize=8192)
def parse_cidr(text: str) -> CidrRule:
    """Parse `cidr`, `cidr:port` or `[v6 cidr]:port`; a bare address means that one address.

    Raises:
        GrammarError: naming what is wrong and how to write it instead.
    """
    require_plain(_WHAT, text)
    body, port = _split_port(text)
    return CidrRule(_network(text, body), port)


def _split_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        body, closed, rest = text[1:].partition("]")
        if not closed or not rest.startswith(":"):
            raise refuse(
                _WHAT, text, "has brackets but no port", "write [2001:db8::/32]:443, or drop the brackets"
            )
        if ":" not in body:
            raise refuse(_WHAT, text, "has brackets around no IPv6 range", "write 192.0.2.0/24:443")
        return body, parse_port(_WHAT, text, rest[1:])
    if text.count(":") == 1:
        body, _, port = text.partition(":")
        return body, parse_port(_WHAT, text, port)
    return text, None


def _network(text: str, body: str) -> Network:
    if not re.fullmatch(r"[0-9a-fA-F:.]+(/[0-9]{1,3})?", body):
        raise refuse(_WHAT, text, "is not a CIDR", "write 192.0.2.0/24, 2001:db8::/32 or one address")
    try:
        network = ipaddress.ip_network(body)
    except ValueError as error:
        raise refuse(_WHAT, text, f"is not a CIDR: {error}", "write the first address of the range") from None
    if any(_within(network, carrier) for carrier, _ in _EMBEDDED):
        raise refuse(_WHAT, text, "carries IPv4 addresses", "write the IPv4 range itself: 192.0.2.0/24")
    return network


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False


def _collapsed(networks: Sequence[Network]) -> Iterator[Network]:
    """Ranges in order, without those inside another."""
    # In two steps: one call takes addresses of one family only.
    yield from ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv4Network))
    yield from ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv6Network))


def _ipv6(text: str) -> Address | None:
    try:
        return unwrap(ipaddress.IPv6Address(text))
    except ValueError:
        return None


def _inet_aton(text: str) -> Address | None:
    parts = text.split(".")
    values = [_part(part) for part in parts]
    if len(parts) > _MAX_PARTS or any(value is None for value in values):
        return None
    *heads, tail = [value for value in values if value is not None]
    if any(head > 0xFF for head in heads) or tail >= 1 << 8 * (_MAX_PARTS + 1 - len(parts)):  # noqa: PLR2004
        return None
    # The last part fills all bytes that the parts before it left over: 127.1 is 127.0.0.1.
    high = sum(head << 8 * (3 - place) for place, head in enumerate(heads))
    return ipaddress.IPv4Address(high + tail)


def _part(part: str) -> int | None:
    return next((int(part, base) for form, base in _PARTS if form.fullmatch(part)), None)


@lru_cache(maxsize=1)
def _local_table() -> tuple[tuple[LocalKind, tuple[Network, ...]], ...]:
    return tuple((kind, tuple(ipaddress.ip_network(text) for text in texts)) for kind, texts in _LOCAL)
