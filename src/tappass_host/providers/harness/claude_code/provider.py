"""Claude Code: managed settings, the exclusive set of MCP servers, and a supervised launch.

The rules of the harness are judged by the harness itself, so everything here is cooperative except its Bash
sandbox, which is the kernel's. Inside a kernel ring that sandbox is left out (the ring forbids the user
namespaces it needs) and the ring carries those claims.

Mode `dontAsk` is the closed mode, and it is not as closed as its name: harmless-looking commands,
documentation hosts, reads below the working folder and bookkeeping tools run without any rule. Each is
denied by name.
"""

from collections.abc import Iterable
from typing import Final, Literal

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.commands import CommandPattern
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.grammar.tools import CANONICAL_TOOLS, ToolRule
from tappass_host.policy.model import McpServer
from tappass_host.providers.harness.claude_code.binary import (
    GRANTED_WRAPPERS,
    INTERNAL,
    NATIVE,
    PREAPPROVED_HOSTS,
    READ_ONLY_COMMANDS,
    UNSEEN_WRAPPERS,
    VERSIONS,
)
from tappass_host.providers.harness.claude_code.spelling import paths, rules, spellable
from tappass_host.sdk.artifacts import Launch, SecretRef
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Evidence, Item, Reach
from tappass_host.sdk.contract import Need, Options, ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.document import Doc, escape
from tappass_host.sdk.lowering import (
    FsEntry,
    FsFeatures,
    McpFeatures,
    McpTool,
    NetFeatures,
    ToolFeatures,
    lower_fs,
    lower_mcp,
    lower_net,
    lower_tools,
)

DOCS: Final = "https://code.claude.com/docs/en"
READ: Final = "2026-11-23"


class ClaudeCodeOptions(Options, frozen=True, kw_only=True):
    """Where the settings go and how closed they are.

    Attributes:
        config_tier: `managed` files of root, or the `user` file that whoever runs it can edit: a downgrade.
        drop_in: write a drop-in of the managed folder instead of the whole settings file.
        sandbox: its own Bash sandbox: `auto` is on unless a kernel ring encloses it.
        min_version: older ones refuse to start.
        max_version: newer ones refuse to start, so every tool has been looked at; `any` for no bound.
    """

    config_tier: Literal["managed", "user"] = "managed"
    drop_in: bool = False
    sandbox: Literal["auto", "on", "off"] = "auto"
    min_version: str = VERSIONS[0]
    max_version: str = VERSIONS[-1]


INFO: Final = ProviderInfo(
    id="claude-code",
    position="harness",
    target="Claude Code",
    version="1.0.0",
    sdk="1.0",
    versions=VERSIONS,
    options=ClaudeCodeOptions,
    brings=("tool", "exec", "mcp", "llm", "self"),
    effects={"settings": "live", "mcp": "next_session", "launch": "next_session"},
    covers={
        "tools": ("tool",),
        "mcp": ("tool",),
        "filesystem": ("tool", "exec"),
        "network": ("tool", "exec"),
        "llm": ("llm",),
    },
    cannot={
        "filesystem@mcp": "its sandbox holds the Bash tool only, not MCP servers",
        "filesystem@self": "nothing here binds its own process, plugins or hooks",
        "network@mcp": "its sandbox holds the Bash tool only, not MCP servers",
        "network@self": "nothing here binds its own process, plugins or hooks",
        "network.allow_unix": "has no setting for one socket that holds on Linux",
        "llm.routes": "asks one route of its own choice; a gateway holds routes",
        "llm.upstreams": "talks to one base URL; a gateway chooses upstreams",
        "llm.redact": "sends what it has; a gateway redacts",
        "budget.tokens_per_day": "counts no tokens over a day; a gateway does",
        "budget.tokens_per_call": "counts no tokens per call; a gateway does",
        "budget.dollars_per_month": "counts no money; a gateway does",
        "budget.tool_calls_per_minute": "counts no calls; the decision service does",
        "process": "starts processes with its own identity and limits",
        "credentials": "hands its environment on; the kernel ring holds the environment",
        "head": "settings have no expiry; the supervisor holds it",
    },
)


