"""Reads an OpenShell policy file by the vendor's rules, and says what a process inside may do.

Written from the policy schema reference: no key that it does not know at any level, the limits of its
validation, Landlock rules that only add up, the baseline that every sandbox gets, and hosts by label.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from tappass_host.policy import actions as a
from tappass_host.policy.effect import Effect
from tappass_host.policy.errors import RenderError
from tappass_host.policy.grammar.addresses import Address, canonical_ip, local_kind, parse_cidr
from tappass_host.policy.grammar.domains import canonical_host
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.reader import Ruling

_MAX_PATHS: Final = 256
_MAX_PATH: Final = 4096
_MAX_ID: Final = 4_294_967_294
_READABLE: Final = ("/usr", "/lib", "/etc", "/app", "/var/log", "/proc", "/dev/urandom")
_WRITABLE: Final = ("/tmp", "/dev/null")  # noqa: S108 - paths inside a sandbox
# A wildcard with fewer labels would cover a whole top-level domain.
_LABELS: Final = 3


class _Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """The vendor's parser refuses a key that it does not know, at every level."""


class _Files(_Strict, frozen=True, forbid_unknown_fields=True):
    include_workdir: bool = False
    read_only: tuple[str, ...] = ()
    read_write: tuple[str, ...] = ()


class _Landlock(_Strict, frozen=True, forbid_unknown_fields=True):
    compatibility: str = "best_effort"


class _Process(_Strict, frozen=True, forbid_unknown_fields=True):
    run_as_user: str = ""
    run_as_group: str = ""


class _Endpoint(_Strict, frozen=True, forbid_unknown_fields=True):
    """An endpoint without `protocol`: the proxy lets the stream pass, or not, by host and port."""

    ports: tuple[Annotated[int, Meta(ge=1, le=65535)], ...]
    host: str = ""
    allowed_ips: tuple[str, ...] = ()
    enforcement: str = "audit"


class _Binary(_Strict, frozen=True, forbid_unknown_fields=True):
    path: str


class _Entry(_Strict, frozen=True, forbid_unknown_fields=True):
    name: str = ""
    endpoints: tuple[_Endpoint, ...] = ()
    binaries: tuple[_Binary, ...] = ()


class _Policy(_Strict, frozen=True, forbid_unknown_fields=True):
    version: int
    filesystem_policy: _Files | None = None
    landlock: _Landlock = _Landlock()
    process: _Process = _Process()
    network_policies: dict[str, _Entry] = {}


class Native:
    """What one sandbox permits."""

    def __init__(self, policy: _Policy) -> None:
        self._policy = policy
        files = policy.filesystem_policy or _Files()
        self._writable = {path: f"policy#/filesystem_policy/read_write[{path}]" for path in files.read_write}
        self._readable = {path: f"policy#/filesystem_policy/read_only[{path}]" for path in files.read_only}
        self._readable = {**self._writable, **self._readable}

    def permits(self, action: a.Action) -> Ruling | None:
        """The ruling on an action, or None where neither kernel nor proxy sees it."""
        rule = _RULES.get(type(action))
        return rule(self, action) if rule else None

    def file(self, action: a.File) -> Ruling:
        """Rules add up: whatever lies below a listed path is as open as that path."""
        ends = [self._touch(action.path, write=action.op != "read")]
        if action.op == "move":
            ends.append(self._touch(action.to, write=True))
        return max(ends, key=lambda ruling: ruling.effect.strictness)

    def _touch(self, path: str, *, write: bool) -> Ruling:
        listed, baseline = (
            (self._writable, _WRITABLE) if write else (self._readable, (*_READABLE, *_WRITABLE))
        )
        locator = next((where for folder, where in listed.items() if _inside(path, folder)), None)
        if locator is not None:
            return Ruling(Effect.ALLOW, locator)
        if any(_inside(path, folder) for folder in baseline):
            return Ruling(Effect.ALLOW)
        return Ruling(Effect.DENY, "policy#/filesystem_policy")

    def connect(self, action: a.Connect) -> Ruling:
        """TCP through the proxy, to a listed host and port."""
        if action.protocol == "tcp":
            for key, entry in self._policy.network_policies.items():
                if entry.binaries and any(_matches(e, action.host, action.port) for e in entry.endpoints):
                    return Ruling(Effect.ALLOW, f"policy#/network_policies/{key}/endpoints")
        return Ruling(Effect.DENY, "policy#/network_policies")

    def unix(self, _action: a.UnixConnect) -> Ruling:
        """Nothing here speaks of unix sockets: Landlock governs them by path from its version 9 on only."""
        return Ruling(Effect.ALLOW)

    def run_as(self, action: a.RunAs) -> Ruling | None:
        """The user it is made for; the driver's own choice, which is not root, where none is named."""
        user = self._policy.process.run_as_user
        if not user.isdecimal():
            return Ruling(Effect.DENY) if action.uid == 0 else None
        effect = Effect.ALLOW if action.uid == int(user) else Effect.DENY
        return Ruling(effect, "policy#/process/run_as_user")


