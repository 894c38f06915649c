"""Five tiny targets with real providers and real readers: an agent, a box, a calculator, a proxy and a gateway."""

from types import SimpleNamespace
from typing import NamedTuple

import pytest

from tappass_host.compiler.compile import compile_runtime
from tappass_host.compiler.effective import Surroundings
from tappass_host.compiler.oneline import parse_oneline
from tappass_host.policy import model as m
from tappass_host.policy.actions import Connect, File, UnixConnect
from tappass_host.policy.effect import Effect
from tappass_host.policy.grammar.domains import parse_domain
from tappass_host.policy.grammar.paths import parse_path
from tappass_host.sdk.artifacts import Artifact, ArtifactPath, Endpoint, Launch
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Component, Denied, Evidence, Fact, Item, Reach
from tappass_host.sdk.contract import Need, Options, ProviderInfo, TargetCapabilities
from tappass_host.sdk.facts import UNKNOWN
from tappass_host.sdk.reader import Ruling

HOME = "/home/u"
FIVE = ("tool", "exec", "mcp", "code", "self")
PROCESSES = ("exec", "mcp", "code", "self")
PAGE = Evidence("https://target.test/doc", "2026-11-22", ("1.0",), "probe/x")
VENDOR = "api.vendor.test"


class Fake(NamedTuple):
    info: ProviderInfo
    render: object
    reader: object


def listed(builder, aspect, at, pointer, *, refuse=None):
    """One native entry for each statement of an aspect, its id being the entry; `refuse` maps fields to reasons."""
    doc = builder.doc("rules", path=f"{builder.info.id}.json")
    items = [
        Item("say", s.id, (s.id,), refused=(refuse or {}).get(s.field, ""))
        for s in builder.policy.statements
        if s.aspect == aspect
    ]
    for item in builder.lower(items, at=at):
        doc.add(pointer, item.value, by=item)


# The agent: a harness that obeys its own settings.


class AgentOptions(Options, frozen=True, kw_only=True):
    headless: bool = False
    needs: tuple[tuple[str, str], ...] = (("read", "/opt/agent"), ("write", f"{HOME}/.agent"))


AGENT = ProviderInfo(
    id="agent",
    position="harness",
    target="Agent",
    version="1.0",
    sdk="1.0",
    versions=("1.0",),
    brings=("tool", "exec", "mcp", "llm", "self"),
    covers={"tools": ("tool",), "filesystem": ("tool",), "network": ("tool",)},
    options=AgentOptions,
)
SETTINGS = Reach("settings", ("tool",), "cooperative", PAGE)


def render_agent(policy, target):
    b = Builder(AGENT, policy, target)
    ask = {"tools.ask": "nobody is there to answer"} if target.options.headless else {}
    listed(b, "tools", SETTINGS, "/tools", refuse={**ask, "tools.constraints": "sees no arguments"})
    listed(b, "filesystem", SETTINGS, "/files")
    listed(b, "network", SETTINGS, "/hosts")
    b.doc("user", root="home", path=".agent/settings.json", scope="user").set("/managed", True, by="ours")
    gate = target.offers.get("gate")
    env = {"MODEL_URL": f"http://{gate.tcp}"} if gate else {}
    b.need(*(Need(kind, value, "it runs on that") for kind, value in target.options.needs))
    launch = Launch(
        program="agent", args=("--settings", ArtifactPath("rules")), env=env, rlimits={"nofile": 100}
    )
    b.launch(launch, by="starts it")
    return b.build()


class AgentNative:
    def permits(self, action):
        return None


# The box: a kernel that knows paths, and network on or off.


class BoxOptions(Options, frozen=True, kw_only=True):
    asks: bool = False
    asks_about: str = "/opt/agent"
    deaf: bool = False
    fd: str = "10"


