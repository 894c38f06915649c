"""The egress proxy of this package: configuration that makes allowed domains real where a target knows none.

The proxy is another process, so what it refuses is refused for good, as long as nothing reaches the network
without it. That is a requirement of every claim here: a direct connection must be denied by the kernel ring.
"""

from typing import Final

from tappass_host.policy.actions import Connect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.addresses import CidrRule
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.sdk.artifacts import Endpoint, Launch
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Denied, Evidence, Item, Reach
from tappass_host.sdk.configs.egress import SCHEMA
from tappass_host.sdk.contract import Need, Options, ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.document import Doc
from tappass_host.sdk.lowering import NetFeatures, lower_net

EVERYWHERE: Final = ("tool", "exec", "mcp", "code", "self")
SOCKET: Final = "egress.sock"


class EgressOptions(Options, frozen=True, kw_only=True):
    """Where the proxy listens.

    Attributes:
        sandbox: the sandbox it serves, written into every audit record.
        uids: who may connect to its socket; its own user if empty.
    """

    sandbox: str = "default"
    uids: tuple[int, ...] = ()


INFO: Final = ProviderInfo(
    id="egress-proxy",
    position="host",
    target="tappass-host egress proxy",
    version="1.0.0",
    sdk="1.0",
    versions=("0.1",),
    platforms=("linux", "darwin"),
    options=EgressOptions,
    effects={"egress": "live", "launch": "process_restart"},
    covers={"network": EVERYWHERE},
    cannot={
        "network.other": "sees only what is sent to it",
        "network.allow_unix": "forwards to hosts only",
    },
)

# TEST-NET-3 (RFC 5737): stands for any host that is reached directly.
DIRECT: Final = Connect(host="203.0.113.1", port=443)
PROXY: Final = Reach(
    "proxy",
    EVERYWHERE,
    "compulsory",
    Evidence(
        "https://www.rfc-editor.org/rfc/rfc9110#name-connect", "2026-11-22", ("0.1",), "egress-proxy/domains"
    ),
    requires=(Denied(DIRECT),),
)
FEATURES: Final = NetFeatures(domains="native", floor="nothing", other=False)
TLS_PORT: Final = 443
OPAQUE: Final = "not TLS on 443: what is inside the tunnel is not checked"

# The shipped bridge runs inside the sandbox on the system's own interpreter.
BRIDGE_NEEDS: Final = (
    Need("exec", "/usr/bin/python3", "runs the bridge that leads to the egress proxy"),
    Need("read", "/usr/lib", "what that interpreter loads"),
)


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render the configuration of one proxy for one sandbox."""
    b = Builder(INFO, policy, target)
    options = target.options if isinstance(target.options, EgressOptions) else EgressOptions()
    socket = f"{target.paths.get('run', '/run/tappass')}/{options.sandbox}/{SOCKET}"
    doc = b.doc("egress", root="run", path=f"{options.sandbox}/egress.json", owner="user", mode=0o600)
    _head(doc, policy, options, socket)
    for item in b.lower((_opaque(item) for item in lower_net(policy, FEATURES)), at=PROXY):
        _rule(doc, item)
    b.launch(
        Launch(program="tappass-egress", args=("--config", doc.path)),
        by="the proxy runs from this file and nothing else",
    )
    b.offer(Endpoint(id=INFO.id, unix=socket))
    b.need(*BRIDGE_NEEDS)
    return b.build()


def _head(doc: Doc, policy: EffectivePolicy, options: EgressOptions, socket: str) -> None:
    why = "who the proxy is for, and until when"
    doc.set("/schema", SCHEMA, by=why)
    doc.set("/policy/digest", policy.digest, by=why)
    doc.set("/policy/version", policy.doc.version, by=why)
    doc.set("/policy/expires_at", policy.doc.expires_at, by=why)
    doc.set("/sandbox", options.sandbox, by=why)
    doc.set("/mode", policy.doc.mode, by=why)
    doc.set("/listen/unix", socket, by="one socket for one sandbox")
    if options.uids:
        doc.set("/listen/uids", list(options.uids), by="nobody else may use it")
    if policy.doc.network is None:
        unmanaged = "network is unmanaged: everything is forwarded"
        doc.set("/default", "allow", by=unmanaged)
        doc.set("/local", "allow", by=unmanaged)


def _opaque(item: Item) -> Item:
    return item._replace(loss=OPAQUE) if item.op in ("allow", "cidr") and _is_opaque(item) else item


def _is_opaque(item: Item) -> bool:
    assert isinstance(item.value, (DomainRule, CidrRule))
    return item.value.port not in (None, TLS_PORT)


def _rule(doc: Doc, item: Item) -> None:
    text = str(item.value)
    match item.op:
        case "default" | "local":
            doc.set(f"/{item.op}", text, by=item)
        case "allow" | "cidr":
            doc.add("/allow" if item.op == "allow" else "/allow_cidrs", text, by=item)
            if _is_opaque(item):
                doc.add("/opaque", text, by=item)
        case "deny":
            _deny(doc, item, text)


def _deny(doc: Doc, item: Item, text: str) -> None:
    """A category stays recognisable, so that the denial text can name it."""
    prefix = "network.deny_categories["
    if not item.origins[0].startswith(prefix):
        doc.add("/deny", text, by=item)
        return
    category = item.origins[0].removeprefix(prefix).removesuffix("]")
    doc.add("/category_deny", {"category": category, "domains": [text]}, by=item)
