"""Slack bots made with Bolt for Python: a guard in the app's process, and the least manifest for the app.

Two places hold. The guard judges what comes in (events, commands, actions) and what goes out (calls of the
Web API, and the functions that the app hands to its model), inside the app's own process: cooperative. Slack
itself refuses a call whose scope the app was not given, so the manifest asks for nothing that no rule lets
happen: compulsory, as far as scopes can tell calls apart.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.providers.harness.slack_bot.catalogue import SlackTool, known_tools, slack_tool
from tappass_host.sdk.artifacts import Endpoint, Launch, SecretRef
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Evidence, Item, Reach
from tappass_host.sdk.configs.guard import SCHEMA
from tappass_host.sdk.contract import Need, Options, ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.document import By, Doc
from tappass_host.sdk.lowering import Limit, LimitFeatures, Place, lower_limits, lower_verbatim

VERSIONS: Final = ("1.30",)
READ: Final = "2026-11-23"
BOLT: Final = "https://docs.slack.dev/tools/bolt-python/concepts/global-middleware"
MANIFEST_DOCS: Final = "https://docs.slack.dev/reference/app-manifest"
INSTALL: Final = "tappass_host.guard.adapters.slack_bolt:install"
LAUNCHER: Final = "tappass_host.guard.launch"


class SlackBotOptions(Options, frozen=True, kw_only=True):
    """The app, and how the guard gets into it.

    Attributes:
        sandbox: written into every audit record.
        install: `process` starts the app through the guard's launcher; `app` trusts its author to call it.
        app: the app's own arguments to Python: a file, or `-m` and a module.
        name: how the app is called in Slack.
        approval_channel: id of the channel where somebody is asked; empty denies what would be asked.
        socket_mode: events come over a connection of the app instead of requests to it.
        request_url: where Slack sends events without socket mode.
        bot_token_ref: reference of the bot token.
        signing_secret_ref: reference of the secret that requests are signed with.
    """

    sandbox: str = "default"
    install: Literal["process", "app"] = "process"
    app: tuple[str, ...] = ("app.py",)
    name: str = "agent"
    approval_channel: str = ""
    socket_mode: bool = True
    request_url: str = ""
    bot_token_ref: str = ""
    signing_secret_ref: str = ""


INFO: Final = ProviderInfo(
    id="slack-bot",
    position="harness",
    target="Slack bot (Bolt for Python)",
    version="0.1.0",
    sdk="1.0",
    versions=VERSIONS,
    platforms=("linux", "darwin"),
    options=SlackBotOptions,
    preview=True,
    brings=("tool", "exec", "llm", "self"),
    records=("guard", "arguments"),
    # A manifest is accepted by Slack, and scopes reach the token when the app is installed again.
    effects={"guard": "live", "manifest": "process_restart", "launch": "process_restart"},
    covers={
        "tools": ("tool",),
        "filesystem": ("tool",),
        "network": ("tool",),
        "budget": ("tool",),
        "head": ("tool",),
    },
    cannot={
        "filesystem@exec": "a guard in one process does not see what others do",
        "filesystem@self": "code of the app that is no tool goes past the guard",
        "network@exec": "a guard in one process does not see what others do",
        "network@self": "code of the app that is no tool goes past the guard",
        "mcp": "Bolt has no MCP client; a broker holds MCP",
        "llm": "the app talks to its model by itself; a gateway holds models",
        "budget.tokens_per_day@llm": "counts calls, not tokens; a gateway does",
        "budget.tokens_per_call@llm": "counts calls, not tokens; a gateway does",
        "budget.dollars_per_month@llm": "counts calls, not money; a gateway does",
        "process": "starts with the identity and the limits of whoever starts it",
        "credentials": "hands its environment on; a kernel ring holds the environment",
        "head.freshness": "sees one configuration, not how old the newest statement is",
    },
)

GUARD: Final = Reach("guard", ("tool",), "cooperative", Evidence(BOLT, READ, VERSIONS))
ARGUMENTS: Final = Reach(
    "arguments",
    ("tool",),
    "cooperative",
    Evidence(BOLT, READ, VERSIONS),
    escape="sees the files and hosts in a tool's arguments, not those that it opens by itself",
)
MANIFEST: Final = Reach("manifest", ("tool",), "compulsory", Evidence(MANIFEST_DOCS, READ, VERSIONS))

BY_AUTHOR: Final = "an app whose author does not call install is not guarded"
SCOPES: Final = "calls that share a scope with a granted one; scopes that an administrator adds by hand"
CALLS: Final = LimitFeatures(
    aspect="budget", fields=("tool_calls_per_minute",), holds={"tool_calls_per_minute": ""}, why={}
)


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render one app."""
    b = Builder(INFO, policy, target)
    options = target.options_as(SlackBotOptions)
    path = f"{options.sandbox}/guard.json"
    doc = b.doc("guard", root="run", path=path, owner="user", mode=0o600)
    _frame(b, doc, options)
    for item in b.lower(
        (_asked(item, options) for item in lower_verbatim(policy, "tools")), at=_at(GUARD, options)
    ):
        _rule(doc, item)
    for aspect in ("filesystem", "network"):
        for item in b.lower(lower_verbatim(policy, aspect), at=_at(ARGUMENTS, options)):
            _rule(doc, item)
    if policy.doc.network is not None and policy.doc.network.category_domains:
        domains = {name: list(found) for name, found in policy.doc.network.category_domains.items()}
        doc.set("/network/category_domains", domains, by="what the denied categories stand for")
    for item in b.lower(lower_limits(policy, CALLS), at=_at(GUARD, options)):
        assert isinstance(item.value, Limit)
        doc.set("/calls_per_minute", item.value.number, by=item)
    _manifest(b, doc, options)
    _launch(b, doc, options)
    return b.build()


