"""Model rules for a target: which models, through which gateway, on which routes, to which upstreams."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Llm
from tappass_host.sdk.claims import Item

EMPTY: Final = "an empty list of models restricts nothing"


class LlmFeatures(NamedTuple):
    """What a target can hold.

    Attributes:
        closed: whether it refuses a model that nobody lists.
        empty: whether an empty list of models means none.
        wildcards: whether a model name may end in `*`.
        deny: whether it has a deny list that beats its allow list.
        routes: names of further routes (`batches`, `files`, ...) that it can open.
        upstreams: kinds of upstream that it can send to.
        detectors: what it can find in order to redact it.
        gateway: whether it holds that requests go to `llm.gateway_url`.
        why: reason by field (`routes`, `upstreams`, `redact`, `gateway_url`), where it holds none of it.
    """

    closed: bool
    empty: bool = True
    wildcards: bool = True
    deny: bool = True
    routes: frozenset[str] = frozenset()
    upstreams: frozenset[str] = frozenset()
    detectors: frozenset[str] = frozenset()
    gateway: bool = False
    why: Mapping[str, str] = {}


def lower_llm(policy: EffectivePolicy, features: LlmFeatures) -> list[Item]:
    """Lower the llm aspect; empty where it is unmanaged.

    Ops: `default` or `open` (value the effect), `allow`, `deny` (value a model name), `gateway` (a URL),
    `route` (its name), `upstream` (an `Upstream`), `redact` (a `Redact`, in the policy's order).
    """
    node = policy.doc.llm
    if node is None:
        return []
    return [
        _default(policy, node, features),
        *(_allow(name, features) for name in node.models.allow),
        *(_deny(policy, node, name, features) for name in node.models.deny),
        *_gateway(node, features),
        *(_route(name, features) for name in node.routes),
        *_upstreams(node, features),
        *_redactions(node, features),
    ]


def _default(policy: EffectivePolicy, node: Llm, f: LlmFeatures) -> Item:
    item = Item("default", node.default, policy.ids("llm.default"))
    if node.default == "allow":
        return item if f.closed else item._replace(op="open")
    if not f.closed:
        return item._replace(refused="leaves open every model that nobody lists")
    return item._replace(refused=EMPTY) if not f.empty and not node.models.allow else item


def _allow(name: str, f: LlmFeatures) -> Item:
    exact = f.wildcards or not name.endswith("*")
    item = Item("allow", name, (f"llm.models.allow[{name}]",))
    return item if exact else item._replace(refused="model names are exact here")


def _deny(policy: EffectivePolicy, node: Llm, name: str, f: LlmFeatures) -> Item:
    item = Item("deny", name, (f"llm.models.deny[{name}]",))
    if not f.wildcards and name.endswith("*"):
        return item._replace(refused="model names are exact here")
    if f.deny:
        return item
    sealed = node.default == "deny" and f.closed and not any(_meet(name, a) for a in node.models.allow)
    if sealed:
        return item._replace(under=policy.ids("llm.default"))
    return item._replace(refused="has no deny list that beats a granted model")


def _meet(one: str, other: str) -> bool:
    """True if some model has both names."""
    a, b = one.removesuffix("*"), other.removesuffix("*")
    if one.endswith("*") and other.endswith("*"):
        return a.startswith(b) or b.startswith(a)
    if one.endswith("*"):
        return b.startswith(a)
    return a.startswith(b) if other.endswith("*") else a == b


def _gateway(node: Llm, f: LlmFeatures) -> Iterator[Item]:
    if node.gateway_url:
        origins = (f"llm.gateway_url[{node.gateway_url}]",)
        yield Item("gateway", node.gateway_url, origins, refused="" if f.gateway else _why(f, "gateway_url"))


def _route(name: str, f: LlmFeatures) -> Item:
    known = name in f.routes
    why = "" if known else f"has no route {name}" if f.routes else _why(f, "routes")
    return Item("route", name, (f"llm.routes[{name}]",), refused=why)


def _upstreams(node: Llm, f: LlmFeatures) -> Iterator[Item]:
    for upstream in node.upstreams:
        known = upstream.kind in f.upstreams
        why = "" if known else f"does not speak {upstream.kind}" if f.upstreams else _why(f, "upstreams")
        yield Item("upstream", upstream, (f"llm.upstreams[{upstream.id}]",), refused=why)


def _redactions(node: Llm, f: LlmFeatures) -> Iterator[Item]:
    for rule in node.redact:
        known = rule.detector in f.detectors
        why = "" if known else f"has no detector {rule.detector}" if f.detectors else _why(f, "redact")
        origins = (f"llm.redact[{rule.detector}:{rule.action}:{rule.direction}]",)
        yield Item("redact", rule, origins, refused=why)


def _why(f: LlmFeatures, field: str) -> str:
    return f.why.get(field, "asks models, and does not look into what is asked")