BOX = ProviderInfo(
    id="box",
    position="kernel",
    target="Box",
    version="1.0",
    sdk="1.0",
    versions=("1.0",),
    aliases=("crate",),
    covers={"filesystem": FIVE, "network": FIVE, "credentials": PROCESSES},
    options=BoxOptions,
    wants=("proxy",),
)
MOUNTS = Reach("mounts", FIVE, "compulsory", PAGE)
NETNS = Reach("netns", FIVE, "compulsory", PAGE)
ENVIRONMENT = Reach("environment", PROCESSES, "compulsory", PAGE)
NO_NAMES = dict.fromkeys(
    ("network.allow_domains", "network.deny_domains", "network.allow_cidrs"), "knows on and off only"
)


def render_box(policy, target):
    b = Builder(BOX, policy, target)
    files = policy.doc.filesystem
    if files is not None:
        listed(b, "filesystem", MOUNTS, "/said")
        doc = b.doc("rules")
        for name in ("read_only", "read_write", "deny_paths"):
            doc.set(f"/paths/{name}", list(getattr(files, name)), by="what the reader reads")
        doc.set("/paths/workspace", files.workspace, by="what the reader reads")
        doc.set("/paths/default", files.default, by="what the reader reads")
    listed(b, "credentials", ENVIRONMENT, "/env")
    if policy.doc.network is not None:
        network(b, target)
    if target.options.asks:
        known = b.ask("path_kind", target.options.asks_about)
        there = known is not UNKNOWN and known != "missing"
        b.doc("rules").set("/paths/known", there, by="what is there can be mounted")
    launch = Launch(
        program="box", args=("--",), fds={target.options.fd: ArtifactPath("rules")}, rlimits={"nofile": 50}
    )
    b.launch(launch, by="starts it")
    return b.build()


def network(b, target):
    listed(b, "network", NETNS, "/net", refuse=NO_NAMES)
    b.doc("rules").set("/unix", list(b.policy.doc.network.allow_unix), by="what the reader reads")
    b.doc("rules").set("/net_is", b.policy.doc.network.default, by="what the reader reads")
    if "proxy" in target.offers and not target.options.deaf:
        b.doc("rules").set("/socket", target.offers["proxy"].unix, by="the way to the proxy")


class BoxNative:
    def __init__(self, doc):
        self.doc = doc

    def permits(self, action):
        if isinstance(action, File):
            return self.file(action)
        if isinstance(action, Connect) and "net_is" in self.doc:
            return Ruling(Effect(self.doc["net_is"]), "rules#/net[network.default[deny]]")
        if isinstance(action, UnixConnect) and "unix" in self.doc:
            return Ruling(Effect.ALLOW if action.path in self.doc["unix"] else Effect.DENY)
        return None

    def file(self, action):
        paths = self.doc.get("paths")
        if paths is None:
            return None
        if not paths.get("known", True):
            return Ruling(Effect.DENY)
        if any(parse_path(p).root == "/" and parse_path(p).matches(action.path) for p in paths["deny_paths"]):
            return Ruling(Effect.DENY)
        grants = [(p, "w") for p in (*paths["read_write"], paths["workspace"]) if p]
        grants += [(p, "r") for p in paths["read_only"]]
        covering = [
            (parse_path(p).literal, k)
            for p, k in grants
            if parse_path(p).root and parse_path(p).matches(action.path)
        ]
        if not covering:
            return Ruling(Effect.ALLOW if paths["default"] == "allow" else Effect.DENY)
        longest = max(n for n, _ in covering)
        mode = min(k for n, k in covering if n == longest)
        return Ruling(Effect.DENY if action.op == "write" and mode == "r" else Effect.ALLOW)


# The calculator: an interpreter.

CALC = ProviderInfo(
    id="calc",
    position="interpreter",
    target="Calc",
    version="1.0",
    sdk="1.0",
    versions=("1.0",),
    brings=("code",),
    covers={"interpreter": ("code",)},
)
MANIFEST = Reach("manifest", ("code",), "compulsory", PAGE)


def render_calc(policy, target):
    b = Builder(CALC, policy, target)
    listed(b, "interpreter", MANIFEST, "/allowed")
    b.launch(Launch(program="calc"), by="starts it")
    return b.build()


# The proxy: holds hosts, for whoever has no other way out.

