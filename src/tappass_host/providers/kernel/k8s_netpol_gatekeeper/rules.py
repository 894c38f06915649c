"""The native spelling of what may be reached: egress rules of NetworkPolicy and CiliumNetworkPolicy."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Final

from tappass_host.policy.grammar.addresses import Network, local_ranges, not_granted
from tappass_host.policy.grammar.domains import DEFAULT_PORTS, DomainRule

Rule = dict[str, object]
EVERYTHING: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))
# Of a pod its making and changing is looked at, and the containers that are added to debug it.
PODS: Final[Rule] = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["pods", "pods/ephemeralcontainers"],
}
_DNS_NAMESPACE: Final = "kube-system"
_DNS_LABELS: Final = {"k8s-app": "kube-dns"}
_DNS_PORT: Final = 53


def to_ranges(networks: Iterable[Network], port: int | None) -> Rule:
    """TCP to address ranges, without what a range never grants."""
    return {"to": [_block(network) for network in networks], "ports": _ports(port)}


def to_everything() -> Rule:
    """TCP to every port of every address that is not local."""
    return {"to": [_block(network) for network in EVERYTHING], "ports": [{"protocol": "TCP"}]}


def to_local() -> Rule:
    """TCP to every port of every local address."""
    blocks = [{"ipBlock": {"cidr": str(network)}} for network in local_ranges()]
    return {"to": blocks, "ports": [{"protocol": "TCP"}]}


def to_pods(namespace: str, labels: Mapping[str, str], port: int) -> Rule:
    """TCP to one port of pods in another namespace. Both selectors in one peer: each alone would be wider."""
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "podSelector": {"matchLabels": dict(labels)},
    }
    return {"to": [peer], "ports": [{"protocol": "TCP", "port": port}]}


def to_dns() -> Rule:
    """UDP and TCP to the cluster's DNS."""
    rule = to_pods(_DNS_NAMESPACE, _DNS_LABELS, _DNS_PORT)
    return {**rule, "ports": [{"protocol": name, "port": _DNS_PORT} for name in ("UDP", "TCP")]}


def to_name(rule: DomainRule) -> Rule:
    """TCP to a name. From Cilium 1.19 on `**.` is any depth; before, it is one label, as `*.` is."""
    selector = {"matchPattern": f"**.{rule.host}"} if rule.wildcard else {"matchName": rule.host}
    numbers = sorted(DEFAULT_PORTS) if rule.port is None else [rule.port]
    ports = [{"port": str(number), "protocol": "TCP"} for number in numbers]
    return {"toFQDNs": [selector], "toPorts": [{"ports": ports}]}


def to_seen_dns() -> Rule:
    """The cluster's DNS through Cilium's own, which has to see the answers."""
    labels = {f"k8s:{name}": value for name, value in _DNS_LABELS.items()}
    labels["k8s:io.kubernetes.pod.namespace"] = _DNS_NAMESPACE
    ports = [{"port": str(_DNS_PORT), "protocol": "ANY"}]
    names = {"dns": [{"matchPattern": "*"}]}
    return {"toEndpoints": [{"matchLabels": labels}], "toPorts": [{"ports": ports, "rules": names}]}


def _block(network: Network) -> Rule:
    block: Rule = {"cidr": str(network)}
    apart = not_granted(network)
    if apart:
        block["except"] = [str(hole) for hole in apart]
    return {"ipBlock": block}


def _ports(port: int | None) -> list[Rule]:
    numbers = sorted(DEFAULT_PORTS) if port is None else [port]
    return [{"protocol": "TCP", "port": number} for number in numbers]
