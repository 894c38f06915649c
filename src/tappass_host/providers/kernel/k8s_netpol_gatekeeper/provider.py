"""Kubernetes: network policies, an admission policy and limits for the pods of one namespace.

NetworkPolicy only adds up and knows addresses, not names: everything is denied, then ranges and the way to
the egress proxy are opened. With Cilium names can be granted too. What a pod may look like (user, writable
places) is held when it is made, by the API server itself or by Gatekeeper, and what it may use up by limits.
"""

import re
from typing import Final, Literal

import msgspec

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import RenderError
from tappass_host.policy.grammar.addresses import CidrRule, not_granted
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.providers.kernel.k8s_netpol_gatekeeper import programs, rules
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Component, Evidence, Fact, Item, Reach
from tappass_host.sdk.contract import Options, ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.document import Doc
from tappass_host.sdk.lowering import (
    FsEntry,
    FsFeatures,
    Limit,
    LimitFeatures,
    NetFeatures,
    lower_fs,
    lower_limits,
    lower_net,
)

VERSIONS: Final = ("1.37",)
EVERYWHERE: Final = ("tool", "exec", "mcp", "code", "self")
PROCESSES: Final = ("exec", "mcp", "code", "self")
DOCS: Final = "https://kubernetes.io/docs"
CILIUM_DOCS: Final = "https://docs.cilium.io/en/stable/security/policy/language/"
GATEKEEPER_DOCS: Final = "https://open-policy-agent.github.io/gatekeeper/website/docs"
READ: Final = "2026-11-23"
# Whose annotations these are.
GROUP: Final = "tappass.dev"
KIND: Final = "TappassAgentPods"
# RFC 1123 labels, as namespaces are named.
_LABEL: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")


class ProxyPods(Options, frozen=True, kw_only=True):
    """Where pods of the egress proxy run: a namespace, their label `app.kubernetes.io/name`, their port."""

    namespace: str
    app: str = "tappass-egress"
    port: int = 3128


class K8sOptions(Options, frozen=True, kw_only=True):
    """Which namespace, and what the cluster has.

    Attributes:
        namespace: whose pods all of this is about; only agents run in it.
        cni: `cilium` where names can be granted, `any` for whatever enforces NetworkPolicy.
        admission: who looks at pods: the API server itself (`vap`) or `gatekeeper`.
        proxy: pods of the egress proxy, where allowed names are held by it.
        dns: whether pods may ask the cluster's DNS; Cilium needs it to know the names.
    """

    namespace: str = "agents"
    cni: Literal["any", "cilium"] = "any"
    admission: Literal["vap", "gatekeeper"] = "vap"
    proxy: ProxyPods | None = None
    dns: bool = False


INFO: Final = ProviderInfo(
    id="k8s-netpol-gatekeeper",
    position="kernel",
    target="Kubernetes",
    version="0.1.0",
    sdk="1.0",
    versions=VERSIONS,
    options=K8sOptions,
    effects={
        "namespace": "sandbox_recreate",
        "default-deny": "live",
        "egress": "live",
        "cilium": "live",
        # Pods that run already are not looked at again.
        "limits": "sandbox_recreate",
        "admission": "sandbox_recreate",
        "binding": "sandbox_recreate",
        "template": "sandbox_recreate",
        "constraint": "sandbox_recreate",
    },
    covers={"network": EVERYWHERE, "filesystem": EVERYWHERE, "process": PROCESSES},
    cannot={
        "tools": "sees pods and packets, not tool calls",
        "mcp": "sees pods and packets, not MCP messages",
        "credentials": "what a pod has in its environment is written by whoever deploys it",
        "head.expires_at": "objects of a cluster do not expire",
    },
    preview=True,
)

