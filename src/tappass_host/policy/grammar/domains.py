"""Domain rules: `host`, `*.host`, each with an optional `:port`.

`*.host` means any depth below `host`, never `host` itself. A rule without a port means
443 and 80 where it allows and every port where it denies.
"""

import re
from functools import lru_cache

import msgspec

from tappass_host.policy.errors import GrammarError
from tappass_host.policy.grammar.addresses import canonical_ip
from tappass_host.policy.grammar.text import parse_port, refuse, require_plain

# What a portless allow grants: https and http.
DEFAULT_PORTS = (443, 80)
# RFC 1035 section 2.3.4: 255 octets on the wire are 253 characters of text.
_MAX_HOST = 253
# Underscores are no host names by RFC 952, yet real names resolve with them.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# A name whose last label is a number is an address to every URL parser
# (https://url.spec.whatwg.org/#ends-in-a-number-checker, 2025-06).
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_WHAT = "domain"


class DomainRule(msgspec.Struct, frozen=True):
    """One domain entry; `host` is lower-case ASCII without the `*.`."""

    host: str
    wildcard: bool = False
    port: int | None = None

    def __str__(self) -> str:
        name = f"*.{self.host}" if self.wildcard else self.host
        return name if self.port is None else f"{name}:{self.port}"

    def matches_host(self, host: str) -> bool:
        """Tell whether the name alone fits; a text that is no host name fits nothing."""
        name = canonical_host(host)
        if name is None:
            return False
        return name.endswith("." + self.host) if self.wildcard else name == self.host

    def matches_allow(self, host: str, port: int) -> bool:
        """Tell whether this rule, read as an allow, grants TCP to `host` at `port`."""
        return (port in DEFAULT_PORTS if self.port is None else port == self.port) and self.matches_host(host)

    def matches_deny(self, host: str, port: int) -> bool:
        """Tell whether this rule, read as a deny, forbids TCP to `host` at `port`.

        A host that is neither a name nor an address cannot be compared, so every deny fits it.
        """
        if self.port is not None and port != self.port:
            return False
        return self.matches_host(host) or (canonical_host(host) is None and canonical_ip(host) is None)

    def covers(self, other: "DomainRule") -> bool:
        """Tell whether all that `other` means is proven to be meant by this rule, as allow or as deny."""
        ports = self.port == other.port or (self.port is None and other.port in DEFAULT_PORTS)
        return ports and self._covers_name(other)

    def covers_deny(self, other: "DomainRule") -> bool:
        """Like `covers` where both are denies: there a portless rule means every port."""
        return self.port in (None, other.port) and self._covers_name(other)

    def _covers_name(self, other: "DomainRule") -> bool:
        if self.wildcard:
            return other.host.endswith("." + self.host) or (other.wildcard and other.host == self.host)
        return not other.wildcard and other.host == self.host


@lru_cache(maxsize=8192)
def canonical_host(text: str) -> str | None:
    """Spell a host name as rules do: lower-case IDNA, no final dot; None if it is no host name."""
    name = text.removesuffix(".")
    if not name.isascii():
        name = _to_ascii(name) or ""
    name = name.lower()
    labels = name.split(".")
    if len(name) > _MAX_HOST or _NUMBER.fullmatch(labels[-1]):
        return None
    return name if all(_LABEL.fullmatch(label) for label in labels) else None


@lru_cache(maxsize=8192)
def parse_domain(text: str) -> DomainRule:
    """Parse one domain entry.

    Raises:
        GrammarError: naming what is wrong and how to write it instead.
    """
    require_plain(_WHAT, text)
    if "/" in text:
        raise refuse(_WHAT, text, "is a URL, not a name", "write the host only, as api.example.com:8443")
    if text.count(":") > 1 or canonical_ip(text) is not None:
        raise _is_address(text)
    name, colon, port = text.partition(":")
    wildcard = name.startswith("*.")
    host = _host(text, name[2:] if wildcard else name, wildcard=wildcard)
    return DomainRule(host, wildcard, parse_port(_WHAT, text, port) if colon else None)


def _host(text: str, name: str, *, wildcard: bool) -> str:
    if "*" in name:
        remedy = "write *.example.com; a star stands only for whole labels in front"
        raise refuse(_WHAT, text, "has a star where none may be", remedy)
    if name.endswith("."):
        raise refuse(_WHAT, text, "ends in a dot", "remove the final dot")
    host = canonical_host(name)
    if host is None and (
        canonical_ip(name) is not None or _NUMBER.fullmatch(name.lower().rpartition(".")[2])
    ):
        raise _is_address(text)
    if host is None:
        raise refuse(
            _WHAT, text, "is not a host name", "use letters, digits and hyphens in labels of 1 to 63"
        )
    if wildcard and "." not in host:
        raise refuse(
            _WHAT, text, "covers a whole top-level domain", "keep at least two labels: *.example.com"
        )
    return host


def _is_address(text: str) -> GrammarError:
    return refuse(_WHAT, text, "is an IP address", "put addresses in network.allow_cidrs")


def _to_ascii(name: str) -> str | None:
    import idna

    if len(name) > _MAX_HOST:
        return None
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except UnicodeError:
        return None
