"""Reads managed settings and the set of MCP servers back, strictly, and says what the harness permits.

Written from the vendor's rules as they were found to be (2.1.330, 2026-11-23): deny beats ask beats allow
wherever a rule stands; paths are patterns as in gitignore and compare without case; what no rule names falls
to the mode, after what runs by itself. Reads below the folder it is started in run by themselves too; which
folder that is stands in no document, so no ruling here counts on it.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from tappass_host.policy import actions as a
from tappass_host.policy.effect import Effect
from tappass_host.policy.errors import RenderError
from tappass_host.policy.grammar.addresses import canonical_ip
from tappass_host.policy.grammar.globs import is_glob
from tappass_host.providers.harness.claude_code.binary import (
    INTERNAL,
    NATIVE,
    PREAPPROVED_HOSTS,
    RESOURCE_TOOLS,
)
from tappass_host.providers.harness.claude_code.reader_keys import check_servers, check_settings, split_rule
from tappass_host.providers.harness.claude_code.reader_shell import Shell, compiled
from tappass_host.sdk.artifacts import Artifact, Launch
from tappass_host.sdk.document import entry_text, escape
from tappass_host.sdk.reader import Ruling

_KINDS: Final = ("deny", "ask", "allow")
_HOME: Final = "~"
# It declares elicitation to servers, and no sampling.
_FEATURES: Final = frozenset({"elicitation"})
_ROUTES: Final = frozenset({"messages", "count_tokens", "models"})
_NO_SUCH: Final = Ruling(Effect.DENY)


class _Rule(NamedTuple):
    """One permission rule. `pattern` is a path or host to match; None where it is about the whole tool."""

    kind: str
    text: str
    name: str
    spec: str | None

    @property
    def locator(self) -> str:
        return f"settings#/permissions/{self.kind}[{self.text}]"


def read(artifacts: Sequence[Artifact]) -> "Native":
    """Parse a rendering.

    Raises:
        RenderError: the target would skip something of it, or something has another effect than it seems to.
    """
    found = {artifact.id: artifact for artifact in artifacts}
    settings: Any = found["settings"].doc if "settings" in found else {}
    check_settings(settings, managed="settings" not in found or found["settings"].root == "etc")
    servers: Any = found["mcp"].doc if "mcp" in found else None
    if servers is not None:
        check_servers(servers)
    launch = found["launch"].doc if "launch" in found else None
    return Native(settings, servers, launch if isinstance(launch, Launch) else None)


class Native:
    """What one installation permits."""

    def __init__(
        self, settings: dict[str, Any], servers: dict[str, Any] | None, launch: Launch | None
    ) -> None:
        self._settings, self._servers = settings, servers
        permissions = settings.get("permissions", {})
        self._rules = [
            _Rule(kind, text, *split_rule(text)) for kind in _KINDS for text in permissions.get(kind, ())
        ]
        self._mode = _mode(permissions.get("defaultMode", ""), launch)
        self._quiet = permissions.get("denyInsteadOfPrompting") is True
        self._sandbox = settings.get("sandbox")

    def permits(self, action: a.Action) -> Ruling | None:
        """The ruling on an action, or None where the harness has no say."""
        rule = _RULINGS.get(type(action))
        return rule(self, action) if rule else None

    @property
    def _fallback(self) -> Ruling:
        """What becomes of a call that no rule is about."""
        denies = self._mode == "dontAsk" or self._quiet
        locator = "settings#/permissions/defaultMode" if self._mode else ""
        return Ruling(Effect.DENY if denies else Effect.ASK, locator)

    def _refusal(self, rule: _Rule) -> Ruling:
        """A rule that denies, or one that asks; in a mode that asks nobody the latter denies too."""
        asks = rule.kind == "ask" and self._fallback.effect is Effect.ASK
        return Ruling(Effect.ASK if asks else Effect.DENY, rule.locator)

    # Tools.

    def tool(self, action: a.Tool) -> Ruling | None:
        """A call of a tool by its canonical name, or by one of its own."""
        match action.name:
            case "Bash":
                return self._bash(str(action.args.get("command", "")))
            case "Read":
                return self._file("Read", str(action.args.get("path", "")), ("Read",), ("Read", "Edit"))
            case "Write" | "Edit" | "NotebookEdit":
                return self._write(str(action.args.get("path", "")))
            case "WebFetch":
                return self._fetch(str(action.args.get("url", "")))
            case "WebSearch":
                return self._whole("WebSearch") or self._fallback
            case "Task":
                return self._whole("Agent") or Ruling(Effect.ALLOW)
        if action.name in INTERNAL:
            return self._whole(action.name) or Ruling(Effect.ALLOW)
        # No version that starts has such a tool.
        bound = "requiredMaximumVersion"
        return Ruling(Effect.DENY, f"settings#/{bound}" if bound in self._settings else "")

    def _whole(self, name: str) -> Ruling | None:
        """The strictest rule about a tool as such."""
        for rule in self._rules:
            if rule.name == name and rule.spec is None:
                return Ruling(Effect.ALLOW, rule.locator) if rule.kind == "allow" else self._refusal(rule)
        return None

    def _bash(self, line: str) -> Ruling:
        whole = self._whole("Bash")
        if whole is not None and whole.effect is Effect.DENY and "/deny[" in whole.locator:
            return whole
        for kind in ("deny", "ask"):
            spec = self._shell.refused(kind, line)
            if spec is not None:
                return self._refusal(_Rule(kind, f"Bash({spec})", "Bash", spec))
        if whole is not None:
            return whole
        spec = self._shell.allowed(line)
        if spec is None:
            return self._fallback
        return Ruling(Effect.ALLOW, f"settings#/permissions/allow[Bash({spec})]" if spec else "")

    @cached_property
    def _shell(self) -> Shell:
        about = [rule for rule in self._rules if rule.name == "Bash" and rule.spec is not None]

        def of(kind: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
            return tuple((str(r.spec), compiled(str(r.spec))) for r in about if r.kind == kind)

        edits = any(rule.kind == "allow" and rule.name == "Edit" for rule in self._rules)
        return Shell(of("allow"), of("ask"), of("deny"), edits)

    def _write(self, path: str) -> Ruling:
        """Three tools write; what any of them does is written."""
        rulings = [self._file(name, path, ("Read", "Edit"), ("Edit",)) for name in NATIVE["Write"]]
        return min(rulings, key=lambda ruling: ruling.effect.strictness)

    def _file(self, tool: str, path: str, refusing: Iterable[str], letting: Iterable[str]) -> Ruling:
        """A call about a path: a rule about Read refuses writing too, one about Edit lets read."""
        whole = {rule.kind: rule for rule in reversed(self._rules) if rule.name == tool and rule.spec is None}
        if tool != "Read":
            bare = next((r for r in self._rules if (r.kind, r.name, r.spec) == ("deny", "Read", None)), None)
            whole = {**whole, "deny": bare} if bare and "deny" not in whole else whole
        for kind, names in (("deny", refusing), ("ask", refusing), ("allow", letting)):
            found = whole.get(kind) or self._about(kind, names, path)
            if found is not None:
                return Ruling(Effect.ALLOW, found.locator) if kind == "allow" else self._refusal(found)
        return self._fallback

    def _about(self, kind: str, names: Iterable[str], path: str) -> _Rule | None:
        found = (r for r in self._rules if r.kind == kind and r.spec is not None and r.name in names)
        return next((r for r in found if _path_pattern(str(r.spec)).match(path)), None)

    def _fetch(self, url: str) -> Ruling:
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").lower()
        except ValueError:
            return _NO_SUCH
        for kind in _KINDS:
            for rule in self._rules:
                fits = rule.spec is None or _host_matches(rule.spec.removeprefix("domain:"), host)
                if (rule.kind, rule.name) == (kind, "WebFetch") and fits:
                    return Ruling(Effect.ALLOW, rule.locator) if kind == "allow" else self._refusal(rule)
        return Ruling(Effect.ALLOW) if _preapproved(host, parts.path) else self._fallback

    # MCP.

    def call(self, action: a.McpCall) -> Ruling | None:
        """A tool, resource, prompt or feature of a server."""
        if self._servers is None:
            return None
        if action.server not in self._servers["mcpServers"]:
            return Ruling(Effect.DENY, "mcp#/mcpServers")
        match action.what:
            case "tool":
                return self._mcp_tool(action.server, _RENAMED.sub("_", action.tool))
            case "resource":
                return self._whole(RESOURCE_TOOLS[-1]) or Ruling(Effect.ALLOW)
            case "feature":
                return Ruling(Effect.ALLOW if action.tool in _FEATURES else Effect.DENY)
        return _NO_SUCH  # no tool fetches a prompt

    def _mcp_tool(self, server: str, tool: str) -> Ruling:
        names = (f"mcp__{server}__{tool}", f"mcp__{server}", f"mcp__{server}__*")
        for rule in self._rules:
            if rule.name in names:
                return Ruling(Effect.ALLOW, rule.locator) if rule.kind == "allow" else self._refusal(rule)
        return self._fallback

    def start(self, action: a.McpStart) -> Ruling | None:
        """Only servers of the exclusive set are started, exactly so."""
        if self._servers is None:
            return None
        entry = self._servers["mcpServers"].get(action.server)
        known = (
            None
            if entry is None
            else ((entry["command"], *entry["args"]), "")
            if "command" in entry
            else ((), entry["url"])
        )
        if known != (tuple(action.argv), action.url):
            return Ruling(Effect.DENY, "mcp#/mcpServers")
        return Ruling(Effect.ALLOW, f"mcp#/mcpServers/{escape(action.server)}")

    # Models.

    def model(self, action: a.ModelCall) -> Ruling:
        """A listed name stands for longer ones too; a denied one only for those that it knows by it."""
        if action.route not in _ROUTES:
            return _NO_SUCH
        for name in self._settings.get("deniedModels", ()):
            if action.model == name or f"-{name}-" in f"-{action.model}-":
                return Ruling(Effect.DENY, f"settings#/deniedModels[{name}]")
        listed = self._settings.get("availableModels")
        if not listed or not self._settings.get("enforceAvailableModels"):
            return Ruling(Effect.ALLOW)
        for name in listed:
            if action.model == name or action.model.startswith(f"{name}-"):
                return Ruling(Effect.ALLOW, f"settings#/availableModels[{name}]")
        return Ruling(Effect.DENY, "settings#/enforceAvailableModels")

    # What commands do, inside its sandbox.

    def file(self, action: a.File) -> Ruling | None:
        """Files of the Bash tool. What the harness's own tools do with files is asked about as a call."""
        if action.surface != "exec" or self._sandbox is None:
            return None
        files = _Files(self._sandbox.get("filesystem", {}), self._rules)
        if action.op != "move":
            return files.touch(action.path, write=action.op == "write")
        held = files.below(action.path)
        rulings = [files.touch(path, write=True) for path in (action.path, action.to)]
        return max([*rulings, *([held] if held else [])], key=lambda ruling: ruling.effect.strictness)

    def connect(self, action: a.Connect) -> Ruling | None:
        """Hosts of the Bash tool, which go through the sandbox's own proxy."""
        if action.surface != "exec" or self._sandbox is None:
            return None
        if action.protocol != "tcp":
            return Ruling(Effect.DENY, "settings#/sandbox/enabled")
        network = self._sandbox.get("network", {})
        address = canonical_ip(action.host)
        host = str(address) if address is not None else action.host.lower().removesuffix(".")
        for key, effect in (("deniedDomains", Effect.DENY), ("allowedDomains", Effect.ALLOW)):
            for entry in network.get(key, ()):
                name, _, port = entry.partition(":")
                if port in ("", str(action.port)) and _host_matches(name, host):
                    return Ruling(effect, f"settings#/sandbox/network/{key}[{entry}]")
        return Ruling(Effect.DENY, "settings#/sandbox/network/allowManagedDomainsOnly")

    def unix(self, action: a.UnixConnect) -> Ruling | None:
        """The sandbox lets nobody make a unix socket, or everybody: then the path decides."""
        if action.surface != "exec" or self._sandbox is None:
            return None
        if self._sandbox.get("network", {}).get("allowAllUnixSockets") is True:
            return _Files(self._sandbox.get("filesystem", {}), self._rules).touch(action.path, write=False)
        return Ruling(Effect.DENY, "settings#/sandbox/network/allowAllUnixSockets")


