"""Reads an interpreter manifest back through the schema that the runner uses, and says what code may do."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from tappass_host.policy import actions as a
from tappass_host.policy.effect import Effect
from tappass_host.policy.grammar.addresses import canonical_ip, local_kind, parse_cidr
from tappass_host.policy.grammar.domains import parse_domain
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

    def permits(self, action: a.Action) -> Ruling | None:
        """The ruling on an action of code, or None for any other surface."""
        rule = _RULES.get(type(action)) if action.surface == "code" else None
        return rule(self, action) if rule else None

    def call(self, action: a.HostCall) -> Ruling:
        """A declared function whose constrained arguments hold."""
        function = next((f for f in self._m.host_functions if f.name == action.name), None)
        if function is None:
            return _deny("/host_functions")
        for argument, constraint in function.constraints.items():
            if argument not in action.args or constraint.check(action.args[argument]) is not None:
                return _deny(f"/host_functions[{action.name}]")
        return _allow("/host_functions")

    def import_(self, action: a.Import) -> Ruling:
        """A module not denied and, where there is a list, on it."""
        if any(_covers(name, action.module) for name in self._m.imports.deny):
            return _deny("/imports/deny")
        allow = self._m.imports.allow
        if allow is not None and not any(_covers(name, action.module) for name in allow):
            return _deny("/imports/allow")
        return _allow("/imports")

    def file(self, action: a.File) -> Ruling:
        """A path inside a mount, by the mount's mode; a move stays inside one mount."""
        source = self._mount(action.path)
        if action.op == "move" and source is not self._mount(action.to):
            return _deny("/mounts")
        writes = action.op != "read"
        permitted = source is not None and (not writes or source.mode == "rw")
        return _allow("/mounts") if permitted else _deny("/mounts")

    def _mount(self, path: str) -> Mount | None:
        return next(
            (m for m in self._m.mounts if path == m.guest or path.startswith(m.guest.rstrip("/") + "/")), None
        )

    def connect(self, action: a.Connect) -> Ruling:
        """Only the fetching host function reaches hosts, and only those listed."""
        network = self._m.network
        fetches = any(f.name == "http_get" for f in self._m.host_functions)
        if network.mode == "off" or not fetches or action.protocol != "tcp":
            return _deny("/network/mode")
        address = canonical_ip(action.host)
        if address is not None:
            local = local_kind(address) is not None
            listed = any(parse_cidr(text).matches(address, action.port) for text in network.allow_cidrs)
            return (
                _allow("/network") if (network.local == "allow" if local else listed) else _deny("/network")
            )
        if any(parse_domain(text).matches_deny(action.host, action.port) for text in network.deny):
            return _deny("/network/deny")
        listed = any(parse_domain(text).matches_allow(action.host, action.port) for text in network.allow)
        return _allow("/network/allow") if listed else _deny("/network/mode")

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
