"""The closed list of settings that the reader takes, each with what it may be.

The target skips a key or a rule that it does not know without a word, so here anything unknown, misspelt, or
without effect is an error.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tappass_host.policy.errors import RenderError
from tappass_host.providers.harness.claude_code.binary import INTERNAL, NATIVE

Check = Callable[[Any], bool]
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_HOST: Final = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_SANDBOX_HOST: Final = re.compile(r"\*|(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?(:\d{1,5})?")
_RULE: Final = re.compile(r"(?P<name>[A-Za-z]\w*)(?:\((?P<spec>.+)\))?", re.DOTALL)
_MCP_RULE: Final = re.compile(r"mcp__[A-Za-z0-9_-]+")
_SERVER: Final = re.compile(r"[A-Za-z0-9-]+(_[A-Za-z0-9-]+)*")
TOOLS: Final = frozenset(name for names in NATIVE.values() for name in names) | frozenset(INTERNAL)
MODES: Final = ("default", "dontAsk")


def _true(value: Any) -> bool:
    return value is True


def _false(value: Any) -> bool:
    return value is False


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) and entry for entry in value)


def _variables(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) and "=" not in k for k, v in value.items())


def _rules(value: Any) -> bool:
    return _texts(value) and all(map(check_rule, value))


def _paths(value: Any) -> bool:
    # One slash here, where the rules about tools take two.
    return _texts(value) and all(re.match(r"/(?!/)|~(/|$)", path) for path in value)


def _servers_listed(value: Any) -> bool:
    return isinstance(value, list) and all(_server_listed(entry) for entry in value)


def _server_listed(entry: Any) -> bool:
    match entry:
        case {"serverCommand": [str(), *_] as argv, **rest} if not rest:
            return _texts(argv) or all(isinstance(word, str) for word in argv)
        case {"serverUrl": str(url), **rest} if not rest:
            return bool(url)
    return False


_PERMISSIONS: Final[Mapping[str, Any]] = {
    "allow": _rules,
    "ask": _rules,
    "deny": _rules,
    "defaultMode": lambda value: value in MODES,
    "disableBypassPermissionsMode": lambda value: value == "disable",
    "disableAutoMode": lambda value: value == "disable",
    "denyInsteadOfPrompting": _true,
}
_SANDBOX: Final[Mapping[str, Any]] = {
    "enabled": _true,
    "failIfUnavailable": _true,
    "allowUnsandboxedCommands": _false,
    "autoAllowBashIfSandboxed": _false,
    "enableWeakerNestedSandbox": _false,
    "filesystem": {
        "allowRead": _paths,
        "denyRead": _paths,
        "allowWrite": _paths,
        "denyWrite": _paths,
        "allowManagedReadPathsOnly": _true,
    },
    "network": {
        "allowedDomains": lambda value: isinstance(value, list) and all(map(_SANDBOX_HOST.fullmatch, value)),
        "deniedDomains": lambda value: _texts(value) and all(map(_SANDBOX_HOST.fullmatch, value)),
        "allowManagedDomainsOnly": _true,
        "allowAllUnixSockets": lambda value: isinstance(value, bool),
    },
}
_ANYWHERE: Final[Mapping[str, Any]] = {
    "permissions": _PERMISSIONS,
    "env": _variables,
    "availableModels": _texts,
    "deniedModels": _texts,
    "enforceAvailableModels": _true,
    "allowedMcpServers": _servers_listed,
    "skipWebFetchPreflight": _true,
}
# These are taken from managed files only.
_MANAGED: Final[Mapping[str, Any]] = {
    "sandbox": _SANDBOX,
    "allowManagedPermissionRulesOnly": _true,
    "allowManagedHooksOnly": _true,
    "allowManagedMcpServersOnly": _true,
    "disableSideloadFlags": _true,
    "allowedProviders": lambda value: value == ["customEndpoint"],
    "requiredMinimumVersion": lambda value: isinstance(value, str) and bool(_VERSION.fullmatch(value)),
    "requiredMaximumVersion": lambda value: isinstance(value, str) and bool(_VERSION.fullmatch(value)),
}


def check_settings(doc: Any, *, managed: bool) -> None:
    """Take a settings document, or say what the target would skip of it.

    Raises:
        RenderError: naming the key.
    """
    table = {**_ANYWHERE, **_MANAGED} if managed else _ANYWHERE
    _check(doc, table, "")
    _check_versions(doc)
    if "allowedProviders" in doc and "ANTHROPIC_BASE_URL" not in doc.get("env", {}):
        raise RenderError("allowedProviders without ANTHROPIC_BASE_URL lets nothing start")
    sandbox = doc.get("sandbox", {})
    needed = ("enabled", "failIfUnavailable", "allowUnsandboxedCommands", "autoAllowBashIfSandboxed")
    if sandbox and not all(key in sandbox for key in needed):
        raise RenderError(f"a sandbox needs {', '.join(needed)}", pointer="/sandbox")
    files = sandbox.get("filesystem", {})
    if "allowRead" in files and "denyRead" not in files:
        raise RenderError("allowRead opens nothing where nothing is denied", pointer="/sandbox/filesystem")


def _check(value: Any, table: Mapping[str, Any], pointer: str) -> None:
    if not isinstance(value, dict):
        raise RenderError("not a mapping", pointer=pointer or "/")
    for key, member in value.items():
        at = f"{pointer}/{key}"
        check = table.get(key)
        if check is None:
            raise RenderError("the target does not know this key here", pointer=at)
        if isinstance(check, Mapping):
            _check(member, check, at)
        elif not check(member):
            raise RenderError(f"the target would not take {member!r}", pointer=at)


def _check_versions(doc: Any) -> None:
    low, high = doc.get("requiredMinimumVersion"), doc.get("requiredMaximumVersion")
    if low and high and version(low) > version(high):
        raise RenderError(f"no version is at least {low} and at most {high}")


def version(text: str) -> tuple[int, ...]:
    """A version, to compare."""
    return tuple(map(int, text.split(".")))


def check_rule(text: str) -> bool:
    """Take one permission rule.

    Raises:
        RenderError: it is none, or one that the target takes and that has no effect.
    """
    name, spec = split_rule(text)
    if name.startswith("mcp__"):
        if spec is not None or not _MCP_RULE.fullmatch(name):
            raise RenderError(f"{text!r} names no MCP tool as the target spells them")
        return True
    if name not in TOOLS:
        raise RenderError(f"{text!r} names no tool of the target, so it would be skipped")
    if spec is None:
        return True
    if name not in _SPECS or not _SPECS[name](spec):
        raise RenderError(f"{text!r} has no effect, or another than it seems to")
    return True


def split_rule(text: str) -> tuple[str, str | None]:
    """`Name(spec)` as name and spec.

    Raises:
        RenderError: it is no rule.
    """
    found = _RULE.fullmatch(text) if not text.startswith("mcp__") else None
    if found is None and not text.startswith("mcp__"):
        raise RenderError(f"{text!r} is no rule")
    return (found["name"], found["spec"]) if found else (text, None)


def _path_spec(spec: str) -> bool:
    """An absolute path takes two slashes, with one it is relative; a blank at its end is cut off."""
    return bool(re.match(r"//(?!/)|~/", spec)) and not spec.endswith(" ") and spec != "//"


def _command_spec(spec: str) -> bool:
    return not spec.startswith((" ", "*", ":")) and spec == spec.strip() and "\n" not in spec


_SPECS: Final[Mapping[str, Callable[[str], bool]]] = {
    "Bash": _command_spec,
    "Read": _path_spec,
    "Edit": _path_spec,
    # A port never matches.
    "WebFetch": lambda spec: spec.startswith("domain:") and bool(_HOST.fullmatch(spec[7:])),
}


def check_servers(doc: Any) -> None:
    """Take the exclusive set of MCP servers. The target reads a broken one as an empty one.

    Raises:
        RenderError: naming the server.
    """
    if not isinstance(doc, dict) or set(doc) != {"mcpServers"} or not isinstance(doc["mcpServers"], dict):
        raise RenderError("a set of servers is a mapping under mcpServers and nothing else")
    for name, entry in doc["mcpServers"].items():
        if not _SERVER.fullmatch(name) or not _server(entry):
            raise RenderError("the target would not start this server so", pointer=f"/mcpServers/{name}")


def _server(entry: Any) -> bool:
    match entry:
        case {"type": "stdio", "command": str(command), "args": list(args), **rest}:
            return not rest and bool(command) and all(isinstance(arg, str) for arg in args)
        case {"type": "http" | "sse", "url": str(url), **rest}:
            return not rest and bool(url)
    return False