class _Files:
    """The sandbox's lists of paths, and the permission rules that count there too."""

    def __init__(self, lists: dict[str, Any], rules: Sequence[_Rule]) -> None:
        self._lists = lists
        self._rules = [r for r in rules if r.name in ("Read", "Edit") and r.spec is not None]

    def touch(self, path: str, *, write: bool) -> Ruling:
        """Reading or writing one path."""
        kinds = ("Read", "Edit") if write else ("Read",)
        for rule in self._rules:
            if rule.kind == "deny" and rule.name in kinds and _path_pattern(str(rule.spec)).match(path):
                return Ruling(Effect.DENY, rule.locator)
        hidden, opened = self._deepest("denyRead", path), self._deepest("allowRead", path)
        writable = self._deepest("allowWrite", path)
        if len(hidden) > max(len(opened), len(writable)):
            return self._ruling(Effect.DENY, "denyRead", hidden)
        if not write:
            return self._ruling(Effect.ALLOW, "allowRead", opened)
        shut = self._deepest("denyWrite", path)
        if shut:
            return self._ruling(Effect.DENY, "denyWrite", shut)
        if writable:
            return self._ruling(Effect.ALLOW, "allowWrite", writable)
        edits = (r for r in self._rules if (r.kind, r.name) == ("allow", "Edit"))
        if any(_path_pattern(str(rule.spec)).match(path) for rule in edits):
            return Ruling(Effect.ALLOW)
        return Ruling(Effect.DENY, "settings#/sandbox/enabled")

    def below(self, path: str) -> Ruling | None:
        """What is closed below a folder holds that folder in place."""
        inside = path.rstrip("/") + "/"
        for key in ("denyRead", "denyWrite"):
            for entry in self._lists.get(key, ()):
                if entry == path or entry.startswith(inside):
                    return self._ruling(Effect.DENY, key, entry)
        return None

    def _deepest(self, key: str, path: str) -> str:
        found = [entry for entry in self._lists.get(key, ()) if _path_pattern(entry, slashes=1).match(path)]
        return max(found, key=len, default="")

    def _ruling(self, effect: Effect, key: str, entry: str) -> Ruling:
        locator = f"settings#/sandbox/filesystem/{key}[{entry_text(entry)}]" if entry else ""
        return Ruling(effect, locator)


