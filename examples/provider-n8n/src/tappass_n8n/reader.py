"""Reads what was rendered the way n8n does: written from its documentation, never from `provider.py`.

Lists are in files, named by the `_FILE` form of their variable. A node on both lists is not loaded, and
without an `include` list all others are. A folder that is listed is open both ways, unless a pattern matches.
A request is judged by its name first: allowed, then blocked; then by address: allowed, then blocked.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any, Final

from tappass_host.policy.actions import Action, Connect, EnvRead, File, McpCall, McpStart, Tool
from tappass_host.policy.effect import Effect
from tappass_host.policy.errors import RenderError
from tappass_host.policy.grammar.addresses import Address, canonical_ip
from tappass_host.policy.grammar.domains import canonical_host
from tappass_host.sdk.artifacts import Artifact, ArtifactPath
from tappass_host.sdk.reader import Ruling
from tappass_n8n.nodes import MCP, nodes_of

_BOOLEANS: Final = frozenset(
    {
        "N8N_BLOCK_ENV_ACCESS_IN_NODE",
        "N8N_BLOCK_FILE_ACCESS_TO_N8N_FILES",
        "N8N_BLOCK_RUNNER_ENV_ACCESS",
        "N8N_COMMUNITY_PACKAGES_ENABLED",
        "N8N_DIAGNOSTICS_ENABLED",
        "N8N_ENFORCE_SETTINGS_FILE_PERMISSIONS",
        "N8N_GIT_NODE_DISABLE_BARE_REPOS",
        "N8N_PERSONALIZATION_ENABLED",
        "N8N_SSRF_PROTECTION_ENABLED",
        "N8N_TEMPLATES_ENABLED",
        "N8N_VERSION_NOTIFICATIONS_ENABLED",
    }
)
_TEXTS: Final = frozenset({"N8N_RUNNERS_MODE", "N8N_RUNNERS_AUTH_TOKEN"})
# Variable -> what separates its entries; empty for a JSON array.
_LISTS: Final = {
    "NODES_INCLUDE": "",
    "NODES_EXCLUDE": "",
    "N8N_RESTRICT_FILE_ACCESS_TO": ";",
    "N8N_BLOCK_FILE_PATTERNS": ";",
    "N8N_SSRF_BLOCKED_IP_RANGES": ",",
    "N8N_SSRF_ALLOWED_IP_RANGES": ",",
    "N8N_SSRF_BLOCKED_HOSTNAMES": ",",
    "N8N_SSRF_ALLOWED_HOSTNAMES": ",",
}


class Listed:
    """A variable that is a list, and the artifact that it stands in."""

    def __init__(self, artifact: str, entries: Sequence[str]) -> None:
        self.artifact, self.entries = artifact, entries

    def ruling(self, effect: Effect, entry: str = "") -> Ruling:
        """A ruling by this list, or by one node on it."""
        return Ruling(
            effect, f"{self.artifact}#[{entry}]" if entry in self.entries and entry else f"{self.artifact}#"
        )


class Native:
    """What one instance permits. A variable that is not set has no say."""

    def __init__(self, env: dict[str, Any], lists: dict[str, Listed]) -> None:
        self._env, self._lists = env, lists

    def permits(self, action: Action) -> Ruling | None:
        """The ruling on what a node, or code in a workflow, does; None for all else."""
        match action:
            case EnvRead(surface="code"):
                return self._variable()
            case Tool():
                return self._tool(action)
            case McpCall() | McpStart():
                return self._loaded(MCP)
            case File(surface="tool", op="move"):
                # No node moves a file, whatever is open.
                return self._file(action.path, Effect.DENY)
            case File(surface="tool"):
                return self._file(action.path)
            case Connect(surface="tool", protocol="tcp"):
                return self._request(action.host)
        return None

    def _variable(self) -> Ruling | None:
        name = "N8N_BLOCK_ENV_ACCESS_IN_NODE"
        if name not in self._env:
            return None
        return Ruling(Effect.DENY if self._env[name] == "true" else Effect.ALLOW, f"env#/{name}")

    # Nodes.

    def _tool(self, tool: Tool) -> Ruling | None:
        if "NODES_EXCLUDE" not in self._lists:
            return None
        loaded = self._loaded(nodes_of(tool.name) or (tool.name,))
        if loaded is None or loaded.effect is Effect.DENY:
            return loaded
        touched = self._touched(tool)
        return touched if touched is not None and touched.effect is Effect.DENY else loaded

    def _touched(self, tool: Tool) -> Ruling | None:
        """What the node then does to files and hosts."""
        if tool.name in ("Read", "Write"):
            return self._file(str(tool.args.get("path", "")))
        if tool.name == "WebFetch":
            found = re.match(r"https?://([^/:]+)", str(tool.args.get("url", "")))
            return self._request(found[1] if found else "")
        return None

    def _loaded(self, nodes: Sequence[str]) -> Ruling | None:
        """Any one of several nodes is enough to do it."""
        exclude, include = self._lists.get("NODES_EXCLUDE"), self._lists.get("NODES_INCLUDE")
        if exclude is None:
            return None
        rulings = [_node(node, exclude, include) for node in nodes]
        return next((ruling for ruling in rulings if ruling.effect is Effect.ALLOW), rulings[0])

    # Files.

    def _file(self, path: str, at_most: Effect = Effect.ALLOW) -> Ruling | None:
        opened = self._lists.get("N8N_RESTRICT_FILE_ACCESS_TO")
        closed = self._lists.get("N8N_BLOCK_FILE_PATTERNS")
        if opened is None or closed is None:
            return None
        if any(re.search(pattern, path, re.IGNORECASE | re.MULTILINE) for pattern in closed.entries):
            return closed.ruling(Effect.DENY)
        within = any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in opened.entries)
        return opened.ruling(at_most if within else Effect.DENY)

    # Requests.

    def _request(self, host: str) -> Ruling | None:
        if "N8N_SSRF_PROTECTION_ENABLED" not in self._env:
            return None
        if self._env["N8N_SSRF_PROTECTION_ENABLED"] == "false":
            return Ruling(Effect.ALLOW, "env#/N8N_SSRF_PROTECTION_ENABLED")
        address = canonical_ip(host)
        if address is None:
            return self._name(canonical_host(host) or "")
        return self._address(address)

    def _name(self, name: str) -> Ruling | None:
        for variable, effect in (("ALLOWED_HOSTNAMES", Effect.ALLOW), ("BLOCKED_HOSTNAMES", Effect.DENY)):
            listed = self._lists.get(f"N8N_SSRF_{variable}")
            if listed is not None and any(_matches(pattern, name) for pattern in listed.entries):
                return listed.ruling(effect)
        # A name that nobody lists is judged by its address: this machine's, or one on the internet.
        own = canonical_ip("127.0.0.1" if name.endswith("localhost") else "203.0.113.1")
        return self._address(own) if own is not None else None

    def _address(self, address: Address) -> Ruling:
        for variable, effect in (("ALLOWED_IP_RANGES", Effect.ALLOW), ("BLOCKED_IP_RANGES", Effect.DENY)):
            listed = self._lists.get(f"N8N_SSRF_{variable}")
            if listed is not None and any(address in ip_network(text) for text in listed.entries):
                return listed.ruling(effect)
        return Ruling(Effect.ALLOW, "env#/N8N_SSRF_PROTECTION_ENABLED")


def _node(node: str, exclude: Listed, include: Listed | None) -> Ruling:
    if node in exclude.entries:
        return exclude.ruling(Effect.DENY, node)
    if include is not None and node not in include.entries:
        return include.ruling(Effect.DENY)
    return (include or exclude).ruling(Effect.ALLOW, node)


def _matches(pattern: str, name: str) -> bool:
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern


def read(artifacts: Sequence[Artifact]) -> Native:
    """Parse a rendering strictly.

    Raises:
        RenderError: a variable that n8n does not know, or a value that it would not take.
    """
    docs = {artifact.id: artifact.doc for artifact in artifacts}
    env: dict[str, Any] = docs["env"]  # type: ignore[assignment]
    lists = {}
    for name, value in env.items():
        variable = name.removesuffix("_FILE")
        if variable in _LISTS and isinstance(value, ArtifactPath):
            lists[variable] = Listed(value.id, _entries(docs[value.id], _LISTS[variable], variable))
        elif name not in _BOOLEANS | _TEXTS or (name in _BOOLEANS and value not in ("true", "false")):
            raise RenderError(f"n8n takes no {name}={value!r}")
    return Native(env, lists)


def _entries(doc: object, separator: str, variable: str) -> list[str]:
    entries = doc.split(separator) if isinstance(doc, str) and separator else doc
    if not isinstance(entries, list) or not all(isinstance(e, str) and e == e.strip() for e in entries):
        raise RenderError(f"{variable} is no list")
    if separator and not all(entries):
        raise RenderError(f"an empty {variable} means n8n's own default")
    return entries