def _reach(name: str, *surfaces: str, page: str = "permissions", strength: str = "cooperative") -> Reach:
    evidence = Evidence(f"{DOCS}/{page}", READ, VERSIONS, f"claude-code/{name}")
    return Reach(name, surfaces, strength, evidence)  # type: ignore[arg-type]


PERMISSIONS: Final = _reach("permissions", "tool")
SERVERS: Final = _reach("mcp", "tool", page="mcp")
MODELS: Final = _reach("models", "llm", page="settings")
SANDBOX: Final = _reach("sandbox", "exec", page="sandboxing", strength="compulsory")
USER_TIER: Final = "whoever runs it can edit the user's settings file"

IN_PROMPTS: Final = FsFeatures(nesting="deny_first", floor="prompt", glob=True, grants=False)
CLOSED: Final = IN_PROMPTS._replace(floor="nothing")
BASH_FILES: Final = FsFeatures(nesting="deny_first", floor="read")
FETCHES: Final = NetFeatures(domains="native", floor="nothing", ports=False, cidrs=False, local="entry")
BASH_NET: Final = NetFeatures(domains="native", floor="nothing", ports=False, cidrs=False, local="shut")
MCP: Final = McpFeatures(servers="identity", tools=True, ask=False)

# Ways round the closed mode that only the ring below closes.
ADDED_FOLDERS: Final = "folders that the user adds (--add-dir, additionalDirectories) may be read"
OTHER_MODE: Final = "a launch with --permission-mode acceptEdits or auto opens it"
WORKING_FOLDER: Final = "everything below the working folder may be read"
QUOTED: Final = "$'...' quoting is not seen through"
LATER_TOOLS: Final = "tools that a later version brings may run without a rule"
INSIDE_RING: Final = (
    "its own sandbox needs user namespaces, which the kernel ring around it forbids: that ring holds it"
)
NO_SANDBOX: Final = "its own sandbox is switched off"

