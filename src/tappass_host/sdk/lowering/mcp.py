"""MCP rules for a target: which servers, which of their tools, and what it cannot say about the rest."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import McpServer
from tappass_host.policy.statements import Statement
from tappass_host.sdk.claims import Item


class McpFeatures(NamedTuple):
    """What a target can hold.

    Attributes:
        servers: whether its allowlist knows servers by how they are reached (`identity`), by name, or not.
        tools: whether single tools of a server can be allowed and denied.
        ask: whether single tools can be asked about; without it an ask is denied (`stricter`).
        cannot: field below `mcp.servers` -> why not, for `constraints`, `resources`, `prompts`, `features`,
            `max_result_kb`, `pins`, `auth_ref`.
        holds: the same fields where it can.
    """

    servers: Literal["identity", "name", "none"]
    tools: bool
    ask: bool
    holds: frozenset[str] = frozenset()
    cannot: str = "does not look into MCP messages"


class McpTool(NamedTuple):
    """The value of a tool item."""

    server: str
    tool: str


def lower_mcp(policy: EffectivePolicy, features: McpFeatures) -> list[Item]:
    """Lower the mcp aspect; empty where it is unmanaged.

    Ops: `default`, `server` (value `McpServer`), `tool_default` (`McpTool` with tool `*` and the effect as op
    suffix: `tool_default_deny`), `allow`, `ask`, `deny` (value `McpTool`), `other` (value the statement).
    """
    if policy.doc.mcp is None:
        return []
    default = _default(policy, features)
    servers = (item for server in policy.doc.mcp.servers for item in _server(policy, server, features))
    return [default, *servers]


def _default(policy: EffectivePolicy, f: McpFeatures) -> Item:
    assert policy.doc.mcp is not None
    default, origins = policy.doc.mcp.default, (policy.id("mcp.default"),)
    if f.servers == "none" and default == "deny":
        return Item("default", default, origins, refused="has no allowlist of servers")
    loss = "a server is known by its name only" if f.servers == "name" and default == "deny" else ""
    return Item("default", default, origins, loss=loss)


def _server(policy: EffectivePolicy, server: McpServer, f: McpFeatures) -> Iterator[Item]:
    at = f"mcp.servers[{server.id}]"
    if f.servers == "none":
        yield Item("server", server, (at,), refused="has no allowlist of servers")
    else:
        yield Item("server", server, (at,))
    prefix = f"{at}."
    for statement in policy.statements:
        if statement.id.startswith(prefix):
            yield _part(server, statement, f)


def _part(server: McpServer, statement: Statement, f: McpFeatures) -> Item:
    field, origins = statement.field.removeprefix("mcp.servers."), (statement.id,)
    group, _, name = field.partition(".")
    if group == "tools" and name in ("allow", "ask", "deny", "default"):
        return _tool(server, statement, name, f)
    key = name if group == "tools" else group
    return Item("other", statement, origins, refused="" if key in f.holds else f.cannot)


def _tool(server: McpServer, statement: Statement, name: str, f: McpFeatures) -> Item:
    origins = (statement.id,)
    op = f"tool_default_{statement.entry}" if name == "default" else name
    value = McpTool(server.id, "*" if name == "default" else statement.entry)
    if not f.tools:
        return Item(op, value, origins, refused="knows servers only, not their tools")
    if op in ("ask", "tool_default_ask") and not f.ask:
        return Item(op.replace("ask", "deny"), value, origins, "stricter")
    return Item(op, value, origins)
