"""The egress proxy of this package: configuration that makes allowed domains real where a target knows none.

The proxy is another process, so what it refuses is refused for good, as long as nothing reaches the network
without it. That is a requirement of every claim here: a direct connection must be denied by the kernel ring.
"""

import re
from collections.abc import Iterable
from typing import Final

from tappass_host.policy.actions import Connect, EnvRead, UnixConnect
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.errors import RenderError
from tappass_host.policy.grammar.addresses import CidrRule
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.model import Secret
from tappass_host.sdk.artifacts import Endpoint, Launch
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Denied, Evidence, Item, Reach
from tappass_host.sdk.configs.egress import SCHEMA
from tappass_host.sdk.contract import Need, Options, ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.document import Doc
from tappass_host.sdk.lowering import NetFeatures, lower_net
from tappass_host.sdk.placeholders import placeholder, stays_outside

EVERYWHERE: Final = ("tool", "exec", "mcp", "code", "self")
PROCESSES: Final = ("exec", "mcp", "code", "self")
SOCKET: Final = "egress.sock"
RFC: Final = "https://www.rfc-editor.org/rfc/rfc9110#name-connect"


class EgressOptions(Options, frozen=True, kw_only=True):
    """Where the proxy listens, and how much it takes.

    Attributes:
        sandbox: the sandbox it serves, written into every audit record.
        uids: who may connect to its socket; its own user if empty.
        connections: at the same time.
        header_bytes: of one request.
        hello_bytes: of one TLS ClientHello.
        idle_s: after which a silent connection is ended.
        handshake_s: for a request or ClientHello to arrive.
    """

    sandbox: str = "default"
    uids: tuple[int, ...] = ()
    connections: int = 1024
    header_bytes: int = 32768
    hello_bytes: int = 16384
    idle_s: int = 300
    handshake_s: int = 10


LIMITS: Final = ("connections", "header_bytes", "hello_bytes", "idle_s", "handshake_s")

INFO: Final = ProviderInfo(
    id="egress-proxy",
    position="host",
    target="tappass-host egress proxy",
    version="1.0.0",
    sdk="1.0",
    versions=("0.1",),
    platforms=("linux", "darwin"),
    options=EgressOptions,
    effects={
        "egress": "live",
        "egress#/listen": "process_restart",
        "egress#/sandbox": "process_restart",
        "launch": "process_restart",
    },
    covers={"network": EVERYWHERE},
    cannot={
        "network.other": "sees only what is sent to it",
        "network.allow_unix": "forwards to hosts only",
        "head.freshness": "knows one configuration, not how old the newest statement is",
    },
    records=("proxy", "proxy-default", "proxy-local"),
)

# TEST-NET-3 (RFC 5737): stands for any host that is reached directly.
DIRECT: Final = Denied(Connect(host="203.0.113.1", port=443))
# What is not reached over the network at all, and what is reached on this machine and beside it.
UNIX: Final = Denied(UnixConnect(path="/run/unlisted.sock"))
NEARBY: Final = Denied(Connect(host="169.254.169.254", port=80))


def _reach(name: str, probe: str, *requires: Denied) -> Reach:
    evidence = Evidence(RFC, "2026-11-22", ("0.1",), f"egress-proxy/{probe}")
    return Reach(name, EVERYWHERE, "compulsory", evidence, requires=(DIRECT, *requires))


PROXY: Final = _reach("proxy", "domains")
DEFAULT: Final = _reach("proxy-default", "default", UNIX)
LOCAL: Final = _reach("proxy-local", "local", NEARBY)
EXPIRY: Final = _reach("expiry", "expiry")
SECRETS: Final = _reach("secrets", "secrets")._replace(surfaces=PROCESSES)

FEATURES: Final = NetFeatures(domains="native", floor="nothing", other=False)
TLS_PORT: Final = 443
OPAQUE: Final = "not TLS on 443: what is inside the tunnel is not checked"
OUTSIDE_ONLY: Final = "after it nothing gets out; what runs goes on"
CATEGORY: Final = "network.deny_categories["
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")

