"""The LLM gateway of this package, in front of Anthropic's Messages API, and the environment of its clients.

The gateway is another process, so what it refuses is refused for good, as long as nothing reaches the vendor
without it. A base URL in the environment only asks a client to come here; that is why every claim requires
that a direct connection to the vendor, and to each upstream, is denied by somebody else.
"""

from collections.abc import Iterator
from typing import Any, Final, get_args
from urllib.parse import urlsplit

import msgspec

from tappass_host.policy.actions import Connect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import RenderError
from tappass_host.policy.model import Redact, Upstream
from tappass_host.providers.llm_gateway.llm_gateway_anthropic.routes import BASIC, FURTHER, Route
from tappass_host.sdk.artifacts import Endpoint, Launch, SecretRef
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Denied, Evidence, Item, Reach
from tappass_host.sdk.configs.llm_gateway import SCHEMA, Detector, keeps_secrets, names
from tappass_host.sdk.contract import Options, ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.document import By, Doc, escape
from tappass_host.sdk.lowering import Limit, LimitFeatures, LlmFeatures, lower_limits, lower_llm

VERSIONS: Final = ("0.1",)
VENDOR: Final = Upstream(id="anthropic", kind="anthropic", base_url="https://api.anthropic.com")
SOCKET: Final = "llm.sock"
# Claude Code needs the first two passed on (code.claude.com/docs/en/llm-gateway, read 2026-11-23).
FORWARD: Final = ("anthropic-beta", "anthropic-version", "content-type", "user-agent")


class GatewayOptions(Options, frozen=True, kw_only=True):
    """Where the gateway listens, and what it adds where the policy names no upstream.

    Attributes:
        sandbox: the sandbox it serves, written into every audit record.
        port: port on the sandbox's own loopback by which clients reach it.
        uids: who may connect to its socket; its own user if empty.
        tcp: `address:port` to listen on besides the socket; needs `token_ref`.
        token_ref: reference of the token that clients show.
        auth_ref: reference of the vendor's key; empty passes the client's own on.
    """

    sandbox: str = "default"
    port: int = 8787
    uids: tuple[int, ...] = ()
    tcp: str = ""
    token_ref: str = ""
    auth_ref: str = ""


INFO: Final = ProviderInfo(
    id="llm-gateway-anthropic",
    aliases=("anthropic-gateway",),
    position="llm-gateway",
    target="tappass-host LLM gateway, Anthropic Messages",
    version="0.1.0",
    sdk="1.0",
    versions=VERSIONS,
    platforms=("linux", "darwin"),
    options=GatewayOptions,
    preview=True,
    effects={
        "gateway": "live",
        "gateway#/listen": "process_restart",
        "client": "next_session",
        "launch": "process_restart",
    },
    covers={"llm": ("llm",), "budget": ("llm", "tool"), "head": ("llm",)},
    records=("gateway", "tool-calls"),
    cannot={"head.freshness": "sees one configuration, not how old the newest statement is"},
)

EVIDENCE: Final = Evidence("https://code.claude.com/docs/en/llm-gateway", "2026-11-23", VERSIONS)
GATEWAY: Final = Reach("gateway", ("llm",), "compulsory", EVIDENCE)
# A harness calls a tool because a model asked for it, and that answer passes here.
CALLS: Final = Reach(
    "tool-calls", ("tool",), "compulsory", EVIDENCE, escape="counts only the calls that a model asks for"
)

