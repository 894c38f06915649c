"""MCP: the exclusive set of servers, and rules about their tools.

Servers and tools are renamed where they hold other characters than letters, digits, `_` and `-`, and a rule
in the original spelling silently means nothing, so every name is written as the target reads it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import McpServer
from tappass_host.policy.statements import Statement
from tappass_host.providers.harness.claude_code import info
from tappass_host.providers.harness.claude_code.binary import RESOURCE_TOOLS
from tappass_host.providers.harness.claude_code.spelling import mcp_name
from tappass_host.providers.harness.claude_code.tools import Mode
from tappass_host.sdk.claims import Item
from tappass_host.sdk.document import Doc, escape
from tappass_host.sdk.lowering import McpTool, lower_mcp

# `__` parts a server from its tool, so a name that holds it, or could with its neighbours, is read wrongly.
_NAME: Final = re.compile(r"[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*")
WHOLE: Final = "mcp#/mcpServers"


def lowered_servers(policy: EffectivePolicy, mode: Mode) -> list[Item]:
    """The items of the mcp aspect, with what this target cannot hold refused."""
    fitting = _Fitting(policy, mode)
    return [fitting.fit(item) for item in lower_mcp(policy, info.MCP._replace(ask=mode != "dontAsk"))]


class _Fitting:
    """One item after the other, each by what it is about."""

    def __init__(self, policy: EffectivePolicy, mode: Mode) -> None:
        self._servers = policy.mcp_servers
        self._mode = mode
        names = Counter(map(mcp_name, self._servers))
        self._misnamed = {i for i in self._servers if not _NAME.fullmatch(i) or names[mcp_name(i)] > 1}
        self._resources_shut = any(
            s.resources.deny or s.resources.default == "deny" for s in self._servers.values()
        )

    def fit(self, item: Item) -> Item:
        """The item as far as this target can hold it."""
        if isinstance(item.value, Statement):
            return self._other(item, item.value)
        if item.refused:
            return item
        match item.op, item.value:
            case "default", value:
                return item._replace(refused=info.ONLY_LISTED if value == "allow" else "")
            case "server", McpServer() as server:
                return self._server(item, server)
            case _, McpTool() as tool:
                return self._tool(item, tool)
        return item

    def _server(self, item: Item, server: McpServer) -> Item:
        if server.id in self._misnamed:
            return item._replace(refused=info.SERVER_NAME)
        return item._replace(loss="" if "elicitation" in server.features else info.ELICITS)

    def _tool(self, item: Item, tool: McpTool) -> Item:
        if tool.server in self._misnamed:
            grants = item.op in ("allow", "tool_default_allow")
            return item._replace(refused=info.SERVER_NAME) if grants else item._replace(op="not started")
        if item.op == "tool_default_deny" and self._mode != "dontAsk":
            rules = self._servers[tool.server].tools
            return item._replace(refused=info.ASKS_TOOLS if rules.allow or rules.ask else "", op="shut")
        if mcp_name(tool.tool) == tool.tool or tool.tool == "*":
            return item
        if item.op == "allow":
            return item._replace(loss=info.TOOL_NAME)
        return item._replace(fidelity="stricter")

    def _other(self, item: Item, statement: Statement) -> Item:
        """Resources, prompts and features, which the lowering leaves to the target."""
        field = statement.field.removeprefix("mcp.servers.")
        return _OTHERS[field](self, item, statement) if field in _OTHERS else item

    def resources(self, item: Item, statement: Statement) -> Item:
        """Two tools reach all resources of all servers."""
        if statement.polarity == "restrict":
            return item._replace(op="resources", refused="")
        shut = item._replace(refused=info.ALL_RESOURCES)
        return shut if self._resources_shut else item._replace(op="open", refused="")

    def prompts(self, item: Item, statement: Statement) -> Item:
        """Only a person fetches a prompt."""
        if statement.polarity == "grant":
            return item._replace(refused=info.PEOPLE_PROMPT)
        return item._replace(op="prompts", refused="", loss=info.PEOPLE_PROMPT)

    def features(self, item: Item, statement: Statement) -> Item:
        """It answers elicitations, and nothing else that a server may ask."""
        if statement.entry == "elicitation":
            return item._replace(op="open", refused="")
        return item._replace(refused=f"has no {statement.entry} for servers")

    def secret(self, item: Item, statement: Statement) -> Item:
        """A secret would have to be in its environment, which its commands inherit."""
        del statement
        return item._replace(refused=info.NO_AUTH)


_OTHERS: Final[dict[str, Callable[[_Fitting, Item, Statement], Item]]] = {
    **dict.fromkeys(("resources.default", "resources.allow", "resources.deny"), _Fitting.resources),
    **dict.fromkeys(("prompts.default", "prompts.allow", "prompts.deny"), _Fitting.prompts),
    "features": _Fitting.features,
    "auth_ref": _Fitting.secret,
}


def put_servers(settings: Doc, servers: Doc, items: Iterable[Item], *, anchor: str) -> None:
    """Write the items of `lowered_servers` that are left. `anchor` decides about tools that no rule names."""
    servers.set("/mcpServers", {}, by="the whole set: no other server is started")
    settings.ensure("/allowedMcpServers", by="nor is one that a user or project brings")
    for item in items:
        if item.op in ("tool_default_deny", "tool_default_ask"):
            settings.credit(anchor, by=item)
        else:
            _put(settings, servers, item)


def _put(settings: Doc, servers: Doc, item: Item) -> None:
    match item.op, item.value:
        case "server", McpServer() as server:
            _put_server(settings, servers, server, item)
        case "resources", _:
            for tool in RESOURCE_TOOLS:
                settings.add("/permissions/deny", tool, by=item)
        case ("allow" | "ask" | "deny") as op, McpTool(server=server_id, tool=tool):
            settings.add(f"/permissions/{op}", f"mcp__{server_id}__{mcp_name(tool)}", by=item)
        case "tool_default_allow", McpTool(server=server_id):
            settings.add("/permissions/allow", f"mcp__{server_id}", by=item)
        case "shut", McpTool(server=server_id):
            settings.add("/permissions/deny", f"mcp__{server_id}", by=item)
        case _:
            servers.credit(WHOLE, by=item)


def _put_server(settings: Doc, servers: Doc, server: McpServer, item: Item) -> None:
    transport = server.transport
    pointer = f"/mcpServers/{escape(server.id)}"
    if transport.kind == "stdio":
        program, *arguments = transport.argv
        servers.set(pointer, {"type": "stdio", "command": program, "args": arguments}, by=item)
        settings.add("/allowedMcpServers", {"serverCommand": list(transport.argv)}, by=item)
    else:
        servers.set(pointer, {"type": transport.kind, "url": transport.url}, by=item)
        settings.add("/allowedMcpServers", {"serverUrl": transport.url}, by=item)