ENFORCED: Final = Fact("feature", "networkpolicy", "true")
PACKETS: Final = Reach(
    "networkpolicy",
    EVERYWHERE,
    "compulsory",
    Evidence(f"{DOCS}/concepts/services-networking/network-policies/", READ, VERSIONS),
    requires=(ENFORCED,),
)
# With a way to the egress proxy, the seal is as good as the proxy behind it.
PROXIED: Final = PACKETS._replace(requires=(ENFORCED, Component("egress-proxy")))
NAMES: Final = Reach(
    "cilium",
    EVERYWHERE,
    "compulsory",
    Evidence(CILIUM_DOCS, READ, VERSIONS),
    requires=(Fact("feature", "cilium", "true"),),
)
API_SERVER: Final = Reach(
    "admission",
    EVERYWHERE,
    "compulsory",
    Evidence(f"{DOCS}/reference/access-authn-authz/validating-admission-policy/", READ, VERSIONS),
)
# Its webhook is ignored by default while nobody answers it, and then pods are made unchecked.
GATEKEEPER: Final = Reach(
    "admission",
    EVERYWHERE,
    "compulsory",
    Evidence(f"{GATEKEEPER_DOCS}/constrainttemplates", READ, VERSIONS),
    requires=(Fact("feature", "gatekeeper_fails_closed", "true"),),
)
QUOTA: Final = Reach(
    "limits", PROCESSES, "compulsory", Evidence(f"{DOCS}/concepts/policy/limit-range/", READ, VERSIONS)
)

ADDRESSES: Final = NetFeatures(domains="none", floor="nothing", deny=False)
WITH_NAMES: Final = NetFeatures(domains="native", floor="nothing", deny=False, conflict="grant")
# Reads are open: what the image brings is there. With a read-only root two places are still written to
# (kubernetes.io/docs/tasks/configure-pod-container/security-context/, 2026-11-23).
FILES: Final = FsFeatures(
    nesting="union",
    glob=True,
    floor="read",
    conflict="deny",
    always=(("/dev/shm", "write"), ("/dev/termination-log", "write")),  # noqa: S108 - in a container
)
LIMITS: Final = LimitFeatures(
    aspect="process",
    holds={"run_as_uid": "", "run_as_gid": "", "memory_mb": "", "cpu_percent": ""},
    why={
        "max_processes": "a setting of the node (podPidsLimit), the same for all its pods",
        "max_open_files": "a pod has no such field",
    },
)
CHECKS: Final[dict[str, programs.Check]] = {"run_as_uid": "user", "run_as_gid": "group"}
PARAMETER_OF: Final[dict[programs.Check, str]] = {
    "user": "runAsUser",
    "group": "runAsGroup",
    "root": "readOnlyRoot",
    "mounts": "writable",
}
# Checks whose expression needs a value of the policy, and what that is called in it.
VARIABLES: Final[dict[programs.Check, str]] = {"user": "user", "group": "group", "mounts": "writable"}