MODELS: Final = LlmFeatures(
    closed=True,
    routes=frozenset(route.route for route in FURTHER),
    upstreams=frozenset({VENDOR.kind}),
    detectors=frozenset(get_args(Detector)),
    gateway=True,
)
_SPENT: Final = ("tokens_per_day", "tokens_per_call", "dollars_per_month")
SPENDING: Final = LimitFeatures(aspect="budget", fields=_SPENT, holds=dict.fromkeys(_SPENT, ""), why={})
CALLING: Final = LimitFeatures(
    aspect="budget", fields=("tool_calls_per_minute",), holds={"tool_calls_per_minute": ""}, why={}
)
UNMETERED: Final = "what batches and files use is not counted"
NO_UPSTREAM: Final = "the policy names upstreams, and none of them can be used"
IN_THE_CLEAR: Final = "its credential would cross the network in the clear"
UNMANAGED: Final = "llm is unmanaged: everything is forwarded"


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render one gateway for one sandbox.

    Raises:
        RenderError: it shall listen on TCP, and no token is named.
    """
    b = Builder(INFO, policy, target)
    options = target.options_as(GatewayOptions)
    if options.tcp and not options.token_ref:
        raise RenderError("option tcp needs token_ref", remedy="name a token, or use the socket alone")
    folder = options.sandbox
    doc = b.doc("gateway", root="run", path=f"{folder}/llm-gateway.json", owner="user", mode=0o600)
    env = b.doc("client", root="run", path=f"{folder}/llm.env", codec="env", owner="user", mode=0o600)
    requires = tuple(Denied(direct) for direct in _direct(policy))
    _frame(b, doc, options, GATEWAY._replace(requires=requires))
    _listen(b, doc, options)
    _models(b, doc, env, options, GATEWAY._replace(requires=requires))
    for features, reach in ((SPENDING, GATEWAY), (CALLING, CALLS)):
        for item in b.lower(_spending(policy, features), at=reach._replace(requires=requires)):
            _limit(doc, item)
    _prices(b, doc)
    _client(b, doc, env, options)
    launch = Launch(program="tappass-host", args=("gateway", "--config", doc.path))
    b.launch(launch, by="the gateway runs from this file and nothing else")
    return b.build()


# What nobody may reach without the gateway.


def _served(policy: EffectivePolicy) -> list[Upstream]:
    upstreams = policy.doc.llm.upstreams if policy.doc.llm else ()
    return [u for u in upstreams if u.kind in MODELS.upstreams and not _in_the_clear(u)]


def _in_the_clear(upstream: Upstream) -> bool:
    return bool(upstream.auth_ref) and not keeps_secrets(upstream.base_url)


def _direct(policy: EffectivePolicy) -> Iterator[Connect]:
    for url in dict.fromkeys(upstream.base_url for upstream in (VENDOR, *_served(policy))):
        parts = urlsplit(url)
        yield Connect(host=parts.hostname or "", port=parts.port or (80 if parts.scheme == "http" else 443))


# The frame: for which policy, and where it listens.


def _frame(b: Builder, doc: Doc, options: GatewayOptions, reach: Reach) -> None:
    policy, why = b.policy, "for which policy, API and sandbox"
    doc.set("/schema", SCHEMA, by=why)
    doc.set("/policy/digest", policy.digest, by=why)
    doc.set("/policy/version", policy.doc.version, by=why)
    doc.set("/api", "anthropic", by=why)
    doc.set("/sandbox", options.sandbox, by=why)
    doc.set("/mode", policy.doc.mode, by=why)
    for header in FORWARD:
        doc.add("/forward", header, by="what the API needs of its client; nothing else is passed on")
    expiry = Item("expires", policy.doc.expires_at, policy.ids("head.expires_at"))
    for item in b.lower([expiry], at=reach):
        doc.set("/policy/expires_at", item.value, by=item)


def _listen(b: Builder, doc: Doc, options: GatewayOptions) -> None:
    socket = f"{b.target.paths.get('run', '/run/tappass')}/{options.sandbox}/{SOCKET}"
    doc.set("/listen/unix", socket, by="one socket for one sandbox")
    if options.uids:
        doc.set("/listen/uids", list(options.uids), by="nobody else may use it")
    if options.tcp:
        doc.set("/listen/tcp", options.tcp, by="for clients that know no unix sockets")
    if options.token_ref:
        doc.set("/listen/token_ref", options.token_ref, by="who shows it is the sandbox")
    b.offer(Endpoint(id=INFO.id, unix=socket, tcp=urlsplit(_url(b.policy, options)).netloc))


def _url(policy: EffectivePolicy, options: GatewayOptions) -> str:
    """How clients call the gateway: as the policy says, else at the bridge inside the sandbox."""
    llm = policy.doc.llm
    return llm.gateway_url if llm and llm.gateway_url else f"http://127.0.0.1:{options.port}"


# Models, routes, upstreams, redaction.


def _models(b: Builder, doc: Doc, env: Doc, options: GatewayOptions, reach: Reach) -> None:
    llm = b.policy.doc.llm
    for pointer in ("/upstreams", "/routes"):
        doc.ensure(pointer, by="what is not listed is not there")
    if llm is None or not llm.upstreams:
        _upstream(doc, VENDOR, options.auth_ref, by="where the policy names none, the vendor itself")
    for route in BASIC:
        _route(doc, route, by="served for every model that may be asked")
    if llm is None:
        doc.set("/models/default", "allow", by=UNMANAGED)
        for route in FURTHER:
            _route(doc, route, by=UNMANAGED)
    sealed = llm is not None and bool(llm.upstreams) and not _served(b.policy)
    for item in b.lower((_usable(item, sealed) for item in lower_llm(b.policy, MODELS)), at=reach):
        _rule(doc, env, item)


def _usable(item: Item, sealed: bool) -> Item:
    """Without an upstream nothing is forwarded: every restriction holds, and no grant works."""
    if isinstance(item.value, Upstream) and _in_the_clear(item.value) and not item.refused:
        return item._replace(refused=IN_THE_CLEAR)
    grants = item.op in ("allow", "route") or (item.op, item.value) == ("default", "allow")
    return item._replace(refused=NO_UPSTREAM) if sealed and grants and not item.refused else item


def _rule(doc: Doc, env: Doc, item: Item) -> None:
    match item.op, item.value:
        case "default", _:
            doc.set("/models/default", item.value, by=item)
        case (("allow" | "deny"), _):
            doc.add(f"/models/{item.op}", item.value, by=item)
        case "gateway", _:
            doc.set("/public_url", item.value, by=item)
            env.set("/ANTHROPIC_BASE_URL", item.value, by=item)
        case "route", _:
            for route in FURTHER:
                if route.route == item.value:
                    _route(doc, route, by=item)
        case "upstream", Upstream() as upstream:
            _upstream(doc, upstream, upstream.auth_ref, by=item)
        case "redact", Redact() as rule:
            doc.add("/redact", msgspec.to_builtins(rule), by=item)


def _route(doc: Doc, route: Route, *, by: By) -> None:
    doc.add("/routes", route._asdict(), by=by)


def _upstream(doc: Doc, upstream: Upstream, auth_ref: str, *, by: By) -> None:
    entry: dict[str, Any] = {"id": upstream.id, "kind": upstream.kind, "base_url": upstream.base_url}
    if auth_ref:
        entry["auth"] = {"header": "x-api-key", "ref": auth_ref}
    doc.add("/upstreams", entry, by=by)


# What may be spent.


def _spending(policy: EffectivePolicy, features: LimitFeatures) -> Iterator[Item]:
    further = policy.doc.llm is None or bool(policy.doc.llm.routes)
    for item in lower_limits(policy, features):
        assert isinstance(item.value, Limit)
        metered = item.value.field == "tool_calls_per_minute" or not further
        unpriced = item.value.field == "dollars_per_month" and not _all_priced(policy)
        yield item._replace(loss="" if metered else UNMETERED, fidelity="stricter" if unpriced else "exact")


def _all_priced(policy: EffectivePolicy) -> bool:
    """Whether every model that may be asked has a price; one that has none is refused."""
    llm = policy.doc.llm
    if llm is None or llm.default == "allow":
        return False
    return all(any(names(price, model) for price in llm.prices) for model in llm.models.allow)


def _limit(doc: Doc, item: Item) -> None:
    assert isinstance(item.value, Limit)
    doc.set(f"/budget/{item.value.field}", item.value.number, by=item)


def _prices(b: Builder, doc: Doc) -> None:
    policy = b.policy.doc
    agent = "/".join(part for part in (policy.org_id, policy.project_id, policy.agent_id) if part)
    state = b.target.paths.get("state", "/var/lib/tappass")
    doc.set("/budget/agent", agent, by="whom use is counted for, over all sandboxes")
    doc.set("/budget/ledger", f"{state}/ledger/llm.sqlite", by="use is kept across restarts")
    for model, price in sorted(policy.llm.prices.items()) if policy.llm else ():
        why = "the unit in which dollars are counted"
        doc.set(f"/prices/{escape(model)}", msgspec.to_builtins(price), by=why)


# The client's side (code.claude.com/docs/en/llm-gateway-connect, read 2026-11-23).


def _client(b: Builder, doc: Doc, env: Doc, options: GatewayOptions) -> None:
    url, why = _url(b.policy, options), "clients come here instead of to the vendor"
    doc.set("/public_url", url, by=why)
    env.set("/ANTHROPIC_BASE_URL", url, by=why)
    # A client does not start without a credential; behind a socket of its own no secret is needed.
    token = SecretRef(options.token_ref) if options.token_ref else "sandbox"
    env.set("/ANTHROPIC_AUTH_TOKEN", token, by="what clients show; the gateway never passes it on")
    why = "update checks and reports of errors would go to the vendor directly"
    env.set("/CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1", by=why)