_RULES: Final[dict[type, Callable[..., Ruling | None]]] = {
    a.File: Native.file,
    a.Connect: Native.connect,
    a.UnixConnect: Native.unix,
    a.RunAs: Native.run_as,
}


def read(artifacts: Sequence[Artifact]) -> Native:
    """Parse a rendering.

    Raises:
        RenderError: the vendor's parser or its validation would not take it.
    """
    doc = next(artifact.doc for artifact in artifacts if artifact.id == "policy")
    try:
        policy = msgspec.convert(doc, _Policy)
    except msgspec.ValidationError as error:
        raise RenderError(f"not an OpenShell policy: {error}") from None
    for wrong in (*_version(policy), *_paths(policy), *_identities(policy), *_entries(policy)):
        raise RenderError(f"OpenShell refuses {wrong}")
    return Native(policy)


def _version(policy: _Policy) -> list[str]:
    known = ("best_effort", "hard_requirement")
    found = [] if policy.version == 1 else [f"version {policy.version}"]
    return found if policy.landlock.compatibility in known else [*found, policy.landlock.compatibility]


def _paths(policy: _Policy) -> list[str]:
    files = policy.filesystem_policy or _Files()
    paths = (*files.read_only, *files.read_write)
    found = [p for p in paths if not p.startswith("/") or ".." in p.split("/") or len(p) > _MAX_PATH]
    found += [f"{p!r} as writable" for p in files.read_write if not p.strip("/")]
    return found if len(paths) <= _MAX_PATHS else [*found, f"{len(paths)} paths"]


def _identities(policy: _Policy) -> list[str]:
    names = (policy.process.run_as_user, policy.process.run_as_group)
    return [n for n in names if n not in ("", "sandbox") and not (n.isdecimal() and 1 <= int(n) <= _MAX_ID)]


def _entries(policy: _Policy) -> list[str]:
    found = [key for key in policy.network_policies if key.startswith("_provider_")]
    for entry in policy.network_policies.values():
        for endpoint in entry.endpoints:
            found += _endpoint(endpoint)
    return found


def _endpoint(endpoint: _Endpoint) -> list[str]:
    first, _, rest = endpoint.host.partition(".")
    if endpoint.enforcement not in ("enforce", "audit"):
        return [endpoint.enforcement]
    if not endpoint.ports or not (endpoint.host or endpoint.allowed_ips):
        return ["an endpoint that names no port, or neither host nor addresses"]
    if "*" in rest or ("*" in first and len(endpoint.host.split(".")) < _LABELS):
        return [endpoint.host]
    return [ip for ip in endpoint.allowed_ips if _always_blocked(ip)]


def _always_blocked(text: str) -> bool:
    """Overlaps loopback, link-local or unspecified: a policy that lists such a range does not load."""
    network = parse_cidr(text).network
    return any(
        local_kind(ip) in ("loopback", "link_local", "unspecified") for ip in (network[0], network[-1])
    )


def _matches(endpoint: _Endpoint, host: str, port: int) -> bool:
    if port not in endpoint.ports:
        return False
    address = canonical_ip(host)
    if address is not None:
        return _reaches(endpoint, address)
    name = canonical_host(host)
    if not name or name == "localhost" or name.endswith(".localhost"):
        return False
    if endpoint.host.startswith("**."):
        return name.endswith(endpoint.host[2:])
    if endpoint.host.startswith("*."):
        return name.partition(".")[2] == endpoint.host[2:]
    return name == endpoint.host


def _reaches(endpoint: _Endpoint, address: Address) -> bool:
    """Private addresses by a range that names them; loopback, link-local and metadata never."""
    if local_kind(address) not in (None, "private"):
        return False
    return any(address in parse_cidr(text).network for text in endpoint.allowed_ips)


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