def _at(reach: Reach, options: SlackBotOptions) -> Reach:
    if options.install == "process":
        return reach
    return reach._replace(escape="; ".join(part for part in (BY_AUTHOR, reach.escape) if part))


# The guard.


def _frame(b: Builder, doc: Doc, options: SlackBotOptions) -> None:
    policy, why = b.policy, "for which policy and sandbox"
    doc.set("/schema", SCHEMA, by=why)
    doc.set("/policy/digest", policy.digest, by=why)
    doc.set("/policy/version", policy.doc.version, by=why)
    doc.set("/sandbox", options.sandbox, by=why)
    doc.set("/mode", policy.doc.mode, by=why)
    doc.set("/adapter", {"id": "slack-bolt", "install": INSTALL, "by": options.install}, by="how it gets in")
    doc.set("/approvals/channel", options.approval_channel, by="where somebody is asked; nowhere means deny")
    expiry = Item("expires", policy.doc.expires_at, policy.ids("head.expires_at"))
    for item in b.lower([expiry], at=_at(GUARD, options)):
        doc.set("/policy/expires_at", item.value, by=item)


def _asked(item: Item, options: SlackBotOptions) -> Item:
    """Where nobody can be asked, an ask is denied."""
    assert isinstance(item.value, Place)
    asks = item.value.pointer == "/tools/ask" or item.value.value == "ask"
    return item._replace(fidelity="stricter") if asks and not options.approval_channel else item


def _rule(doc: Doc, item: Item) -> None:
    assert isinstance(item.value, Place)
    match item.op:
        case "set":
            doc.set(item.value.pointer, item.value.value, by=item)
        case "add":
            doc.add(item.value.pointer, item.value.value, by=item)
        case _:
            doc.credit(f"guard#{item.value.pointer}", by=item)


# The manifest: what Slack itself lets through.


def _manifest(b: Builder, doc: Doc, options: SlackBotOptions) -> None:
    manifest = b.doc("manifest", kind="resource", path="slack-bot/manifest.json", scope="workspace")
    why = "the app as Slack lists it"
    manifest.set("/display_information/name", options.name, by=why)
    manifest.set("/features/bot_user/display_name", options.name, by=why)
    manifest.set("/settings/socket_mode_enabled", options.socket_mode, by=why)
    manifest.set("/settings/token_rotation_enabled", True, by="a token that leaks is worth twelve hours")
    if options.request_url and not options.socket_mode:
        manifest.set("/settings/event_subscriptions/request_url", options.request_url, by=why)
    manifest.ensure("/oauth_config/scopes/bot", by="no scope but those below")
    default = _default(b.policy)
    sealed = Item("default", default, b.policy.ids("tools.default"), loss=SCOPES)
    for item in b.lower([sealed] if default == "deny" else [], at=MANIFEST):
        manifest.ensure("/oauth_config/scopes/bot", by=item)
    for tool, by in _open(b, default):
        _grant(doc, manifest, tool, by, "" if options.socket_mode else options.request_url)