# The shipped bridge runs inside the sandbox on the system's own interpreter.
BRIDGE_NEEDS: Final = (
    Need("exec", "/usr/bin/python3", "runs the bridge that leads to the egress proxy"),
    Need("read", "/usr/lib", "what that interpreter loads"),
    Need("read", "/usr/lib64", "the loader of programs"),
)


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render the configuration of one proxy for one sandbox.

    Raises:
        RenderError: the sandbox has a name that is no file name.
    """
    b = Builder(INFO, policy, target)
    options = target.options_as(EgressOptions)
    if not NAME.fullmatch(options.sandbox):
        raise RenderError(f"{options.sandbox!r} is no name of a sandbox", remedy="use letters, digits, . _ -")
    socket = f"{target.paths.get('run', '/run/tappass')}/{options.sandbox}/{SOCKET}"
    doc = b.doc("egress", root="run", path=f"{options.sandbox}/egress.json", owner="user", mode=0o600)
    _head(b, doc, options, socket)
    _network(b, doc)
    _secrets(b, doc)
    b.launch(
        Launch(program="tappass-egress", args=("--config", doc.path)),
        by="the proxy runs from this file and nothing else",
    )
    b.offer(Endpoint(id=INFO.id, unix=socket))
    b.need(*BRIDGE_NEEDS)
    return b.build()


def _head(b: Builder, doc: Doc, options: EgressOptions, socket: str) -> None:
    policy, why = b.policy, "who the proxy is for"
    doc.set("/schema", SCHEMA, by=why)
    doc.set("/policy/digest", policy.digest, by=why)
    doc.set("/policy/version", policy.doc.version, by=why)
    expiry = Item("expires", policy.until, policy.ids("head.expires_at"), loss=OUTSIDE_ONLY)
    for item in b.lower([expiry], at=EXPIRY):
        doc.set("/policy/expires_at", item.value, by=item)
    doc.set("/sandbox", options.sandbox, by=why)
    doc.set("/mode", policy.doc.mode, by=why)
    doc.set("/listen/unix", socket, by="one socket for one sandbox")
    if options.uids:
        doc.set("/listen/uids", list(options.uids), by="nobody else may use it")
    for name in LIMITS:
        doc.set(f"/limits/{name}", getattr(options, name), by="its memory is bounded")


# Network.


def _network(b: Builder, doc: Doc) -> None:
    if b.policy.doc.network is None:
        unmanaged = "network is unmanaged: everything is forwarded"
        doc.set("/default", "allow", by=unmanaged)
        doc.set("/local", "allow", by=unmanaged)
    categories: dict[str, list[Item]] = {}
    for item in _lowered(b):
        if item.origins[0].startswith(CATEGORY):
            categories.setdefault(item.origins[0], []).append(item)
        else:
            _rule(doc, item)
    for statement, items in categories.items():
        _category(doc, statement, items)


def _lowered(b: Builder) -> Iterable[Item]:
    """Each item at the place whose requirements it has; what stands under the default has those of that."""
    items = lower_net(b.policy, FEATURES)
    default = set(b.policy.ids("network.default"))
    for item in items:
        at = LOCAL if item.op == "local" else PROXY
        at = DEFAULT if item.op == "default" or default.intersection(item.under) else at
        yield from b.lower([_opaque(item)], at=at)


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
            doc.add("/deny", text, by=item)


def _category(doc: Doc, statement: str, items: list[Item]) -> None:
    """A category stays recognisable, so that the denial text can name it."""
    category = statement.removeprefix(CATEGORY).removesuffix("]")
    domains = sorted({str(item.value) for item in items})
    doc.add("/category_deny", {"category": category, "domains": domains}, by=tuple(items))


# Secrets.


def _secrets(b: Builder, doc: Doc) -> None:
    """Secrets that are put in outside. That the sandbox does not hold them as well is for the kernel ring."""
    node = b.policy.doc.credentials
    for secret in node.secrets if node else ():
        if not stays_outside(secret):
            continue
        prefix = f"credentials.secrets[{secret.env}].domains["
        said = [s for s in b.policy.ids("credentials.secrets.domains") if s.startswith(prefix)]
        items = b.lower([Item("inject", secret.env, (s,)) for s in said], at=_secret_reach(secret))
        doc.add("/inject", _injection(secret), by=tuple(items))


def _secret_reach(secret: Secret) -> Reach:
    held = Denied(EnvRead(name=secret.env))
    return SECRETS._replace(id=f"secrets-{secret.env}", requires=(DIRECT, held))


def _injection(secret: Secret) -> dict[str, object]:
    return {
        "env": secret.env,
        "ref": secret.ref,
        "domains": sorted(secret.domains),
        "placeholder": placeholder(secret.env),
    }
