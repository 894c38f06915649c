"""Less granted, or more denied, must never permit more."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from tappass_host.policy.actions import Action
from tappass_host.policy.decide import decide
from tappass_host.policy.effect import Effect
from tappass_host.policy.model import McpServer, Policy
from tappass_host.policy.statements import statements
from tappass_host.sdk.kit.compare import Claimed, shown
from tappass_host.sdk.kit.subject import Rendered

# Lists of grants, and denies that may be added, per aspect and field.
_GRANTS: Final = (
    ("network", "allow_domains"),
    ("network", "allow_cidrs"),
    ("network", "allow_unix"),
    ("filesystem", "read_write"),
    ("filesystem", "read_only"),
    ("tools", "allow"),
    ("mcp", "servers"),
    ("interpreter", "host_functions"),
    ("interpreter", "allow_imports"),
    ("interpreter", "env"),
    ("data", "sources"),
    ("llm", "routes"),
    ("credentials", "secrets"),
)
_DENIES: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("network", "deny_domains"): ("*.example.com", "api.x.org"),
    ("filesystem", "deny_paths"): ("**/.env", "/ws/a", "/ws/vendor/tmp"),
    ("tools", "deny"): ("@read", "Bash(git *)", "WebFetch", "Write(/ws/a)"),
    ("interpreter", "deny_imports"): ("json", "os"),
    ("credentials", "hide_env"): ("GITHUB_TOKEN", "PATH"),
}


class Step(NamedTuple):
    """One way to make a policy stricter."""

    what: str
    policy: Policy


def steps(policy: Policy) -> Iterator[Step]:
    """Every step of the two tables, and those inside MCP servers and model lists."""
    grants = {s.id for s in statements(policy) if s.polarity == "grant"}
    for aspect, field in _GRANTS:
        for entry in _get(policy, aspect, field):
            # read_only inside a writable folder is a restriction; without it more is permitted.
            if field != "read_only" or f"filesystem.read_only[{entry}]" in grants:
                yield _step(policy, aspect, field, _without(_get(policy, aspect, field), entry), f"- {entry}")
    for (aspect, field), entries in _DENIES.items():
        for entry in entries if getattr(policy, aspect) else ():
            yield _step(policy, aspect, field, _with(_get(policy, aspect, field), entry), f"+ {entry}")
    if policy.filesystem and policy.filesystem.workspace:
        yield _step(policy, "filesystem", "workspace", "", "- workspace")
    yield from _inner(policy)


def _inner(policy: Policy) -> Iterator[Step]:
    if policy.llm:
        models = policy.llm.models
        for name in models.allow:
            fewer = msgspec.structs.replace(models, allow=_without(models.allow, name))
            yield _step(policy, "llm", "models", fewer, f"- {name}")
    for server in policy.mcp.servers if policy.mcp else ():
        for tool in server.tools.allow:
            yield _server(policy, server, f"- {tool}", allow=_without(server.tools.allow, tool))
        yield _server(policy, server, "+ search", deny=_with(server.tools.deny, "search"))


def _server(policy: Policy, server: McpServer, what: str, **rules: tuple[str, ...]) -> Step:
    new = msgspec.structs.replace(server, tools=msgspec.structs.replace(server.tools, **rules))
    servers = tuple(new if s is server else s for s in _get(policy, "mcp", "servers"))
    return _step(policy, "mcp", "servers", servers, what)


def _step(policy: Policy, aspect: str, field: str, new: object, what: str) -> Step:
    changed = msgspec.structs.replace(getattr(policy, aspect), **{field: new})
    return Step(f"{aspect}.{field} {what}", msgspec.structs.replace(policy, **{aspect: changed}))


def _get(policy: Policy, aspect: str, field: str) -> tuple[Any, ...]:
    node = getattr(policy, aspect)
    return getattr(node, field) if node is not None else ()


def _without(entries: tuple[Any, ...], gone: Any) -> tuple[Any, ...]:
    return tuple(entry for entry in entries if entry != gone)


def _with(entries: tuple[str, ...], new: str) -> tuple[str, ...]:
    return tuple(sorted({*entries, new}))


def no_looser(before: Rendered, after: Rendered, actions: Iterable[Action]) -> Iterator[str]:
    """Actions that are permitted more after a step, although the policy says no less of them."""
    claimed = Claimed(after.config)
    for action in actions:
        old, new = before.native.permits(action), after.native.permits(action)
        if old is None or new is None or new.effect.strictness >= old.effect.strictness:
            continue
        was, now = decide(before.policy, action), decide(after.policy, action)
        if now.effect.strictness < was.effect.strictness:
            continue  # a writable root went, and with it the globs that hung from it
        no_more = new.effect.strictness >= now.effect.strictness or now.effect is Effect.UNMANAGED
        if old.effect.strictness > was.effect.strictness and no_more:
            continue  # a grant that had given way to a deny works again
        admitted = claimed.about(now.statement, action.surface)
        if not admitted or claimed.held(now.statement, action.surface):
            yield f"{shown(action)}: {old.effect} before, {new.effect} after"