INSIDE_POD: Final = "unix sockets and loopback inside a pod are not governed"
NODE: Final = "loopback inside a pod, and the node it runs on, are always reached"
ICMP: Final = "ICMP is left to the network plugin"
DNS: Final = "the cluster's DNS is asked over UDP, and a look-up can carry data"
RESOLVES: Final = "a name that resolves into a granted range is reached as well"
SHARED: Final = "hosts that share an address with a granted one are reached as well"
LOCAL_RANGE: Final = "lies in ranges that network.local decides about"
IN_IMAGE: Final = "what the image holds may be read"
NO_NAMES: Final = "knows addresses, not names"
NO_LIMIT: Final = "0 stands for no limit here"
ROOT: Final = "restricted pods do not run as root"


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render the objects of one namespace.

    Raises:
        RenderError: a path still holds a parameter, or the namespace is not a name.
    """
    options = target.options_as(K8sOptions)
    if not _LABEL.fullmatch(options.namespace):
        raise RenderError(f"{options.namespace!r} is not the name of a namespace")
    return _Rendering(policy, target, options).config()


class _Rendering:
    """One run over one namespace. Files are numbered in the order in which they apply."""

    def __init__(self, policy: EffectivePolicy, target: TargetCapabilities, options: K8sOptions) -> None:
        self.b = Builder(INFO, policy, target)
        self.policy, self.options = self.b.policy, options
        self.at_admission = API_SERVER if options.admission == "vap" else GATEKEEPER
        # Items of each check of a pod, and what goes into its parameter.
        self.checks: dict[programs.Check, list[Item]] = {}
        self.parameters: dict[str, object] = {}

    def config(self) -> TargetConfig:
        self._namespace()
        self._network()
        self._files()
        self._processes()
        if self.checks and self.options.admission == "vap":
            self._api_server()
        elif self.checks:
            self._gatekeeper()
        return self.b.build()

    def _object(self, name: str, version: str, kind: str, *, title: str = "", cluster: bool = False) -> Doc:
        """An object with its head, made when it is first needed; the template is that of every policy."""
        number = f"{list(INFO.effects).index(name):02d}"
        doc = self.b.doc(name, path=f"k8s/{number}-{name}.yaml", codec="yaml", kind="resource", scope="host")
        why = "which object, and for which policy"
        doc.set("/apiVersion", version, by=why)
        doc.set("/kind", kind, by=why)
        doc.set("/metadata/name", title or f"tappass-{name}", by=why)
        if not cluster:
            doc.set("/metadata/namespace", self.options.namespace, by=why)
        if name != "template":
            doc.set(f"/metadata/annotations/{GROUP}~1policy", self.policy.digest, by=why)
        return doc

    def _namespace(self) -> None:
        """Pods in the namespace of a node, or with its paths, would be outside of everything else here."""
        doc = self._object("namespace", "v1", "Namespace", title=self.options.namespace, cluster=True)
        for label, value in (("enforce", "restricted"), ("enforce-version", "latest")):
            why = "no host network, host paths, root or privileges"
            doc.set(f"/metadata/labels/pod-security.kubernetes.io~1{label}", value, by=why)

    # Network.

    def _network(self) -> None:
        if self.policy.doc.network is None:
            return
        deny = self._object("default-deny", "networking.k8s.io/v1", "NetworkPolicy")
        deny.set("/spec/podSelector", {}, by="every pod, whatever its labels")
        for direction in ("Ingress", "Egress"):
            deny.add("/spec/policyTypes", direction, by="nothing passes but what another policy allows")
        names = self.options.cni == "cilium"
        reach = NAMES if names else PROXIED if self.options.proxy else PACKETS
        items = lower_net(self.policy, WITH_NAMES if names else ADDRESSES)
        for item in self.b.lower(map(self._packet_losses, items), at=reach):
            if not self._opens(item):
                deny.credit("default-deny#/spec/policyTypes[Egress]", by=item)
        self._ways()

    def _packet_losses(self, item: Item) -> Item:
        match item.op, item.value:
            case "cidr", CidrRule(network=network) if not_granted(network) == (network,):
                return item._replace(refused=LOCAL_RANGE)
            case "allow", _ if self.options.cni == "any":
                return item._replace(refused=NO_NAMES)
            case "default", "deny":
                return item._replace(loss="; ".join(self._default_losses()))
            case "deny", _ if item.under and self._default_losses() == [INSIDE_POD]:
                # That is the default's loss, not that of a name.
                return item._replace(op="shut", under=())
            case "local", "deny":
                return item._replace(loss=NODE)
            case "other", _:
                return item._replace(loss="; ".join([ICMP, *([DNS] if self._asks_dns() else [])]))
        return item

    def _default_losses(self) -> list[str]:
        names = self.options.cni == "cilium" and self.policy.net.allow
        return [INSIDE_POD, *([RESOLVES] if self.policy.net.cidrs else []), *([SHARED] if names else [])]

    def _asks_dns(self) -> bool:
        return self.options.dns or (self.options.cni == "cilium" and bool(self.policy.net.allow))

    def _opens(self, item: Item) -> bool:
        """Write what an item opens; False if it opens nothing."""
        match item.op, item.value:
            case "allow", DomainRule() as rule:
                self._cilium().add("/spec/egress", rules.to_name(rule), by=item)
            case "cidr", CidrRule(network=network, port=port):
                self._egress().add("/spec/egress", rules.to_ranges([network], port), by=item)
            case "default", "allow":
                self._egress().add("/spec/egress", rules.to_everything(), by=item)
            case "local", "allow":
                self._egress().add("/spec/egress", rules.to_local(), by=item)
            case _:
                return False
        return True

    def _ways(self) -> None:
        """What is opened for no statement: the way to the proxy, and to the DNS."""
        proxy = self.options.proxy
        if proxy is not None:
            rule = rules.to_pods(proxy.namespace, {"app.kubernetes.io/name": proxy.app}, proxy.port)
            self._egress().add("/spec/egress", rule, by="the way to the egress proxy, which holds the names")
        if self._asks_dns() and self.options.cni == "cilium":
            why = "Cilium knows the addresses of names from the answers it sees"
            self._cilium().add("/spec/egress", rules.to_seen_dns(), by=why)
        elif self._asks_dns():
            self._egress().add("/spec/egress", rules.to_dns(), by="pods may ask for addresses")

    def _egress(self) -> Doc:
        doc = self._object("egress", "networking.k8s.io/v1", "NetworkPolicy")
        doc.set("/spec/podSelector", {}, by="every pod, whatever its labels")
        doc.add("/spec/policyTypes", "Egress", by="what is allowed to go out")
        return doc

    def _cilium(self) -> Doc:
        doc = self._object("cilium", "cilium.io/v2", "CiliumNetworkPolicy")
        doc.set("/spec/endpointSelector", {}, by="every pod, whatever its labels")
        return doc

    # Files and identity, held when a pod is made.

    def _files(self) -> None:
        if self.policy.doc.filesystem is None:
            return
        if self.policy.doc.filesystem.default == "allow":
            # No pod is refused for its volumes, so every grant works and nothing is held.
            items = map(_unchecked, lower_fs(self.policy, FILES._replace(floor="all"), self.b.know))
            self.b.lower(items, at=self.at_admission)
            return
        writable: list[str] = []
        items = map(_file_losses, lower_fs(self.policy, FILES, self.b.know))
        for item in self.b.lower(items, at=self.at_admission):
            if item.op == "default":
                self.checks.setdefault("root", []).append(item)
            if isinstance(item.value, FsEntry):
                writable.append(str(item.value.path).rstrip("/"))
            self.checks.setdefault("mounts", []).append(item)
        self.parameters |= {"readOnlyRoot": True, "writable": writable}

    def _processes(self) -> None:
        quota: list[Item] = []
        for item in map(_number_fits, lower_limits(self.policy, LIMITS)):
            assert isinstance(item.value, Limit)
            check = CHECKS.get(item.value.field)
            if check is None:
                quota.append(item)
                continue
            for made in self.b.lower([item], at=self.at_admission):
                self.checks[check] = [made]
                self.parameters[PARAMETER_OF[check]] = item.value.number
        self._quota(self.b.lower(quota, at=QUOTA))

    def _quota(self, items: list[Item]) -> None:
        if not items:
            return
        amounts = dict(_amount(item) for item in items)
        doc = self._object("limits", "v1", "LimitRange")
        doc.add("/spec/limits", {"type": "Pod", "max": amounts}, by=tuple(items))
        # A container that names no limit gets this one, or a pod without limits could not be made at all.
        doc.add("/spec/limits", {"type": "Container", "default": amounts}, by=tuple(items))

    def _api_server(self) -> None:
        title = f"tappass-{self.options.namespace}"
        kind = "ValidatingAdmissionPolicy"
        doc = self._object("admission", "admissionregistration.k8s.io/v1", kind, title=title, cluster=True)
        doc.set("/spec/failurePolicy", "Fail", by="what cannot be checked is refused")
        doc.set("/spec/matchConstraints/resourceRules", [rules.PODS], by="pods, and what is added to them")
        variable = {"name": "containers", "expression": programs.CONTAINERS}
        doc.add("/spec/variables", variable, by="every container counts")
        for check, name in VARIABLES.items():
            if check in self.checks:
                value = msgspec.json.encode(self.parameters[PARAMETER_OF[check]]).decode()
                doc.add("/spec/variables", {"name": name, "expression": value}, by=tuple(self.checks[check]))
        for check, program in programs.CEL.items():
            if check in self.checks:
                doc.add("/spec/validations", program._asdict(), by=tuple(self.checks[check]))
        self._binding(title)

    def _binding(self, title: str) -> None:
        kind = "ValidatingAdmissionPolicyBinding"
        doc = self._object("binding", "admissionregistration.k8s.io/v1", kind, title=title, cluster=True)
        doc.set("/spec/policyName", title, by="the policy above")
        doc.set("/spec/validationActions", ["Deny"], by="refused, not only warned about")
        labels = {"kubernetes.io/metadata.name": self.options.namespace}
        doc.set("/spec/matchResources/namespaceSelector/matchLabels", labels, by="in this namespace")

    def _gatekeeper(self) -> None:
        doc = self._object(
            "template", "templates.gatekeeper.sh/v1", "ConstraintTemplate", title=KIND.lower(), cluster=True
        )
        why = "the program that the constraint's parameters go into"
        doc.set("/spec/crd/spec/names/kind", KIND, by=why)
        doc.set("/spec/crd/spec/validation/openAPIV3Schema", programs.PARAMETERS, by=why)
        code = {"engine": "Rego", "source": {"version": "v1", "rego": programs.REGO}}
        doc.set("/spec/targets", [{"target": "admission.k8s.gatekeeper.sh", "code": [code]}], by=why)
        title = f"tappass-{self.options.namespace}"
        doc = self._object("constraint", "constraints.gatekeeper.sh/v1beta1", KIND, title=title, cluster=True)
        doc.set("/spec/enforcementAction", "deny", by="refused, not only reported")
        doc.set("/spec/match/namespaces", [self.options.namespace], by="in this namespace")
        doc.set("/spec/match/kinds", [{"apiGroups": [""], "kinds": ["Pod"]}], by="pods")
        for check, items in self.checks.items():
            name = PARAMETER_OF[check]
            doc.set(f"/spec/parameters/{name}", self.parameters[name], by=tuple(items))


def _unchecked(item: Item) -> Item:
    return item._replace(op="open") if item.op == "grant" and not item.refused else item


def _file_losses(item: Item) -> Item:
    if item.op == "default" and item.value == "deny":
        return item._replace(refused="", loss=IN_IMAGE)
    if item.op == "grant" and isinstance(item.value, FsEntry) and item.value.path.root != "/":
        raise RenderError(
            f"{item.value.path} is not an absolute path", remedy="bind the policy's parameters first"
        )
    if item.op == "grant" and isinstance(item.value, FsEntry) and item.value.path.is_glob:
        return item._replace(refused="a volume is mounted at a path, not at a pattern")
    return item


def _number_fits(item: Item) -> Item:
    assert isinstance(item.value, Limit)
    if item.refused or item.value.number or item.value.field == "run_as_gid":
        return item
    return item._replace(refused=ROOT if item.value.field == "run_as_uid" else NO_LIMIT)


def _amount(item: Item) -> tuple[str, str]:
    """A limit as a quantity: mebibytes, and thousandths of a processor."""
    assert isinstance(item.value, Limit)
    if item.value.field == "memory_mb":
        return "memory", f"{item.value.number}Mi"
    return "cpu", f"{item.value.number * 10}m"
