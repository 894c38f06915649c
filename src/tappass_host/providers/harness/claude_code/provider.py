"""Claude Code: managed settings, the exclusive set of MCP servers, and a supervised launch.

`info` says what is claimed and why not, `tools` closes what would run without a rule, `servers` and `sandbox`
are about MCP and about its own Bash sandbox. Inside a kernel ring that sandbox is left out (the ring forbids
the user namespaces it needs) and the ring carries those claims.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.grammar.tools import ToolRule
from tappass_host.providers.harness.claude_code import info, tools
from tappass_host.providers.harness.claude_code.binary import FAMILIES, INTERNAL
from tappass_host.providers.harness.claude_code.granted import Granted
from tappass_host.providers.harness.claude_code.info import INFO, ClaudeCodeOptions
from tappass_host.providers.harness.claude_code.sandbox import put_sandbox
from tappass_host.providers.harness.claude_code.servers import lowered_servers, put_servers
from tappass_host.providers.harness.claude_code.spelling import path_rule, rules
from tappass_host.sdk.artifacts import ArtifactPath, Launch, SecretRef
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Item, Reach
from tappass_host.sdk.contract import Need, TargetCapabilities, TargetConfig
from tappass_host.sdk.document import Doc
from tappass_host.sdk.lowering import FsEntry, lower_fs, lower_net

__all__ = ["INFO", "render"]

# Managed settings that keep the others in force. None stands for a statement.
HARDENING: Final[tuple[tuple[str, object, str], ...]] = (
    ("/permissions/disableBypassPermissionsMode", "disable", "nobody skips the rules"),
    ("/permissions/disableAutoMode", "disable", "no model decides in place of the rules"),
)
MANAGED_ONLY: Final[tuple[tuple[str, object, str], ...]] = (
    ("/allowManagedPermissionRulesOnly", True, "rules of users and projects are not read"),
    ("/allowManagedHooksOnly", True, "a user's hook could answer allow for a call"),
)
DENY_PROMPTS: Final = "a launch in another mode has what it would ask about denied"
# A gateway is left by these ways where the settings do not say otherwise.
PROXIES: Final = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy")


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
        self.granted = Granted(self.policy)
        self.mode = tools.mode_of(self.policy)
        self.managed = options.config_tier == "managed"
        self.supervised = bool(target.inside)

    def config(self) -> TargetConfig:
        """Everything, in the order of the aspects."""
        self._harden()
        rest = self._tools()
        self._files()
        self._fetches()
        for item in rest:
            self._close_rest(item)
        put_sandbox(self.b, lambda: self.settings, self._why_no_sandbox())
        self._servers()
        self._models()
        self._launch()
        return self.b.build()

    @cached_property
    def settings(self) -> Doc:
        """The settings document; none where the policy says nothing that it could hold."""
        if not self.managed:
            place = {"root": "home", "path": ".claude/settings.json", "scope": "user", "owner": "user"}
            return self.b.doc("settings", owned=OWNED, **place)  # type: ignore[arg-type]
        name = "managed-settings.d/50-tappass.json" if self.options.drop_in else "managed-settings.json"
        return self.b.doc("settings", root="etc", path=f"claude-code/{name}", scope="host")

    def _at(self, reach: Reach) -> Reach:
        if not self.managed:
            return reach._replace(escape=info.USER_TIER)
        if self.options.drop_in:
            return reach._replace(escape=info.DROP_IN)
        return reach._replace(requires=(info.alone(self.target.paths.get("etc", "/etc")),))

    @property
    def _anchor(self) -> str:
        """The entry that decides about whatever no rule names."""
        key = "defaultMode" if self.mode else "disableBypassPermissionsMode"
        return f"settings#/permissions/{key}"

    def _harden(self) -> None:
        doc = self.policy.doc
        ruled = any(aspect is not None for aspect in (doc.tools, doc.filesystem, doc.network, doc.mcp))
        if not ruled:
            return
        for pointer, value, why in (*HARDENING, *(MANAGED_ONLY if self.managed else ())):
            self.settings.set(pointer, value, by=why)
        if self.mode == "dontAsk":
            self.settings.set("/permissions/denyInsteadOfPrompting", True, by=DENY_PROMPTS)
        if self.managed and self.options.min_version:
            why = "older versions start without settings that they cannot read"
            self.settings.set("/requiredMinimumVersion", self.options.min_version, by=why)

    # Tools.

    @property
    def _bounded(self) -> bool:
        """Whether no version starts that was not looked at."""
        return self.managed and self.options.max_version != "any"

    def _tools(self) -> list[Item]:
        """Write what the policy names, and return what is about all else."""
        items = tools.lowered(self.policy, self.granted, supervised=self.supervised, bounded=self._bounded)
        if self.mode:
            self.settings.set("/permissions/defaultMode", self.mode, by="the mode that rules are read in")
        kept = self.b.lower(items, at=self._at(info.PERMISSIONS))
        for item in kept:
            self._tool(item)
        return [item for item in kept if item.op in ("default", "unknown")]

    def _tool(self, item: Item) -> None:
        match item.op:
            case "group":
                self.settings.credit(self._anchor, by=item)
            case "no tool":
                self._bound(item)
            case "allow" | "ask" | "deny":
                assert isinstance(item.value, ToolRule)
                self._close(item.op, tools.native(item.value), item)
                if item.op == "deny" and item.origins[0].startswith("tools.ask["):
                    # Nobody is asked in the closed mode: what the rule does not see is denied by the mode.
                    self.settings.credit(self._anchor, by=item)

    def _close_rest(self, item: Item) -> None:
        """What would run although no rule names it, by name."""
        if item.op == "default":
            self._default(item)
        else:
            self._bound(item)
            self._close("deny", () if self.granted.names("@internal") else INTERNAL, item)

    def _default(self, item: Item) -> None:
        self.settings.credit(self._anchor, by=item)
        if item.value == "deny":
            self._close("deny", tools.free_tools(self.granted), item)
            if self.granted.names("Bash"):
                self._close("deny", tools.free_commands(self.granted, modes=True), item)
        elif item.value == "ask":
            quiet = (
                name for name, tool in (("Agent", "Task"), ("Read", "Read")) if not self.granted.names(tool)
            )
            self._close("ask", quiet, item)
            self._close("ask", tools.free_commands(self.granted, modes=False), item)
        if item.value != "allow" and self.granted.uses("WebFetch"):
            self._close(str(item.value), tools.free_hosts(self.granted), item)

    def _close(self, kind: str, found: Iterable[str], by: Item | str) -> None:
        pointer = f"/permissions/{kind}"
        for rule in found:
            self.settings.add(pointer, rule, by=by)

    def _bound(self, item: Item) -> None:
        """Where no newer version starts, there is no tool that nobody looked at."""
        if self._bounded:
            self.settings.set("/requiredMaximumVersion", self.options.max_version, by=item)
        else:
            self.settings.credit(self._anchor, by=item)

    # Files and hosts of the harness's own tools.

    def _files(self) -> None:
        features = info.CLOSED if self.mode == "dontAsk" else info.IN_PROMPTS
        items = [self._file_losses(item) for item in lower_fs(self.policy, features, self.b.know)]
        for item in self.b.lower(items, at=self._at(info.PERMISSIONS)):
            if isinstance(item.value, FsEntry):
                tools_ = ("Read", "Edit") if item.op == "deny" else ("Edit",)
                self._close("deny", (path_rule(tool, item.value.path) for tool in tools_), item)
            else:
                self.settings.credit(self._anchor, by=item)

    def _file_losses(self, item: Item) -> Item:
        reads, writes = self.granted.uses("Read"), self.granted.uses("Write")
        if item.op != "default" or item.refused or item.value == "allow" or not (reads or writes):
            return item
        losses = [info.ADDED_FOLDERS, info.ANY_CASE] if item.value == "deny" else [info.ANY_CASE]
        if item.value == "deny" and not (self.supervised and self.granted.reads_workspace()):
            losses.append(info.OTHER_FOLDER)
        if writes and not self.supervised:
            losses.append(info.OTHER_MODE)
        return item._replace(loss="; ".join(losses))

    def _fetches(self) -> None:
        """Grants are in the tool rules; here is what is denied, and what would be fetched without a rule."""
        network = self.policy.doc.network
        if network is None:
            return
        lowered = map(self._fetch_losses, lower_net(self.policy, info.FETCHES))
        items = [item for item in lowered if item.op not in ("allow", "unix")]
        for item in self.b.lower(items, at=self._at(info.PERMISSIONS)):
            if isinstance(item.value, DomainRule):
                self._close("deny", rules(ToolRule("WebFetch", item.value)), item)
            else:
                self.settings.credit(self._anchor, by=item)
            if item.op == "default" and item.value == "deny" and self.granted.uses("WebFetch"):
                self._close("deny", tools.free_hosts(self.granted), item)
        if network.default == "deny" and self.granted.uses("WebFetch"):
            if self.mode != "dontAsk":
                self._close("deny", tools.free_hosts(self.granted), "it fetches from these without asking")
            why = "it would ask the vendor's server about each host first, past the rules of the network"
            self.settings.set("/skipWebFetchPreflight", True, by=why)

    def _fetch_losses(self, item: Item) -> Item:
        assert self.policy.doc.network is not None
        if item.op == "allow" and self.policy.doc.network.default == "allow":
            return item._replace(op="open")
        if item.op == "local" and item.value == "deny" and self.policy.doc.network.default == "allow":
            return item._replace(refused=info.CANNOT_TELL_LOCAL)
        if item.op in ("default", "local") and item.value == "deny":
            if self.mode != "dontAsk":
                return item._replace(refused=info.ASKS_HOSTS, loss="")
            if not self.granted.uses("WebFetch"):
                return item._replace(loss="")
        return item

    def _why_no_sandbox(self) -> str:
        wanted = self.options.sandbox == "on" or (self.options.sandbox == "auto" and not self.target.inside)
        if wanted and self.managed:
            return ""
        return info.INSIDE_RING if self.target.inside else info.NO_SANDBOX

    # MCP servers, models, launch.

    def _servers(self) -> None:
        if self.policy.doc.mcp is None:
            return
        if self.managed:
            why = "no servers, agents or plugins from the command line"
            self.settings.set("/disableSideloadFlags", True, by=why)
            why = "servers of users and projects are not started"
            self.settings.set("/allowManagedMcpServersOnly", True, by=why)
            place = {"root": "etc", "path": "claude-code/managed-mcp.json", "scope": "host"}
        else:
            place = {"root": "home", "path": ".claude/tappass-mcp.json", "scope": "user", "owner": "user"}
        servers = self.b.doc("mcp", **place)  # type: ignore[arg-type]
        items = lowered_servers(self.policy, self.mode)
        kept = self.b.lower(items, at=self._at(info.SERVERS))
        put_servers(self.settings, servers, kept, anchor=self._anchor)

    def _models(self) -> None:
        llm = self.policy.doc.llm
        if llm is None:
            return
        default = Item(
            "open" if llm.default == "allow" else "default", llm.default, self.policy.ids("llm.default")
        )
        if llm.default == "deny":
            empty = not llm.models.allow
            default = default._replace(
                refused=info.NO_MODELS if empty else "", loss="" if empty else info.MODEL_NAMES
            )
        loss = info.ONE_ROUTE if llm.routes else ""
        items = [
            default._replace(loss=loss) if llm.default == "allow" else default,
            *(_model("allow" if llm.default == "deny" else "open", name, loss) for name in llm.models.allow),
            *(_model("deny", name) for name in llm.models.deny),
            *(Item("gateway", llm.gateway_url, (s,)) for s in self.policy.ids("llm.gateway_url")),
        ]
        for item in self.b.lower(items, at=self._at(info.MODELS)):
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
                self._gateway(item)

    def _gateway(self, item: Item) -> None:
        """The address, and no way past it: other providers, and proxies that a user names."""
        self.settings.set("/env/ANTHROPIC_BASE_URL", item.value, by=item)
        if self.managed:
            self.settings.add("/allowedProviders", "customEndpoint", by=item)
        if str(item.value).startswith("http://") and not self.target.inside:
            for name in PROXIES:
                self.settings.set(f"/env/{name}", "", by=item)

    def _launch(self) -> None:
        program = self.b.ask("program", "claude")
        path = program if isinstance(program, str) and program else "claude"
        env: dict[str, str | SecretRef] = {
            "HOME": self.target.paths.get("home", "/root"),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "TMPDIR": "/tmp",  # noqa: S108 - the agent's own view, private inside a kernel ring
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        launch = Launch(program=path, args=self._arguments(), env=env)
        self.b.launch(launch, by="a launch that names its mode and servers cannot be given others")
        if path.startswith("/"):
            self.b.need(Need("exec", path, "the program itself"))
        if self.managed:
            etc = self.target.paths.get("etc", "/etc")
            self.b.need(Need("read", f"{etc}/claude-code", "its managed settings"))
        self.b.need(*NEEDS, Need("connect", self._model_host(), "the model it asks"))

    def _arguments(self) -> tuple[str | ArtifactPath, ...]:
        mode = ("--permission-mode", self.mode) if self.mode else ()
        if self.managed or self.policy.doc.mcp is None:
            return mode
        return (*mode, "--strict-mcp-config", "--mcp-config", ArtifactPath("mcp"))

    def _model_host(self) -> str:
        """Where models are asked: the gateway of the policy, else the vendor."""
        llm = self.policy.doc.llm
        parts = urlsplit(llm.gateway_url if llm and llm.gateway_url else "https://api.anthropic.com")
        return f"{parts.hostname}:{parts.port or (80 if parts.scheme == 'http' else 443)}"


# The keys of a user's own settings that are ours; the rest of that file is not touched.
OWNED: Final = (
    "allowedMcpServers",
    "availableModels",
    "deniedModels",
    "enforceAvailableModels",
    "env",
    "permissions",
    "skipWebFetchPreflight",
)

# Found by taking them away one at a time, inside bubblewrap.
NEEDS: Final = (
    Need("exec", "/usr/bin/bash", "its Bash tool starts it"),
    Need("read", "/usr", "the shell, its commands, and what they load"),
    Need("write", "/tmp", "it does not start without a folder for its sockets and scratch files"),  # noqa: S108
)


def _model(op: str, name: str, loss: str = "") -> Item:
    """One model. A trailing `-*` is how it reads a shorter name; what it denies, it knows by family."""
    item = Item(op, name, (f"llm.models.{'deny' if op == 'deny' else 'allow'}[{name}]",), loss=loss)
    if not name.endswith("*") or op == "open":
        return item
    short = name.removesuffix("-*") if op == "allow" else FAMILIES.get(name, name)
    return item._replace(refused=info.MODEL_PATTERN) if "*" in short else item._replace(value=short)
