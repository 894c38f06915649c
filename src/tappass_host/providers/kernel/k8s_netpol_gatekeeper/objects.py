"""The objects of a cluster as the API server takes them: strict, a field that it does not know is refused.

Of each kind only what an agent's namespace needs; the names are those of the Kubernetes API reference, of
Cilium's and of Gatekeeper's custom resources.
"""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, field

Port = Annotated[int, Meta(ge=1, le=65535)]
# RFC 1123, as objects are named.
Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]{0,251}[a-z0-9])?$")]
Labels = dict[str, str]


class _Node(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Base: camelCase on the wire, unknown fields refused."""


class Metadata(_Node, frozen=True):
    """Name, and for most kinds the namespace."""

    name: Name
    namespace: Name = ""
    labels: Labels = {}
    annotations: Labels = {}


class Object(_Node, frozen=True, kw_only=True):
    """The head of every object."""

    api_version: str
    kind: str
    metadata: Metadata


class Selector(_Node, frozen=True):
    """Labels that have to be there; none means everything."""

    match_labels: Labels = {}


class Block(_Node, frozen=True):
    """An address range, and ranges taken out of it."""

    cidr: str
    holes: tuple[str, ...] = field(name="except", default=())


class Peer(_Node, frozen=True):
    """One destination: a range, or pods. Both selectors together mean pods that fit both."""

    ip_block: Block | None = None
    namespace_selector: Selector | None = None
    pod_selector: Selector | None = None


class PeerPort(_Node, frozen=True):
    """One port, or every port of a protocol."""

    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    port: Port | None = None


class Egress(_Node, frozen=True):
    """Destinations and ports; none of either means all."""

    to: tuple[Peer, ...] = ()
    ports: tuple[PeerPort, ...] = ()


class NetworkPolicySpec(_Node, frozen=True):
    """Which pods, which directions, and what is let through."""

    pod_selector: Selector
    policy_types: tuple[Literal["Ingress", "Egress"], ...]
    egress: tuple[Egress, ...] = ()


class NetworkPolicy(Object, frozen=True, kw_only=True):
    """networking.k8s.io/v1."""

    spec: NetworkPolicySpec


class FqdnSelector(_Node, frozen=True):
    """An exact name, or a pattern: `*` is within one label, a `**.` in front any depth."""

    match_name: str = ""
    match_pattern: str = ""


class CiliumPort(_Node, frozen=True):
    """A port, as text."""

    port: Annotated[str, Meta(pattern="^[0-9]{1,5}$")]
    protocol: Literal["TCP", "UDP", "SCTP", "ANY"] = "ANY"


class DnsRules(_Node, frozen=True):
    """Names that may be looked up."""

    dns: tuple[FqdnSelector, ...]


class CiliumPorts(_Node, frozen=True):
    """Ports, and what is looked at on them."""

    ports: tuple[CiliumPort, ...]
    rules: DnsRules | None = None


class CiliumEgress(_Node, frozen=True):
    """Names or endpoints, and ports."""

    to_fqdns: tuple[FqdnSelector, ...] = field(name="toFQDNs", default=())
    to_endpoints: tuple[Selector, ...] = ()
    to_ports: tuple[CiliumPorts, ...] = ()


class CiliumSpec(_Node, frozen=True):
    """Which endpoints, and what is let through."""

    endpoint_selector: Selector
    egress: tuple[CiliumEgress, ...] = ()


class CiliumNetworkPolicy(Object, frozen=True, kw_only=True):
    """cilium.io/v2."""

    spec: CiliumSpec


class Limit(_Node, frozen=True):
    """Of pods the most, of containers what they get unasked."""

    type: Literal["Pod", "Container"]
    max: dict[Literal["memory", "cpu"], str] = {}
    default: dict[Literal["memory", "cpu"], str] = {}


class LimitSpec(_Node, frozen=True):
    """The limits."""

    limits: tuple[Limit, ...]


class LimitRange(Object, frozen=True, kw_only=True):
    """v1."""

    spec: LimitSpec


class Rule(_Node, frozen=True):
    """Which requests are looked at."""

    api_groups: tuple[str, ...]
    api_versions: tuple[str, ...]
    operations: tuple[Literal["CREATE", "UPDATE", "DELETE", "CONNECT", "*"], ...]
    resources: tuple[str, ...]


class MatchConstraints(_Node, frozen=True):
    """All requests that are looked at."""

    resource_rules: tuple[Rule, ...]


class Variable(_Node, frozen=True):
    """A named expression."""

    name: str
    expression: str


class Validation(_Node, frozen=True):
    """An expression that has to be true."""

    expression: str
    message: str = ""


class AdmissionSpec(_Node, frozen=True):
    """What has to be true of which requests."""

    match_constraints: MatchConstraints
    validations: tuple[Validation, ...]
    failure_policy: Literal["Fail", "Ignore"] = "Fail"
    variables: tuple[Variable, ...] = ()


class ValidatingAdmissionPolicy(Object, frozen=True, kw_only=True):
    """admissionregistration.k8s.io/v1."""

    spec: AdmissionSpec


class MatchResources(_Node, frozen=True):
    """Where it holds."""

    namespace_selector: Selector


class BindingSpec(_Node, frozen=True):
    """Which policy, where, and what follows."""

    policy_name: Name
    validation_actions: tuple[Literal["Deny", "Warn", "Audit"], ...]
    match_resources: MatchResources


class ValidatingAdmissionPolicyBinding(Object, frozen=True, kw_only=True):
    """admissionregistration.k8s.io/v1."""

    spec: BindingSpec


class Source(_Node, frozen=True):
    """A module and the version of its language."""

    version: Literal["v1"]
    rego: str


class Code(_Node, frozen=True):
    """One engine's program."""

    engine: Literal["Rego"]
    source: Source


class Target(_Node, frozen=True):
    """Programs for one target."""

    target: Literal["admission.k8s.gatekeeper.sh"]
    code: tuple[Code, ...]


class Names(_Node, frozen=True):
    """The kind of the constraints."""

    kind: str


class Validated(_Node, frozen=True):
    """The schema of their parameters."""

    schema: dict[str, Any] = field(name="openAPIV3Schema")


class CrdSpec(_Node, frozen=True):
    """A kind and its schema."""

    names: Names
    validation: Validated


class Crd(_Node, frozen=True):
    """The custom resource that a template makes."""

    spec: CrdSpec


class TemplateSpec(_Node, frozen=True):
    """A kind of constraint, and its program."""

    crd: Crd
    targets: tuple[Target, ...]


class ConstraintTemplate(Object, frozen=True, kw_only=True):
    """templates.gatekeeper.sh/v1."""

    spec: TemplateSpec


class Kinds(_Node, frozen=True):
    """Kinds of some API groups."""

    api_groups: tuple[str, ...]
    kinds: tuple[str, ...]


class Match(_Node, frozen=True):
    """Which objects."""

    namespaces: tuple[Name, ...]
    kinds: tuple[Kinds, ...]


class ConstraintSpec(_Node, frozen=True):
    """Where, what follows, and the parameters."""

    enforcement_action: Literal["deny", "dryrun", "warn"]
    match: Match
    parameters: dict[str, Any] = {}


class Constraint(Object, frozen=True, kw_only=True):
    """constraints.gatekeeper.sh/v1beta1."""

    spec: ConstraintSpec


KINDS: Final[dict[tuple[str, str], type[Object]]] = {
    ("v1", "Namespace"): Object,
    ("v1", "LimitRange"): LimitRange,
    ("networking.k8s.io/v1", "NetworkPolicy"): NetworkPolicy,
    ("cilium.io/v2", "CiliumNetworkPolicy"): CiliumNetworkPolicy,
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"): ValidatingAdmissionPolicy,
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"): ValidatingAdmissionPolicyBinding,
    ("templates.gatekeeper.sh/v1", "ConstraintTemplate"): ConstraintTemplate,
    ("constraints.gatekeeper.sh/v1beta1", "TappassAgentPods"): Constraint,
}