PROXY = ProviderInfo(
    id="proxy",
    position="host",
    target="Proxy",
    version="1.0",
    sdk="1.0",
    covers={"network": FIVE},
)
ALLOWLIST = Reach("allowlist", FIVE, "compulsory", PAGE, requires=(Denied(Connect(host="example.net")),))
PROXY_AT = Endpoint(id="proxy-socket", unix="/run/proxy.sock")


def render_proxy(policy, target):
    b = Builder(PROXY, policy, target)
    listed(b, "network", ALLOWLIST, "/hosts", refuse={"network.allow_unix": "no business of a proxy"})
    if policy.doc.network is not None:
        b.doc("rules").set("/allow", list(policy.doc.network.allow_domains), by="what the reader reads")
    b.offer(PROXY_AT)
    return b.build()


class ProxyNative:
    def __init__(self, doc):
        self.doc = doc

    def permits(self, action):
        if not isinstance(action, Connect):
            return None
        rules = [parse_domain(text) for text in self.doc.get("allow", ())]
        allowed = any(rule.matches_allow(action.host, action.port) for rule in rules)
        return Ruling(Effect.ALLOW if allowed else Effect.DENY)


# The gateway: holds models, if there is no way around it.

GATE = ProviderInfo(
    id="gate",
    position="llm-gateway",
    target="Gate",
    version="1.0",
    sdk="1.0",
    covers={"llm": ("llm",)},
)
MODELS = Reach(
    "models",
    ("llm",),
    "compulsory",
    PAGE,
    requires=(Component("gate"), Denied(Connect(host=VENDOR)), Fact("feature", "clock", "true")),
)


def render_gate(policy, target):
    b = Builder(GATE, policy, target)
    listed(b, "llm", MODELS, "/models")
    b.offer(Endpoint(id="gate", tcp="127.0.0.1:4000"))
    return b.build()


class Reads:
    def __init__(self, native, *, doc=True):
        self.native, self.doc = native, doc

    def read(self, artifacts):
        rules = next((a.doc for a in artifacts if a.id == "rules"), {})
        return self.native(rules) if self.doc else self.native()


FAKES = {
    "agent": Fake(AGENT, render_agent, Reads(AgentNative, doc=False)),
    "box": Fake(BOX, render_box, Reads(BoxNative)),
    "calc": Fake(CALC, render_calc, Reads(AgentNative, doc=False)),
    "proxy": Fake(PROXY, render_proxy, Reads(ProxyNative)),
    "gate": Fake(GATE, render_gate, Reads(AgentNative, doc=False)),
}


def make_policy(**aspects):
    return m.Policy(
        version=7,
        issued_at="2026-01-01T00:00:00Z",
        not_before="2026-01-01T00:00:00Z",
        expires_at="2027-01-01T00:00:00Z",
        org_id="acme",
        **aspects,
    )


def make_compiled(policy, recipe, *, options=None, providers=FAKES, facts=None, **more):
    """Compile with the fakes; `recipe` is a recipe or one line, `options` are by use id."""
    import msgspec

    if isinstance(recipe, str):
        recipe = parse_oneline(recipe, providers)
    uses = tuple(
        msgspec.structs.replace(use, options={**use.options, **(options or {}).get(use.id, {})})
        for use in recipe.uses
    )
    recipe = msgspec.structs.replace(recipe, uses=uses)
    known = {
        use.id: TargetCapabilities(version="1.0", paths={"home": HOME, "etc": "/etc"}, facts=facts or {})
        for use in recipe.uses
    }
    compiler = more.pop("compiler", compile_runtime)
    before = more.pop("before", ())
    return compiler(*before, policy, recipe, providers, known, surroundings=Surroundings(home=HOME), **more)


@pytest.fixture
def fakes():
    """The providers by id, their parts, and short ways to compile with them."""
    return SimpleNamespace(
        providers=FAKES,
        Fake=Fake,
        Reads=Reads,
        home=HOME,
        policy=make_policy,
        compiled=make_compiled,
        artifact=Artifact,
        listed=listed,
        settings=SETTINGS,
    )