# Managed settings that keep the others in force. None stands for a statement.
HARDENING: Final[tuple[tuple[str, object, str], ...]] = (
    ("/permissions/disableBypassPermissionsMode", "disable", "nobody skips the rules"),
    ("/allowManagedPermissionRulesOnly", True, "rules of users and projects are not read"),
    ("/allowManagedHooksOnly", True, "a user's hook could answer allow for a call"),
    ("/disableSideloadFlags", True, "no servers, agents or plugins from the command line"),
)


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render one installation.

    Raises:
        RenderError: a path still holds a parameter.
    """
    options = target.options if isinstance(target.options, ClaudeCodeOptions) else ClaudeCodeOptions()
    return _Rendering(policy, target, options).config()


class _Rendering:
    """One run: the settings document and what is put into it."""

    def __init__(
        self, policy: EffectivePolicy, target: TargetCapabilities, options: ClaudeCodeOptions
    ) -> None:
        self.b = Builder(INFO, policy, target)
        self.policy, self.target, self.options = self.b.policy, target, options
        self.managed = options.config_tier == "managed"
        self.settings = self._document()
        tools = self.policy.doc.tools
        self.mode = {None: "", "ask": "default"}.get(tools.default if tools else None, "dontAsk")

    def config(self) -> TargetConfig:
        self._harden()
        self._tools()
        self._files()
        self._fetches()
        self._bash()
        self._servers()
        self._models()
        self._launch()
        return self.b.build()

    def _document(self) -> Doc:
        if not self.managed:
            return self.b.doc(
                "settings", root="home", path=".claude/settings.json", scope="user", owner="user"
            )
        name = "managed-settings.d/50-tappass.json" if self.options.drop_in else "managed-settings.json"
        return self.b.doc("settings", root="etc", path=f"claude-code/{name}", scope="host")

    def _at(self, reach: Reach) -> Reach:
        return reach if self.managed else reach._replace(escape=USER_TIER)

    def _harden(self) -> None:
        for pointer, value, why in HARDENING if self.managed else ():
            self.settings.set(pointer, value, by=why)
        if self.managed and self.options.min_version:
            why = "older versions start without settings that they cannot read"
            self.settings.set("/requiredMinimumVersion", self.options.min_version, by=why)

    # Tools.

    def _tools(self) -> None:
        default = self.policy.doc.tools.default if self.policy.doc.tools else "ask"
        features = ToolFeatures(
            defaults=frozenset({"deny", "allow"} if self.mode == "dontAsk" else {"ask"}),
            unknown=frozenset({"deny"}),
            ask=default == "ask",
            specs=frozenset({"Bash", "Read", "Write", "WebFetch"}),
            wrappers=UNSEEN_WRAPPERS,
        )
        items = [self._with_losses(spellable(item)) for item in lower_tools(self.policy, features)]
        for item in self.b.lower(items, at=self._at(PERMISSIONS)):
            self._tool(item)
        if self.mode:
            self.settings.set("/permissions/defaultMode", self.mode, by="the mode that rules are read in")

    def _with_losses(self, item: Item) -> Item:
        losses = {
            "default": self._default_losses,
            "unknown": self._unknown_losses,
            "deny": self._deny_losses,
        }.get(item.op)
        found = [item.loss, *losses(item)] if losses and not item.refused else [item.loss]
        return item._replace(loss="; ".join(part for part in found if part))

    def _default_losses(self, item: Item) -> list[str]:
        if item.value != "deny":
            return []
        losses = [] if self.target.inside else [OTHER_MODE]
        if not self._workspace_readable() and self._uses("Read"):
            losses.append(WORKING_FOLDER)
        partly = [command for command in READ_ONLY_COMMANDS if self._coverage(command) == "partly"]
        if partly:
            losses.append(f"other forms of {', '.join(partly)} run as well")
        return losses

    def _unknown_losses(self, item: Item) -> list[str]:
        del item
        return [LATER_TOOLS] if self.options.max_version == "any" or not self.managed else []

    def _deny_losses(self, item: Item) -> list[str]:
        rule = item.value
        is_command = isinstance(rule, ToolRule) and isinstance(rule.spec, CommandPattern)
        shut = self.policy.doc.tools is not None and self.policy.doc.tools.default == "deny"
        return [] if not is_command or (shut and not self._bare("Bash")) else [QUOTED]

    def _tool(self, item: Item) -> None:
        match item.op:
            case "default":
                self._closed_default(item) if item.value == "deny" else self._open_default(item)
            case "unknown":
                self._closed_versions(item)
            case "allow" | "ask" | "deny":
                assert isinstance(item.value, ToolRule)
                for rule in self._native(item.value):
                    self.settings.add(f"/permissions/{item.op}", rule, by=item)

    def _native(self, rule: ToolRule) -> Iterable[str]:
        return INTERNAL if rule.name == "@internal" else () if rule.name.startswith("@") else rules(rule)

    def _open_default(self, item: Item) -> None:
        """Known tools are allowed one by one, so that the mode itself stays closed."""
        self.settings.set("/permissions/defaultMode", self.mode, by=item)

    def _closed_default(self, item: Item) -> None:
        self.settings.set("/permissions/defaultMode", self.mode, by=item)
        for command in (*READ_ONLY_COMMANDS, *GRANTED_WRAPPERS):
            if self._coverage(command) == "none":
                self.settings.add("/permissions/deny", f"Bash({command}:*)", by=item)
        for name in CANONICAL_TOOLS:
            if not self._uses(name) and not (name == "Read" and self._uses("Write")):
                for native in NATIVE[name]:
                    self.settings.add("/permissions/deny", native, by=item)
        if not self._uses("@internal"):
            for native in INTERNAL:
                self.settings.add("/permissions/deny", native, by=item)

    def _closed_versions(self, item: Item) -> None:
        if self.managed and self.options.max_version != "any":
            self.settings.set("/requiredMaximumVersion", self.options.max_version, by=item)
        else:
            self.settings.credit("settings#/permissions/defaultMode", by=item)

    def _uses(self, name: str) -> bool:
        """Whether some rule lets a tool run, at least in part."""
        index = self.policy.tools
        return any(name in entry.rule.tools for entry in (*index.allow, *index.ask))

    def _bare(self, name: str) -> bool:
        index = self.policy.tools
        return any(name in e.rule.tools and e.rule.spec is None for e in (*index.allow, *index.ask))

    def _coverage(self, command: str) -> Literal["whole", "partly", "none"]:
        """How much of a command that runs by itself the policy's own rules speak of."""
        words = tuple(command.split(" "))
        specs = [e.rule.spec for e in self.policy.tools.allow if isinstance(e.rule.spec, CommandPattern)]
        if self._bare("Bash") or any(s.prefix and words[: len(s.words)] == s.words for s in specs):
            return "whole"
        return "partly" if any(s.words[: len(words)] == words for s in specs) else "none"

    def _workspace_readable(self) -> bool:
        node = self.policy.doc.filesystem
        reads = [e.rule for e in self.policy.tools.allow if "Read" in e.rule.tools]
        return bool(node and node.workspace) and any(rule.spec is None for rule in reads)

    # Files and hosts of the harness's own tools.

    def _files(self) -> None:
        features = CLOSED if self.mode == "dontAsk" else IN_PROMPTS
        for item in self.b.lower(
            map(self._file_losses, lower_fs(self.policy, features, self.b.know)), at=self._at(PERMISSIONS)
        ):
            if item.op == "default":
                self.settings.credit("settings#/permissions/defaultMode", by=item)
                continue
            assert isinstance(item.value, FsEntry)
            for tool in ("Read", "Edit") if item.op == "deny" else ("Edit",):
                for rule in paths(tool, item.value.path):
                    self.settings.add("/permissions/deny", rule, by=item)

    def _file_losses(self, item: Item) -> Item:
        if item.op != "default" or item.refused or item.value == "allow":
            return item
        return item._replace(loss=ADDED_FOLDERS)

    def _fetches(self) -> None:
        """Grants are in the tool rules; here is what is denied, and what would be fetched without a rule."""
        found = (item for item in lower_net(self.policy, FETCHES) if item.op not in ("allow", "unix"))
        for item in self.b.lower(map(self._fetch_losses, found), at=self._at(PERMISSIONS)):
            match item.op:
                case "deny":
                    assert isinstance(item.value, DomainRule)
                    for rule in rules(ToolRule("WebFetch", item.value)):
                        self.settings.add("/permissions/deny", rule, by=item)
                case _:
                    self.settings.credit("settings#/permissions/defaultMode", by=item)
                    self._preapproved(item)

    def _fetch_losses(self, item: Item) -> Item:
        open_ = self.policy.doc.network is not None and self.policy.doc.network.default == "allow"
        if item.op == "local" and item.value == "deny" and open_:
            return item._replace(refused="cannot tell local addresses where every host is open")
        if item.op in ("default", "local") and self.mode != "dontAsk" and item.value == "deny":
            return item._replace(refused="asks about hosts that nobody lists", loss="")
        return item

    def _preapproved(self, item: Item) -> None:
        if item.op != "default" or item.value != "deny" or not self._uses("WebFetch"):
            return
        for host in sorted({entry.partition("/")[0] for entry in PREAPPROVED_HOSTS}):
            if not any(rule.domain.matches_host(host) for rule in self.policy.net.allow):
                self.settings.add("/permissions/deny", f"WebFetch(domain:{host})", by=item)

    # Processes it starts: its own sandbox.

    def _bash(self) -> None:
        aspects = ("filesystem", "network")
        ids = [i for aspect in aspects for i in self.policy.ids(aspect, aspect=True) if "allow_unix" not in i]
        wanted = self.options.sandbox == "on" or (self.options.sandbox == "auto" and not self.target.inside)
        if not wanted or not self.managed:
            why = INSIDE_RING if self.target.inside else NO_SANDBOX
            self.b.refuse(ids, why, at=SANDBOX)
            return
        for key, value in (
            ("enabled", True),
            ("failIfUnavailable", True),
            ("allowUnsandboxedCommands", False),
        ):
            self.settings.set(f"/sandbox/{key}", value, by="its sandbox is on, or it does not start")
        for item in self.b.lower(lower_fs(self.policy, BASH_FILES, self.b.know), at=SANDBOX):
            self._bash_file(item)
        for item in self.b.lower(lower_net(self.policy, BASH_NET), at=SANDBOX):
            self._bash_host(item)

    def _bash_file(self, item: Item) -> None:
        if not isinstance(item.value, FsEntry):
            self.settings.credit("settings#/sandbox/enabled", by=item)
            return
        path = str(item.value.path)
        keys = {"grant": ("allowWrite",), "narrow": ("denyWrite",), "deny": ("denyRead", "denyWrite")}[
            item.op
        ]
        for key in keys:
            self.settings.add(f"/sandbox/filesystem/{key}", path, by=item)

    def _bash_host(self, item: Item) -> None:
        match item.op:
            case "allow" | "deny":
                assert isinstance(item.value, DomainRule)
                key = "allowedDomains" if item.op == "allow" else "deniedDomains"
                star = "*." if item.value.wildcard else ""
                self.settings.add(f"/sandbox/network/{key}", f"{star}{item.value.host}", by=item)
            case "default" if item.value == "deny":
                self.settings.set("/sandbox/network/allowManagedDomainsOnly", True, by=item)
                self.settings.ensure("/sandbox/network/allowedDomains", by=item)
            case _:
                self.settings.credit("settings#/sandbox/enabled", by=item)

    # MCP servers, models, launch.

    def _servers(self) -> None:
        if self.policy.doc.mcp is None:
            return
        where = (
            ("etc", "claude-code/managed-mcp.json", "host")
            if self.managed
            else ("home", ".claude/mcp.json", "user")
        )
        root, path, scope = where
        servers = self.b.doc("mcp", root=root, path=path, scope=scope)  # type: ignore[arg-type]
        servers.set("/mcpServers", {}, by="the whole set: no other server is started")
        self.settings.set(
            "/allowManagedMcpServersOnly", True, by="servers of users and projects are not started"
        )
        for item in self.b.lower(
            map(self._readable_names, lower_mcp(self.policy, MCP)), at=self._at(SERVERS)
        ):
            self._server(servers, item)

    def _readable_names(self, item: Item) -> Item:
        """MCP resources are read through two tools of the harness: denied as long as nobody lists one."""
        statement = item.value
        resources = getattr(statement, "field", "") == "mcp.servers.resources.default"
        nobody = all(
            not s.resources.allow and s.resources.default == "deny" for s in self.policy.mcp_servers.values()
        )
        if item.op == "other" and resources and nobody:
            return item._replace(op="resources", refused="")
        if item.op == "default" and item.value == "allow":
            return item._replace(refused="starts only servers that are listed")
        return item

    def _server(self, servers: Doc, item: Item) -> None:
        match item.op, item.value:
            case "default", _:
                self.settings.ensure("/allowedMcpServers", by=item)
            case "server", McpServer() as server:
                self._one_server(servers, server, item)
            case "resources", _:
                for tool in ("ListMcpResourcesTool", "ReadMcpResourceTool", "ReadMcpResourceDirTool"):
                    self.settings.add("/permissions/deny", tool, by=item)
            case ("allow" | "deny") as op, McpTool(server=server_id, tool=tool):
                self.settings.add(f"/permissions/{op}", f"mcp__{server_id}__{tool}", by=item)
            case "tool_default_allow", McpTool(server=server_id):
                self.settings.add("/permissions/allow", f"mcp__{server_id}", by=item)
            case _:
                self.settings.credit("settings#/permissions/defaultMode", by=item)

    def _one_server(self, servers: Doc, server: McpServer, item: Item) -> None:
        transport = server.transport
        pointer = f"/mcpServers/{escape(server.id)}"
        if transport.kind == "stdio":
            program, *arguments = transport.argv
            servers.set(pointer, {"type": "stdio", "command": program, "args": arguments}, by=item)
            self.settings.add("/allowedMcpServers", {"serverCommand": list(transport.argv)}, by=item)
        else:
            servers.set(pointer, {"type": transport.kind, "url": transport.url}, by=item)
            self.settings.add("/allowedMcpServers", {"serverUrl": transport.url}, by=item)

    def _models(self) -> None:
        llm = self.policy.doc.llm
        if llm is None:
            return
        closed = llm.default == "deny" and bool(llm.models.allow)
        default = Item("default", llm.default, self.policy.ids("llm.default"))
        if llm.default == "deny" and not closed:
            default = default._replace(refused="an empty list of models restricts nothing")
        items = [
            default._replace(op="open") if llm.default == "allow" else default,
            *(_model("allow", name) for name in llm.models.allow),
            *(_model("deny", name) for name in llm.models.deny),
            *(Item("gateway", llm.gateway_url, (s,)) for s in self.policy.ids("llm.gateway_url")),
        ]
        for item in self.b.lower(items, at=self._at(MODELS)):
            self._model(item)

    def _model(self, item: Item) -> None:
        match item.op:
            case "default":
                self.settings.set("/enforceAvailableModels", True, by=item)
            case "allow":
                self.settings.add("/availableModels", item.value, by=item)
            case "deny":
                self.settings.add("/deniedModels", item.value, by=item)
            case "gateway":
                self.settings.set("/env/ANTHROPIC_BASE_URL", item.value, by=item)

    def _launch(self) -> None:
        program = self.b.ask("program", "claude")
        path = program if isinstance(program, str) and program else "claude"
        mode = ("--permission-mode", self.mode) if self.mode else ()
        env: dict[str, str | SecretRef] = {
            "HOME": self.target.paths.get("home", "/root"),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "TMPDIR": "/tmp",  # noqa: S108 - the agent's own view, private inside a kernel ring
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        self.b.launch(
            Launch(program=path, args=mode, env=env),
            by="a launch that names its mode cannot be given another",
        )
        if path.startswith("/"):
            self.b.need(Need("exec", path, "the program itself"))
        self.b.need(*NEEDS, Need("connect", self._model_host(), "the model it asks"))

    def _model_host(self) -> str:
        """Where models are asked: the gateway of the policy, else the vendor."""
        from urllib.parse import urlsplit

        llm = self.policy.doc.llm
        parts = urlsplit(llm.gateway_url if llm and llm.gateway_url else "https://api.anthropic.com")
        return f"{parts.hostname}:{parts.port or (80 if parts.scheme == 'http' else 443)}"


# Found by taking them away one at a time, inside bubblewrap.
NEEDS: Final = (
    Need("exec", "/usr/bin/bash", "its Bash tool starts it"),
    Need("read", "/usr", "the shell, its commands, and what they load"),
    Need("read", "/etc/claude-code", "its managed settings"),
    Need("write", "/tmp", "it does not start without a folder for its sockets and scratch files"),  # noqa: S108
)


def _model(op: str, name: str) -> Item:
    item = Item(op, name, (f"llm.models.{op}[{name}]",))
    return item._replace(refused="model names here are exact") if name.endswith("*") else item
