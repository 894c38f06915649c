"""Reads an interpreter manifest back through the schema that the runner uses, and says what code may do."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from tappass_host.policy import actions as a
from tappass_host.policy.effect import Effect
from tappass_host.policy.grammar.addresses import Address, canonical_ip, local_kind, parse_cidr
from tappass_host.policy.grammar.domains import canonical_host, parse_domain
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.configs.interpreter import Manifest, Mount, decode_manifest
from tappass_host.sdk.reader import Ruling

_LIMITS: Final = {
    "interpreter.memory_mb": ("memory_bytes", 1 << 20),
    "interpreter.cpu_time_ms": ("cpu_time_ms", 1),
}


class Native:
    """What code may do under one manifest."""

    def __init__(self, manifest: Manifest) -> None:
        self._m = manifest
        # In this mode the runner lets through constraints, unlisted imports and network rules.
        self._observing = manifest.mode == "observe"

    def permits(self, action: a.Action) -> Ruling | None:
        """The ruling on an action of code, or None for any other surface."""
        rule = _RULES.get(type(action)) if action.surface == "code" else None
        return rule(self, action) if rule else None

    def call(self, action: a.HostCall) -> Ruling:
        """A declared function whose constrained arguments are all given and hold."""
        function = next((f for f in self._m.host_functions if f.name == action.name), None)
        if function is None:
            return _deny("/host_functions")
        held = all(
            argument in action.args and constraint.check(action.args[argument]) is None
            for argument, constraint in function.constraints.items()
        )
        return _allow("/host_functions") if held or self._observing else _deny("/host_functions")

    def import_(self, action: a.Import) -> Ruling:
        """`import module`: it takes the package in hand, and with that all that is in it."""
        needed = (action.module.partition(".")[0], action.module)
        for name in self._m.imports.deny:
            if any(_covers(name, need) or _covers(need, name) for need in needed):
                return _deny(f"/imports/deny[{name}]")
        allow = self._m.imports.allow
        listed = allow is None or all(any(_covers(name, need) for name in allow) for need in needed)
        return _allow("/imports") if listed or self._observing else _deny("/imports/allow")

    def file(self, action: a.File) -> Ruling:
        """A path inside a mount, by the mount's mode; a move writes at both ends."""
        paths = (action.path, action.to) if action.op == "move" else (action.path,)
        mounts = [self._mount(path) for path in paths]
        writes = action.op != "read"
        permitted = all(mount is not None and (not writes or mount.mode == "rw") for mount in mounts)
        return _allow("/mounts") if permitted else _deny("/mounts")

    def _mount(self, path: str) -> Mount | None:
        return next(
            (m for m in self._m.mounts if path == m.guest or path.startswith(m.guest.rstrip("/") + "/")), None
        )

    def connect(self, action: a.Connect) -> Ruling:
        """Only the fetching host function reaches hosts, by TCP, and only those listed."""
        fetches = any(f.name == "http_get" for f in self._m.host_functions)
        if self._m.network.mode == "off" or not fetches or action.protocol != "tcp":
            return _deny("/network/mode")
        if self._observing:
            return _allow("/network/mode")
        address = canonical_ip(action.host)
        return self._name(action) if address is None else self._address(address, action.port)

    def _address(self, address: Address, port: int) -> Ruling:
        network = self._m.network
        if local_kind(address) is not None:
            return _allow("/network/local") if network.local == "allow" else _deny("/network/local")
        listed = any(parse_cidr(text).matches(address, port) for text in network.allow_cidrs)
        return _allow("/network/allow_cidrs") if listed else _deny("/network/mode")

    def _name(self, action: a.Connect) -> Ruling:
        network = self._m.network
        for text in network.deny:
            if parse_domain(text).matches_deny(action.host, action.port):
                return _deny(f"/network/deny[{text}]")
        name = canonical_host(action.host) or ""
        if name == "localhost" or name.endswith(".localhost"):
            return _allow("/network/local") if network.local == "allow" else _deny("/network/local")
        listed = any(parse_domain(text).matches_allow(action.host, action.port) for text in network.allow)
        return _allow("/network/allow") if listed else _deny("/network/mode")

    def unix(self, action: a.UnixConnect) -> Ruling:
        """There are no sockets inside, and a function that fetches makes none like this."""
        del action
        return _deny("/network/mode")

    def env(self, action: a.EnvRead) -> Ruling:
        """Only listed variables exist."""
        return _allow("/env") if action.name in self._m.env else _deny("/env")

    def use(self, action: a.Use) -> Ruling | None:
        """Memory and computing time."""
        if action.resource not in _LIMITS:
            return None
        field, unit = _LIMITS[action.resource]
        within = action.amount * unit <= getattr(self._m.limits, field)
        return _allow(f"/limits/{field}") if within else _deny(f"/limits/{field}")


def _covers(name: str, module: str) -> bool:
    return module == name or module.startswith(name + ".")


def _allow(pointer: str) -> Ruling:
    return Ruling(Effect.ALLOW, f"manifest#{pointer}")


def _deny(pointer: str) -> Ruling:
    return Ruling(Effect.DENY, f"manifest#{pointer}")


_RULES: Final[dict[type, Callable[..., Ruling | None]]] = {
    a.HostCall: Native.call,
    a.Import: Native.import_,
    a.File: Native.file,
    a.Connect: Native.connect,
    a.UnixConnect: Native.unix,
    a.EnvRead: Native.env,
    a.Use: Native.use,
}


def read(artifacts: Sequence[Artifact]) -> Native:
    """Parse a rendering with the runner's own decoder.

    Raises:
        TappassError: the runner would refuse it.
    """
    doc = next(artifact.doc for artifact in artifacts if artifact.id == "manifest")
    return Native(decode_manifest(msgspec.json.encode(doc)))
