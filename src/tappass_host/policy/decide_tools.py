"""What a policy says about tool calls, MCP calls and MCP servers.

Deny, then an argument constraint, then taint, ask, allow, and the default: `tools.default` for a tool the
policy or the vocabulary knows, `tools.unknown` for any other.
"""

from collections.abc import Iterator

from tappass_host.policy import actions as a
from tappass_host.policy.effect import Effect
from tappass_host.policy.effective import EffectivePolicy, ToolEntry
from tappass_host.policy.grammar.canonical import canonical_entry
from tappass_host.policy.grammar.domains import DomainRule
from tappass_host.policy.grammar.paths import PathRule
from tappass_host.policy.grammar.tools import ALIASES, CANONICAL_TOOLS
from tappass_host.policy.model import Constraints, McpServer
from tappass_host.policy.verdicts import KIND_OF, Check, unmanaged


def tool_checks(policy: EffectivePolicy, act: a.Tool, tainted: frozenset[str]) -> Iterator[Check]:
    """The checks of the tools aspect about one call."""
    node = policy.doc.tools
    if node is None:
        yield unmanaged("tools")
        return
    name = ALIASES.get(act.name, act.name)
    yield from _constraints(node.constraints, "tools.constraints", name, act.args)
    for label, entry in policy.tools.tainted:
        if label in tainted and speaks_of(entry, name, act.args):
            yield Check(Effect.DENY, "deny", entry.statement, f"tainted by {label}")
    if name == "Bash":
        yield _shell(policy, str(act.args.get("command", "")))
    else:
        yield _call(policy, name, act.args)


def _call(policy: EffectivePolicy, name: str, args: dict[str, object]) -> Check:
    index = policy.tools
    for effect, entries in ((Effect.DENY, index.deny), (Effect.ASK, index.ask), (Effect.ALLOW, index.allow)):
        for entry in entries:
            if speaks_of(entry, name, args, denies=effect is not Effect.ALLOW):
                return Check(effect, KIND_OF[effect], entry.statement, f"rule {entry.rule}")
    return _tool_default(policy, name)


def _tool_default(policy: EffectivePolicy, name: str) -> Check:
    assert policy.doc.tools is not None
    known = name in CANONICAL_TOOLS or name in policy.tools.names
    field = "default" if known else "unknown"
    effect = Effect(getattr(policy.doc.tools, field))
    return Check(effect, "default", policy.id(f"tools.{field}"), f"no rule names {name}")


def speaks_of(entry: ToolEntry, name: str, args: dict[str, object], *, denies: bool = True) -> bool:
    """True if the rule is about this call. `denies` picks the reading of a portless domain."""
    rule = entry.rule
    if not rule.matches(name):
        return False
    match rule.spec:
        case None:
            return True
        case PathRule() as path:
            return path.matches(str(args.get("path", "")))
        case DomainRule() as domain:
            return _url_matches(domain, str(args.get("url", "")), denies=denies)
    return denies  # a command pattern: judged by the shell grammar, never here


def _url_matches(domain: DomainRule, url: str, *, denies: bool) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        return denies
    return domain.matches_deny(host, port) if denies else domain.matches_allow(host, port)


def _shell(policy: EffectivePolicy, command: str) -> Check:
    from tappass_host.policy.grammar.shell import judge_command, parse_command_line

    assert policy.doc.tools is not None
    index = policy.tools
    allow, ask, deny = (
        {e.rule: e.statement for e in entries if e.rule.matches("Bash")}
        for entries in (index.allow, index.ask, index.deny)
    )
    judged = judge_command(
        parse_command_line(command),
        allow=tuple(allow),
        ask=tuple(ask),
        deny=tuple(deny),
        default=policy.doc.tools.default,
    )
    if judged.rule is None:
        return Check(judged.effect, "default", policy.id("tools.default"), judged.reason)
    statement = {**allow, **ask, **deny}[judged.rule]
    return Check(judged.effect, KIND_OF[judged.effect], statement, judged.reason)


def _constraints(constraints: Constraints, field: str, tool: str, args: dict[str, object]) -> Iterator[Check]:
    for argument, constraint in constraints.get(tool, {}).items():
        # A constrained argument that is left out would be whatever the tool takes for it.
        why = (
            constraint.check(args[argument])
            if argument in args
            else "is missing, and the policy constrains it"
        )
        if why is not None:
            statement = f"{field}.{tool}.{argument}[{canonical_entry(field, constraint)}]"
            yield Check(Effect.DENY, "constraint", statement, f"{argument}: {why}")


def mcp_checks(policy: EffectivePolicy, act: a.McpCall) -> Iterator[Check]:
    """The checks of the mcp aspect about one call. MCP tools are governed here only, not under tools."""
    if policy.doc.mcp is None:
        yield unmanaged("mcp")
        return
    server = policy.mcp_servers.get(act.server)
    if server is None:
        default = Effect(policy.doc.mcp.default)
        yield Check(default, "default", policy.id("mcp.default"), f"server {act.server} is not listed")
    elif act.what == "tool":
        yield from _mcp_tool(server, act)
    else:
        yield _mcp_other(server, act)


def _mcp_tool(server: McpServer, act: a.McpCall) -> Iterator[Check]:
    field = f"mcp.servers[{server.id}].tools"
    yield from _constraints(server.tools.constraints, f"{field}.constraints", act.tool, act.args)
    for effect in (Effect.DENY, Effect.ASK, Effect.ALLOW):
        if act.tool in getattr(server.tools, effect.value):
            yield Check(effect, KIND_OF[effect], f"{field}.{effect.value}[{act.tool}]", f"rule {act.tool}")
            return
    default = server.tools.default
    yield Check(Effect(default), "default", f"{field}.default[{default}]", f"no rule names {act.tool}")


def _mcp_other(server: McpServer, act: a.McpCall) -> Check:
    at = f"mcp.servers[{server.id}]"
    if act.what == "feature":
        listed = act.tool in server.features
        statement = f"{at}.features[{act.tool}]" if listed else at
        return Check(
            Effect.ALLOW if listed else Effect.DENY, "allow" if listed else "deny", statement, act.tool
        )
    names = server.resources if act.what == "resource" else server.prompts
    for effect in (Effect.DENY, Effect.ALLOW):
        if act.tool in getattr(names, effect.value):
            statement = f"{at}.{act.what}s.{effect.value}[{act.tool}]"
            return Check(effect, KIND_OF[effect], statement, f"rule {act.tool}")
    return Check(
        Effect(names.default),
        "default",
        f"{at}.{act.what}s.default[{names.default}]",
        f"{act.tool} is not listed",
    )


def start_checks(policy: EffectivePolicy, act: a.McpStart) -> Iterator[Check]:
    """A server is known by how it is reached; a listed name with another argv or URL is another server."""
    if policy.doc.mcp is None:
        yield unmanaged("mcp")
        return
    server = policy.mcp_servers.get(act.server)
    same = server is not None and (server.transport.argv, server.transport.url) == (act.argv, act.url)
    if server is not None and same:
        yield Check(Effect.ALLOW, "allow", f"mcp.servers[{server.id}]", f"server {server.id} is listed")
    else:
        default = Effect(policy.doc.mcp.default)
        yield Check(default, "default", policy.id("mcp.default"), f"server {act.server} is not listed so")
