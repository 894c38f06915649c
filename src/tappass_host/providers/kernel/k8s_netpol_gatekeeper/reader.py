"""Reads the objects of a namespace by the rules of the cluster, and says what a pod in it may do.

Network policies add up: a pod that one of them selects for egress may reach what any of them allows, and
nothing else. Programs that look at pods are known by their digests: one that nobody has read is refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from tappass_host.policy import actions as a
from tappass_host.policy.effect import Effect
from tappass_host.policy.errors import RenderError
from tappass_host.policy.grammar.addresses import Address, canonical_ip, local_kind
from tappass_host.policy.grammar.domains import canonical_host
from tappass_host.providers.kernel.k8s_netpol_gatekeeper import objects as k
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.reader import Ruling

# SHA-256 of each expression that has been read and tried on pods, and what it demands of them.
_EXPRESSIONS: Final = {
    "fc42559e31a8194f4d8b7ca102faf2f44d0346b24245eb7c82406ac36723a883": "user",
    "8e089ab49fd139697b05113cec23efa42900b1c9ba4e6794effc8aa548d1fadd": "group",
    "7b65e6466e6af491b97604e54793e48f427f1b7bad9b4e9c754785589635a1c5": "root",
    "77a0bcd7559587cb0767c4eca1ff110f9ae4a69981c7bd9b8c237ff679aa0ac9": "mounts",
}
_CONTAINERS: Final = "4e10916ca49fb013aae979c8bd31f86a2cdcc039830ba7c2b64f7760ada229d3"
_MODULE: Final = "d21c7fbd8b2d98ee0bb956ac2778f6d9efc6893626662e8af19fd101e4bccb14"
_EVERY_ADDRESS: Final = ip_network("0.0.0.0/0")
_POD_KINDS: Final = (k.Kinds(("",), ("Pod",)),)


class _Pods(NamedTuple):
    """What is demanded of pods, and where."""

    user: int | None = None
    root: bool = False
    writable: tuple[str, ...] | None = None
    places: Mapping[str, str] = MappingProxyType({})


class Native:
    """What a pod of the namespace may do."""

    def __init__(self, found: dict[str, k.Object]) -> None:
        self._policies = {key: o for key, o in found.items() if isinstance(o, k.NetworkPolicy)}
        self._cilium = {key: o for key, o in found.items() if isinstance(o, k.CiliumNetworkPolicy)}
        self._limits = {key: o for key, o in found.items() if isinstance(o, k.LimitRange)}
        self._pods = _demands(found)

    def permits(self, action: a.Action) -> Ruling | None:
        """The ruling on an action, or None where no object speaks of such."""
        rule = _RULES.get(type(action))
        return rule(self, action) if rule else None

    # Network.

    def connect(self, action: a.Connect) -> Ruling:
        """Loopback stays inside the pod; all else is closed as soon as one policy selects the pod."""
        address = canonical_ip(action.host)
        if _is_loopback(action.host, address):
            return Ruling(Effect.ALLOW)
        if action.protocol == "tcp":
            for locator in (*self._by_address(address, action.port), *self._by_name(action)):
                return Ruling(Effect.ALLOW, locator)
        closed = self._closed()
        return Ruling(Effect.DENY, closed) if closed else Ruling(Effect.ALLOW)

    def _closed(self) -> str:
        for key, policy in self._policies.items():
            if "Egress" in policy.spec.policy_types:
                return f"{key}#/spec/policyTypes[Egress]"
        return next((f"{key}#/spec/endpointSelector" for key in self._cilium), "")

    def _by_address(self, address: Address | None, port: int) -> Iterator[str]:
        for key, policy in self._policies.items():
            for rule in policy.spec.egress:
                if _on_port(rule, port) and any(_reaches(peer, address) for peer in rule.to):
                    yield f"{key}#/spec/egress"

    def _by_name(self, action: a.Connect) -> Iterator[str]:
        name = canonical_host(action.host)
        for key, policy in self._cilium.items() if name else ():
            for rule in policy.spec.egress:
                ports = {p.port for ports in rule.to_ports for p in ports.ports if p.protocol == "TCP"}
                if str(action.port) in ports and any(_named(s, name or "") for s in rule.to_fqdns):
                    yield f"{key}#/spec/egress"

    def unix(self, _action: a.UnixConnect) -> Ruling:
        """No packet passes, so nothing here sees it; sockets of the host are no part of a restricted pod."""
        return Ruling(Effect.ALLOW)

    # Pods.

    def file(self, action: a.File) -> Ruling:
        """What the image brings may be read; written is where a writable volume may be mounted."""
        if action.op == "read" or not self._pods.root:
            return Ruling(Effect.ALLOW)
        paths = (action.path, action.to) if action.op == "move" else (action.path,)
        folders = (*(self._pods.writable or ()), "/dev/shm", "/dev/termination-log")  # noqa: S108
        if all(any(_inside(path, folder) for folder in folders) for path in paths):
            return Ruling(Effect.ALLOW, self._pods.places["mounts"])
        return Ruling(Effect.DENY, self._pods.places["root"])

    def run_as(self, action: a.RunAs) -> Ruling | None:
        """The user that is demanded; never root in a restricted namespace."""
        if self._pods.user is None:
            return Ruling(Effect.DENY, "namespace#/metadata/labels") if action.uid == 0 else None
        effect = Effect.ALLOW if action.uid == self._pods.user else Effect.DENY
        return Ruling(effect, self._pods.places["user"])

    def use(self, action: a.Use) -> Ruling | None:
        """Memory in mebibytes, processors in hundredths."""
        field, parse = _AMOUNTS.get(action.resource, ("", int))
        for key, limits in self._limits.items():
            most = [parse(limit.max[field]) for limit in limits.spec.limits if field in limit.max]
            if most:
                within = action.amount <= min(most)
                return Ruling(Effect.ALLOW if within else Effect.DENY, f"{key}#/spec/limits")
        return None


def _quantity(suffix: str, unit: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.endswith(suffix) or not text[: -len(suffix)].isdecimal():
            raise RenderError(f"{text!r} is not a quantity in {suffix}")
        return int(text[: -len(suffix)]) // unit

    return parse


_AMOUNTS: Final[dict[str, tuple[str, Callable[[str], int]]]] = {
    "process.memory_mb": ("memory", _quantity("Mi", 1)),
    "process.cpu_percent": ("cpu", _quantity("m", 10)),
}
_RULES: Final[dict[type, Callable[[Native, Any], Ruling | None]]] = {
    a.Connect: Native.connect,
    a.UnixConnect: Native.unix,
    a.File: Native.file,
    a.RunAs: Native.run_as,
    a.Use: Native.use,
}


def read(artifacts: Sequence[Artifact]) -> Native:
    """Parse a rendering.

    Raises:
        RenderError: the cluster would not take an object, or a program is not known.
    """
    found = {artifact.id: _object(artifact) for artifact in artifacts}
    namespaces = {o.metadata.namespace for o in found.values() if o.metadata.namespace}
    home = [o.metadata for o in found.values() if o.kind == "Namespace"]
    if len(home) != 1 or namespaces - {home[0].name}:
        raise RenderError("objects of another namespace, or not exactly one namespace")
    if home[0].labels.get("pod-security.kubernetes.io/enforce") != "restricted":
        raise RenderError("the namespace takes pods that share the host's network or files")
    return Native(found)


def _object(artifact: Artifact) -> k.Object:
    doc = artifact.doc
    head = (doc.get("apiVersion"), doc.get("kind")) if isinstance(doc, dict) else None
    kind = k.KINDS.get(head)  # type: ignore[arg-type]
    if kind is None:
        raise RenderError(f"{head} is no object of an agent's namespace", source=artifact.id)
    try:
        return msgspec.convert(doc, kind)
    except msgspec.ValidationError as error:
        raise RenderError(f"the cluster refuses it: {error}", source=artifact.id) from None


def _demands(found: dict[str, k.Object]) -> _Pods:
    for key, value in found.items():
        if isinstance(value, k.ValidatingAdmissionPolicy):
            _check_bound(value, found)
            return _from_expressions(key, value.spec)
        if isinstance(value, k.Constraint):
            _check_template(found)
            return _from_parameters(key, value.spec)
    return _Pods()


def _from_expressions(key: str, spec: k.AdmissionSpec) -> _Pods:
    variables = {variable.name: variable.expression for variable in spec.variables}
    if spec.failure_policy != "Fail" or _digest(variables.get("containers", "")) != _CONTAINERS:
        raise RenderError("pods that cannot be checked are let in, or not all containers are looked at")
    places: dict[str, str] = {}
    for validation in spec.validations:
        demand = _EXPRESSIONS.get(_digest(validation.expression))
        if demand is None:
            raise RenderError(f"nobody has read this expression: {validation.expression}")
        places[demand] = f"{key}#/spec/validations"
    user = _parsed(variables["user"], int) if "user" in places else None
    writable = _parsed(variables["writable"], tuple[str, ...]) if "mounts" in places else None
    return _Pods(user, "root" in places, writable, places)


def _from_parameters(key: str, spec: k.ConstraintSpec) -> _Pods:
    if spec.enforcement_action != "deny" or spec.match.kinds != _POD_KINDS:
        raise RenderError("a constraint that only reports, or is not about pods")
    given = spec.parameters
    unknown = set(given) - {"runAsUser", "runAsGroup", "readOnlyRoot", "writable"}
    if unknown:
        raise RenderError(f"parameters {sorted(unknown)} that the program does not know")
    names = {"user": "runAsUser", "group": "runAsGroup", "root": "readOnlyRoot", "mounts": "writable"}
    places = {demand: f"{key}#/spec/parameters/{name}" for demand, name in names.items() if name in given}
    root = given.get("readOnlyRoot") is True
    return _Pods(given.get("runAsUser"), root, tuple(given.get("writable", ())), places)


def _check_bound(policy: k.ValidatingAdmissionPolicy, found: dict[str, k.Object]) -> None:
    """A policy without a binding that denies does nothing."""
    resources = {r for rule in policy.spec.match_constraints.resource_rules for r in rule.resources}
    if not {"pods", "pods/ephemeralcontainers"} <= resources:
        raise RenderError("containers that are added later are not looked at")
    bindings = [o for o in found.values() if isinstance(o, k.ValidatingAdmissionPolicyBinding)]
    if not any(
        b.spec.policy_name == policy.metadata.name and "Deny" in b.spec.validation_actions for b in bindings
    ):
        raise RenderError("an admission policy that nothing binds does nothing")


def _check_template(found: dict[str, k.Object]) -> None:
    templates = [o for o in found.values() if isinstance(o, k.ConstraintTemplate)]
    for template in templates:
        sources = [code.source.rego for target in template.spec.targets for code in target.code]
        named = template.metadata.name == template.spec.crd.spec.names.kind.lower()
        if not named or [_digest(source) for source in sources] != [_MODULE]:
            raise RenderError("nobody has read the program of this template")
    if not templates:
        raise RenderError("a constraint without its template is no object at all")


def _parsed(text: str, kind: Any) -> Any:
    """A variable's literal: what is JSON is CEL as well."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise RenderError(f"{text} is not a literal: {error}") from None


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _is_loopback(host: str, address: Address | None) -> bool:
    if address is not None:
        return local_kind(address) in ("loopback", "unspecified")
    name = canonical_host(host) or ""
    return name == "localhost" or name.endswith(".localhost")


def _on_port(rule: k.Egress, port: int) -> bool:
    return not rule.ports or any(p.protocol == "TCP" and p.port in (None, port) for p in rule.ports)


def _reaches(peer: k.Peer, address: Address | None) -> bool:
    """A name is some address that nobody knows here: only a range of all of them surely holds it."""
    if peer.ip_block is None:
        return False
    network = ip_network(peer.ip_block.cidr)
    if address is None:
        return network == _EVERY_ADDRESS
    return address in network and not any(address in ip_network(hole) for hole in peer.ip_block.holes)


def _named(selector: k.FqdnSelector, name: str) -> bool:
    if selector.match_pattern.startswith("**."):
        return name.endswith(selector.match_pattern[2:])
    if "*" in selector.match_pattern:
        raise RenderError(f"{selector.match_pattern} is not a pattern that is read here")
    return name == selector.match_name


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
