"""Are the new rules about MCP servers narrower than the old ones."""

from collections.abc import Iterator

from tappass_host.policy import actions as a
from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.grammar.constraints import narrower
from tappass_host.policy.model import McpNames, McpServer
from tappass_host.policy.narrower.gap import STRICTNESS, Gap, gap, looser, missing


def mcp_gaps(new: EffectivePolicy, old: EffectivePolicy) -> Iterator[Gap]:
    """What of the new policy is not proven to be within the old one."""
    mine, theirs = new.doc.mcp, old.doc.mcp
    assert mine is not None
    assert theirs is not None
    if looser(mine.default, theirs.default):
        yield gap(new.id("mcp.default"), "unlisted servers open up", a.McpCall(server="unlisted", tool="any"))
    for server in mine.servers:
        before = old.mcp_servers.get(server.id)
        if before is not None:
            yield from _server(server, before)
        elif theirs.default == "deny" or server.auth_ref:
            yield gap(f"mcp.servers[{server.id}]", "a new server", _start(server), *_calls(server))
    for name in missing(new.mcp_servers, old.mcp_servers):
        if mine.default == "allow":
            yield gap(f"mcp.servers[{name}]", "its rules are gone", *_calls(old.mcp_servers[name]))


def _start(server: McpServer) -> a.Action:
    return a.McpStart(server=server.id, argv=server.transport.argv, url=server.transport.url)


def _calls(server: McpServer) -> tuple[a.Action, ...]:
    tools = server.tools
    names = ("any", *tools.allow, *tools.ask, *tools.deny)
    return tuple(a.McpCall(server=server.id, tool=name) for name in names)


def _server(new: McpServer, old: McpServer) -> Iterator[Gap]:
    at = f"mcp.servers[{new.id}]"
    if new.transport != old.transport:
        yield gap(at, "reached in another way", _start(new))
    if new.auth_ref not in ("", old.auth_ref):
        yield gap(f"{at}.auth_ref[{new.auth_ref}]", "another secret")
    yield from _tools(new, old, f"{at}.tools")
    for what in ("resource", "prompt"):
        yield from _names(new.id, what, getattr(new, f"{what}s"), getattr(old, f"{what}s"))
    for feature in missing(old.features, new.features):
        act = a.McpCall(server=new.id, tool=feature, what="feature")
        yield gap(f"{at}.features[{feature}]", "a new feature", act)
    if old.max_result_kb is not None and (new.max_result_kb is None or new.max_result_kb > old.max_result_kb):
        yield gap(f"{at}.max_result_kb[{old.max_result_kb}]", "larger results")
    for tool, pin in old.pins.items():
        if new.pins.get(tool) != pin:
            yield gap(f"{at}.pins[{tool}={pin}]", "a pin is gone")


def _effect(server: McpServer, tool: str) -> str:
    for effect in ("deny", "ask", "allow"):
        if tool in getattr(server.tools, effect):
            return effect
    return server.tools.default


def _tools(new: McpServer, old: McpServer, at: str) -> Iterator[Gap]:
    if looser(new.tools.default, old.tools.default):
        act = a.McpCall(server=new.id, tool="unlisted")
        yield gap(f"{at}.default[{new.tools.default}]", "unlisted tools open up", act)
    named = {name for s in (new, old) for f in ("allow", "ask", "deny") for name in getattr(s.tools, f)}
    for name in sorted(named):
        effect = _effect(new, name)
        if STRICTNESS[effect] < STRICTNESS[_effect(old, name)]:
            listed = name in getattr(new.tools, effect)
            where = f"{at}.{effect}[{name}]" if listed else f"{at}.{_effect(old, name)}[{name}]"
            yield gap(where, f"{name} opens up", a.McpCall(server=new.id, tool=name))
    for tool, arguments in old.tools.constraints.items():
        for argument, constraint in arguments.items():
            kept = new.tools.constraints.get(tool, {}).get(argument)
            if (kept is None or not narrower(kept, constraint)) and _effect(new, tool) != "deny":
                values: tuple[object, ...] = ("", "example", "/example/x", 0, 1, 10**9, True)
                acts = [a.McpCall(server=new.id, tool=tool, args={argument: value}) for value in values]
                yield gap(
                    f"{at}.constraints.{tool}.{argument}[{constraint}]",
                    "a constraint is gone or wider",
                    *acts,
                )


def _names(server: str, what: str, new: McpNames, old: McpNames) -> Iterator[Gap]:
    at = f"mcp.servers[{server}].{what}s"
    if looser(new.default, old.default):
        act = a.McpCall(server=server, tool="unlisted", what=what)  # type: ignore[arg-type]
        yield gap(f"{at}.default[{new.default}]", f"unlisted {what}s open up", act)
    for name in sorted({*new.allow, *new.deny, *old.allow, *old.deny}):
        if _name_effect(new, name) == "allow" and _name_effect(old, name) == "deny":
            act = a.McpCall(server=server, tool=name, what=what)  # type: ignore[arg-type]
            where = f"{at}.allow[{name}]" if name in new.allow else f"{at}.deny[{name}]"
            yield gap(where if name in (*new.allow, *old.deny) else at, f"{name} opens up", act)


def _name_effect(names: McpNames, name: str) -> str:
    if name in names.deny:
        return "deny"
    return "allow" if name in names.allow else names.default