_RENAMED: Final = re.compile(r"[^A-Za-z0-9_-]")
_RULINGS: Final[dict[type, Callable[..., Ruling | None]]] = {
    a.Tool: Native.tool,
    a.McpCall: Native.call,
    a.McpStart: Native.start,
    a.ModelCall: Native.model,
    a.File: Native.file,
    a.Connect: Native.connect,
    a.UnixConnect: Native.unix,
}


def _mode(default: str, launch: Launch | None) -> str:
    """The mode: a launch that names one wins over the settings."""
    words = [str(word) for word in launch.args] if launch else []
    named = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "--permission-mode"]
    if any(mode not in ("default", "dontAsk") for mode in named):
        raise RenderError(f"mode {named[-1]} decides for itself what runs")
    return named[-1] if named else default


def _host_matches(pattern: str, host: str) -> bool:
    if pattern == "*":
        return True
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _preapproved(host: str, path: str) -> bool:
    for entry in PREAPPROVED_HOSTS:
        name, slash, rest = entry.partition("/")
        if host == name and (not slash or path == f"/{rest}" or path.startswith(f"/{rest}/")):
            return True
    return False


@lru_cache(maxsize=4096)
def _path_pattern(spec: str, slashes: int = 2) -> re.Pattern[str]:
    """A pattern as in gitignore, about a path and all below it, without case as the target compares.

    `~/` stands for the home, which is in no document: it is matched as it is written.
    """
    text = spec[slashes - 1 :] if spec.startswith("/") else spec
    flags = re.IGNORECASE if slashes > 1 else 0
    body = _glob(text.removesuffix("/**").rstrip("/"))
    return re.compile(f"{body}(?:/.*)?\\Z", re.DOTALL | flags)


_GLOB: Final = re.compile(r"/\*\*(?=/|\Z)|\*|\?|\[[^\]]+\]|[^*?\[/]+|/|\[")


def _glob(text: str) -> str:
    return "".join(_piece(found[0]) for found in _GLOB.finditer(text))


def _piece(text: str) -> str:
    match text:
        case "/**":
            return "(?:/.*)?"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
    if (len(text) > 1 and is_glob(text)) or (text.startswith("[") and text.endswith("]")):
        return f"[{re.escape(text[1:-1])}]"
    return re.escape(text)
