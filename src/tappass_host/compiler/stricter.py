"""Rewrites for `on_gap: stricter`: a statement nobody holds becomes one that more targets hold.

Each rewrite forbids at least what the statement forbids. The statement it stands for is either replaced, and
then its annotation and compliance tags move along, or kept beside it where it also speaks of other things.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from tappass_host.policy.amend import Addition, amend, note, renamed
from tappass_host.policy.grammar.canonical import canonical_entry
from tappass_host.policy.model import McpServer, Policy
from tappass_host.policy.statements import Statement


class Rewrite(NamedTuple):
    """A statement and those that now stand for it."""

    statement: str
    by: tuple[str, ...]


Rewritten = tuple[Policy, tuple[str, ...]]


def stricter(policy: Policy, statement: Statement) -> Rewritten | None:
    """The policy with a stricter form of one statement, and the ids of that form; None if it has none."""
    rewrite = _BY_FIELD.get(statement.field)
    return rewrite(policy, statement) if rewrite is not None else None


def _source(statement: Statement) -> str:
    return f"on_gap: stricter, for {statement.id}"


# Lists: the entry moves to a stricter list.


def _moved(from_: str, to: str) -> Callable[[Policy, Statement], Rewritten]:
    def move(policy: Policy, statement: Statement) -> Rewritten:
        aspect, _, name = from_.partition(".")
        node: Any = getattr(policy, aspect)
        kept = tuple(e for e in getattr(node, name) if canonical_entry(from_, e) != statement.entry)
        addition = Addition(to, statement.entry, _source(statement))
        moved = msgspec.structs.replace(policy, **{aspect: msgspec.structs.replace(node, **{name: kept})})
        return renamed(amend(moved, [addition]), statement.id, addition.statement, addition.source), (
            addition.statement,
        )

    return move


# Defaults.


def _default(path: str) -> Callable[[Policy, Statement], Rewritten | None]:
    aspect, _, name = path.partition(".")

    def set_deny(policy: Policy, statement: Statement) -> Rewritten | None:
        if statement.entry == "deny":
            return None
        names = (name,) if name != "default" or aspect != "tools" else ("default", "unknown")
        node = msgspec.structs.replace(getattr(policy, aspect), **dict.fromkeys(names, "deny"))
        changed = msgspec.structs.replace(policy, **{aspect: node})
        for each in names:
            old = getattr(getattr(policy, aspect), each)
            if old != "deny":
                before, after = f"{aspect}.{each}[{old}]", f"{aspect}.{each}[deny]"
                changed = renamed(changed, before, after, _source(statement))
        return changed, tuple(f"{aspect}.{each}[deny]" for each in names)

    return set_deny


# Argument constraints and taint: the tool itself is denied, the statement stays for those who do hold it.


def _constraint(policy: Policy, statement: Statement) -> Rewritten:
    assert policy.tools is not None
    names = (t for t in policy.tools.constraints if statement.id.startswith(f"tools.constraints.{t}."))
    tool = max(names, key=len)
    addition = Addition("tools.deny", tool, _source(statement))
    return amend(policy, [addition]), (addition.statement,)


def _tainted(policy: Policy, statement: Statement) -> Rewritten:
    addition = Addition("tools.deny", statement.entry, _source(statement))
    return amend(policy, [addition]), (addition.statement,)


# MCP servers: rules are nested in the server.


def _mcp(policy: Policy, statement: Statement) -> Rewritten | None:
    assert policy.mcp is not None
    for index, server in enumerate(policy.mcp.servers):
        at = f"mcp.servers[{server.id}]"
        if statement.id.startswith(at + "."):
            changed, entry = _MCP[statement.field](server, statement.id.removeprefix(at), statement)
            if changed is None:
                return None
            servers = (*policy.mcp.servers[:index], changed, *policy.mcp.servers[index + 1 :])
            node = msgspec.structs.replace(policy.mcp, servers=servers)
            return _noted(policy, msgspec.structs.replace(policy, mcp=node), statement, at + entry)
    return None


def _noted(before: Policy, after: Policy, statement: Statement, new: str) -> Rewritten:
    if statement.field in ("mcp.servers.tools.ask", "mcp.servers.tools.default"):
        return renamed(after, statement.id, new, _source(statement)), (new,)
    if new in before.provenance:
        return after, (new,)
    field, _, entry = new.rpartition("[")
    return note(after, [Addition(field, entry.rstrip("]"), _source(statement))]), (new,)


_Server = tuple[McpServer | None, str]


def _mcp_ask(server: McpServer, _: str, statement: Statement) -> _Server:
    kept = tuple(tool for tool in server.tools.ask if tool != statement.entry)
    return _mcp_denied(server, statement.entry, ask=kept)


def _mcp_default(server: McpServer, _: str, statement: Statement) -> _Server:
    if statement.entry == "deny":
        return None, ""
    tools = msgspec.structs.replace(server.tools, default="deny")
    return msgspec.structs.replace(server, tools=tools), ".tools.default[deny]"


def _mcp_constraint(server: McpServer, rest: str, _: Statement) -> _Server:
    names = (t for t in server.tools.constraints if rest.startswith(f".tools.constraints.{t}."))
    return _mcp_denied(server, max(names, key=len))


def _mcp_pin(server: McpServer, _: str, statement: Statement) -> _Server:
    return _mcp_denied(server, statement.entry.partition("=")[0])


def _mcp_denied(server: McpServer, tool: str, **changes: tuple[str, ...]) -> _Server:
    deny = tuple(sorted({*server.tools.deny, tool}))
    tools = msgspec.structs.replace(server.tools, deny=deny, **changes)
    return msgspec.structs.replace(server, tools=tools), f".tools.deny[{tool}]"


_MCP: Final[dict[str, Callable[[McpServer, str, Statement], _Server]]] = {
    "mcp.servers.tools.ask": _mcp_ask,
    "mcp.servers.tools.default": _mcp_default,
    "mcp.servers.tools.constraints": _mcp_constraint,
    "mcp.servers.pins": _mcp_pin,
}

_BY_FIELD: Final[dict[str, Callable[[Policy, Statement], Rewritten | None]]] = {
    "tools.ask": _moved("tools.ask", "tools.deny"),
    "tools.default": _default("tools.default"),
    "tools.unknown": _default("tools.unknown"),
    "tools.constraints": _constraint,
    "tools.deny_if_tainted": _tainted,
    "filesystem.read_only": _moved("filesystem.read_only", "filesystem.deny_paths"),
    "filesystem.default": _default("filesystem.default"),
    **dict.fromkeys(_MCP, _mcp),
}
