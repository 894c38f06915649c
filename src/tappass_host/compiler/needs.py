"""Needs of a use as actions to judge and as statements to add."""

from typing import NamedTuple

from tappass_host.policy import actions as a
from tappass_host.policy.amend import Addition
from tappass_host.policy.errors import ProviderError
from tappass_host.policy.grammar.addresses import canonical_ip
from tappass_host.policy.surfaces import Surface
from tappass_host.sdk.contract import Need

_FIELDS = {
    "read": "filesystem.read_only",
    # A program that cannot be read cannot be started.
    "exec": "filesystem.read_only",
    "write": "filesystem.read_write",
    "socket": "network.allow_unix",
}


class PlacedNeed(NamedTuple):
    """A need, the use that has it and that use's provider."""

    use: str
    provider: str
    need: Need

    def __str__(self) -> str:
        """As an error message names it."""
        return f"{self.use} ({self.provider}) needs {self.need.kind} {self.need.value} ({self.need.why})"


def action(placed: PlacedNeed, surface: Surface) -> a.Action:
    """What the use will do.

    Raises:
        ProviderError: the need does not say host:port or NAME=value.
    """
    value = placed.need.value
    match placed.need.kind:
        case "read" | "exec":
            return a.File(op="read", path=value, surface=surface)
        case "write":
            return a.File(op="write", path=value, surface=surface)
        case "socket":
            return a.UnixConnect(path=value, surface=surface)
        case "env":
            return a.EnvRead(name=value.partition("=")[0], surface=surface)
        case "connect":
            host, port = host_port(placed)
            return a.Connect(host=host, port=port, surface=surface)


def grant(placed: PlacedNeed) -> Addition | None:
    """The statement that permits it; None for `env`, which the launch itself gives."""
    need = placed.need
    if need.kind == "env":
        return None
    source = f"need of {placed.use} ({placed.provider})"
    if need.kind != "connect":
        return Addition(_FIELDS[need.kind], need.value, source, need.why)
    host, port = host_port(placed)
    address = canonical_ip(host)
    if address is not None:
        bracketed = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004
        return Addition("network.allow_cidrs", f"{bracketed}:{port}", source, need.why)
    return Addition("network.allow_domains", f"{host}:{port}", source, need.why)


def host_port(placed: PlacedNeed) -> tuple[str, int]:
    """Host and port of a `connect` need; an IPv6 address stands in brackets.

    Raises:
        ProviderError: it is not host:port.
    """
    host, colon, port = placed.need.value.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise ProviderError(f"{placed}, which is not host:port")
    return host.strip("[]"), int(port)