def _default(policy: EffectivePolicy) -> str:
    """What becomes of a call that no rule names; Slack records nothing, so observe mode lets it through."""
    open_ = policy.doc.tools is None or policy.doc.mode == "observe"
    return "allow" if open_ or policy.doc.tools is None else policy.doc.tools.default


def _open(b: Builder, default: str) -> Iterator[tuple[SlackTool, By]]:
    """What the policy leaves open, each with the rule that does, or why it is open without one."""
    index = b.policy.tools
    denied = {e.rule.name for e in index.deny if e.rule.spec is None}
    asked = {e.rule.name for e in index.ask}
    granted = [
        Item("allow", tool, (entry.statement,))
        for entry in index.allow
        if (tool := slack_tool(entry.rule.name)) and entry.rule.name not in denied | asked
    ]
    for item in b.lower(granted, at=MANIFEST):
        assert isinstance(item.value, SlackTool)
        yield item.value, item
    for name in sorted(asked - denied):
        if (tool := slack_tool(name)) is not None:
            yield tool, "called after somebody was asked"
    for tool in known_tools() if default != "deny" else ():
        if tool.tool not in denied | asked:
            yield tool, f"what no rule names: {default}"


def _grant(doc: Doc, manifest: Doc, tool: SlackTool, by: By, url: str) -> None:
    entry = {"tool": tool.tool, "kind": tool.kind, "native": tool.native, "scopes": list(tool.scopes)}
    doc.add("/catalogue", entry, by=by)
    for scope in tool.scopes:
        manifest.add("/oauth_config/scopes/bot", scope, by=by)
    match tool.kind:
        case "event":
            manifest.add("/settings/event_subscriptions/bot_events", tool.native, by=by)
        case "command":
            command: dict[str, object] = {"command": tool.native, "description": tool.tool}
            command |= {"url": url} if url else {}
            manifest.add("/features/slash_commands", command, by=by)


# The process.


def _launch(b: Builder, doc: Doc, options: SlackBotOptions) -> None:
    found = b.ask("program", "python3")
    python = found if isinstance(found, str) and found else "python3"
    gateways = {name: b.target.offers[name] for name in GATEWAYS if name in b.target.offers}
    guarded = ("-m", LAUNCHER, "--config", doc.path, "--") if options.install == "process" else ()
    b.launch(
        Launch(program=python, args=(*guarded, *options.app), env=_env(options, gateways)),
        by="the guard is there before any code of the app is",
    )
    b.need(*NEEDS, *((SOCKET_NEED,) if options.socket_mode else ()))
    b.need(*(Need("connect", endpoint.tcp, "the gateway to its models") for endpoint in gateways.values()))
    if python.startswith("/"):
        b.need(Need("exec", python, "runs the app"))


def _env(options: SlackBotOptions, gateways: Mapping[str, Endpoint]) -> dict[str, str | SecretRef]:
    env: dict[str, str | SecretRef] = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    env |= {GATEWAYS[name]: f"http://{endpoint.tcp}" for name, endpoint in gateways.items()}
    secrets = {
        "SLACK_BOT_TOKEN": options.bot_token_ref,
        "SLACK_SIGNING_SECRET": options.signing_secret_ref,
    }
    return env | {name: SecretRef(ref) for name, ref in secrets.items() if ref}


# Where SDKs of model vendors look for the URL to call.
GATEWAYS: Final = {"llm-gateway-anthropic": "ANTHROPIC_BASE_URL", "llm-gateway-openai": "OPENAI_BASE_URL"}
NEEDS: Final = (
    Need("connect", "slack.com:443", "the Web API"),
    Need("connect", "hooks.slack.com:443", "answers to commands and buttons go to their response_url"),
)
SOCKET_NEED: Final = Need("connect", "wss-primary.slack.com:443", "events come over this connection")
