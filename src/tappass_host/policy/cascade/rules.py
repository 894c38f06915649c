"""The narrowing rules, one for each kind of field, and the table that says which field has which.

A rule takes what stands above and what the level says, and gives what holds below; it raises
`CascadeViolationError` where the level says something looser. What a preset says looser gives way instead.
"""

from collections.abc import Callable
from typing import Any, Final

from tappass_host.policy.cascade.covers import ALLOW_LISTS, Covers
from tappass_host.policy.cascade.peers import unique
from tappass_host.policy.cascade.scope import Scope
from tappass_host.policy.tree import Entry, Section, Tree, entry_text

Rule = Callable[[Scope, str, Any, Any], Tree | None]

# Strictest first.
ORDERS: Final[dict[str, tuple[str, ...]]] = {
    "mode": ("enforce", "observe"),
    "on_expiry": ("lockdown", "retain"),
    "freshness.on_stale": ("lockdown", "warn"),
    "network.default": ("deny", "allow"),
    "network.local": ("deny", "allow"),
    "filesystem.default": ("deny", "read_only", "allow"),
    "tools.default": ("deny", "ask", "allow"),
    "tools.unknown": ("deny", "ask", "allow"),
    "mcp.default": ("deny", "allow"),
    "mcp.servers.tools.default": ("deny", "ask", "allow"),
    "mcp.servers.resources.default": ("deny", "allow"),
    "mcp.servers.prompts.default": ("deny", "allow"),
    "interpreter.default": ("deny", "allow"),
    "interpreter.network": ("off", "allowlist"),
    "data.default": ("deny", "allow"),
    "llm.default": ("deny", "allow"),
    "credentials.default": ("deny", "allow"),
}


def choose(scope: Scope, field: str, above: Entry | None, below: Entry) -> Entry:
    """One of a few words: never a looser one."""
    order = ORDERS[field]
    if above is None or order.index(below.value) < order.index(above.value):
        return below
    if below.value == above.value:
        return keep(above, below)
    if below.soft:
        scope.clipped(field, below)
        return above
    why = f"which is looser than {above.value} ({scope.above}, {above.source})"
    raise scope.violation(
        "may only be stricter", field, below, why, f"write {above.value} or a stricter word"
    )


def lower(scope: Scope, field: str, above: Entry | None, below: Entry) -> Entry:
    """A number (or instant): never a greater one."""
    if above is None or below.value < above.value:
        return below
    if below.value == above.value:
        return keep(above, below)
    if below.soft:
        scope.clipped(field, below)
        return above
    why = f"which is more than {above.value} ({scope.above}, {above.source})"
    raise scope.violation("may only be lower", field, below, why, f"write {above.value} or less")


def add(_scope: Scope, field: str, above: list[Entry] | None, below: list[Entry]) -> list[Entry]:
    """A list of restrictions: it only grows."""
    return merge_lists(field, above or [], below)


def merge_lists(field: str, above: list[Entry], below: list[Entry]) -> list[Entry]:
    """Both lists; what stands above keeps its place in provenance."""
    texts = {entry_text(field, entry.value): entry for entry in above}
    for entry in below:
        text = entry_text(field, entry.value)
        texts[text] = keep(texts[text], entry) if text in texts else entry
    return unique(field, list(texts.values()))


def keep(above: Entry, below: Entry) -> Entry:
    """What stands above, with the controls and notes that the level adds."""
    return above._replace(
        controls=tuple(sorted({*above.controls, *below.controls})),
        reason=above.reason or below.reason,
        owner=above.owner or below.owner,
        url=above.url or below.url,
    )


def shrink(scope: Scope, field: str, above: list[Entry] | None, below: list[Entry]) -> list[Entry]:
    """A list of grants: each entry lies within one above, or there is no list above."""
    if above is None:
        return unique(field, below)
    covers = ALLOW_LISTS[field]
    found: list[Entry] = []
    for entry in below:
        if any(covers(a.value, entry.value) for a in above) or opened(scope, field):
            found.append(_same_or(field, above, entry))
        elif entry.soft:
            scope.clipped(field, entry)
            found += [a for a in above if covers(entry.value, a.value)]
        else:
            raise scope.violation(
                "allow lists may only shrink", field, entry, *_not_within(scope, field, above, covers, entry)
            )
    return unique(field, found)


def _same_or(field: str, above: list[Entry], entry: Entry) -> Entry:
    text = entry_text(field, entry.value)
    return next((keep(a, entry) for a in above if entry_text(field, a.value) == text), entry)


def _not_within(
    scope: Scope, field: str, above: list[Entry], covers: Covers, entry: Entry
) -> tuple[str, str]:
    narrower = next((a for a in above if covers(entry.value, a.value)), None)
    if narrower is not None:
        text = entry_text(field, narrower.value)
        return f"which is wider than {text} ({scope.above}, {narrower.source})", f"write {text}, or narrower"
    return f"which {scope.above} does not allow", f"ask the owners of {scope.above} to add it, or remove it"


# Where nothing above lists an entry, this default above would permit it anyway.
_OPENED: Final[dict[str, tuple[str, ...]]] = {
    "network.allow_domains": ("allow",),
    "network.allow_cidrs": ("allow",),
    "mcp.servers.tools.allow": ("allow",),
    "mcp.servers.resources.allow": ("allow",),
    "mcp.servers.prompts.allow": ("allow",),
    "interpreter.host_functions": ("allow",),
    "interpreter.allow_imports": ("allow",),
    "interpreter.env": ("allow",),
    "llm.models.allow": ("allow",),
    "mcp.servers": ("allow",),
    "data.sources": ("allow",),
}


def opened(scope: Scope, field: str) -> bool:
    """True if the default above permits what its list does not name."""
    return scope.default_above() in _OPENED.get(field, ())


def granted(scope: Scope, field: str, above: Tree | None, below: Tree) -> Tree | None:
    """Names a program, secret, uid, upstream or extension: only a level above may grant it, unchanged."""
    first = below[0] if isinstance(below, list) and below else below
    entry = first if isinstance(first, Entry) else None
    if entry is None:
        return below if above is None else above
    if isinstance(above, Entry) and entry_text(field, above.value) == entry_text(field, entry.value):
        return keep(above, entry)
    if entry.soft:
        scope.clipped(field, entry)
        return above
    raise scope.violation(
        "only a level above may grant this", field, entry, _not_granted(scope, above), _ask(scope)
    )


def _not_granted(scope: Scope, above: Tree | None) -> str:
    if isinstance(above, Entry):
        return f"where {scope.above} says another value ({above.source})"
    return f"which {scope.above} does not grant"


def _ask(scope: Scope) -> str:
    return f"ask the owners of {scope.above} to grant it, or remove it"


def granted_list(scope: Scope, field: str, above: list[Entry] | None, below: list[Entry]) -> list[Entry]:
    """A list of capabilities: nothing above means none."""
    return shrink(scope, field, above or [], below)


def once(scope: Scope, field: str, above: Entry | None, below: Entry) -> Entry:
    """Says what a thing is: free where nobody above said it, else the same."""
    if above is None or above.value == "":
        return below
    if entry_text(field, above.value) == entry_text(field, below.value):
        return keep(above, below)
    why = f"where {scope.above} says {entry_text(field, above.value)} ({above.source})"
    raise scope.violation("may not change", field, below, why, "leave it out, or say the same")


def ask(scope: Scope, field: str, above: list[Entry] | None, below: list[Entry]) -> list[Entry]:
    """Ask rules add up; yet none may ask for what is denied above."""
    found: list[Entry] = []
    for entry in below:
        if _may_ask(scope, field, above or [], entry):
            found.append(entry)
        elif entry.soft:
            scope.clipped(field, entry)
        else:
            why = f"which {scope.above} denies"
            raise scope.violation("may not ask for what is denied", field, entry, why, _ask(scope))
    return merge_lists(field, above or [], found)


def _may_ask(scope: Scope, field: str, above: list[Entry], entry: Entry) -> bool:
    allow = scope.parent.entries("allow")
    if allow is None or base_default(scope, field, entry) in ("ask", "allow"):
        return True
    return any(_asks(field, a, entry) for a in (*allow, *above))


def _asks(field: str, above: Entry, entry: Entry) -> bool:
    return ALLOW_LISTS[field.removesuffix("ask") + "allow"](above.value, entry.value)


def base_default(scope: Scope, field: str, entry: Entry) -> object:
    """The default above for the tool of a rule: `unknown` where nothing above names the tool."""
    if field.startswith("tools."):
        from tappass_host.policy.cascade.tools import default_for

        return default_for(scope.parent, entry.value)
    return scope.default_above()


def confined(scope: Scope, field: str, above: list[Entry] | None, below: list[Entry]) -> list[Entry]:
    """Where a secret may be sent: any list confines a secret that had none, else it only shrinks."""
    if not above:
        return unique(field, below)
    covers = ALLOW_LISTS["network.allow_domains"]
    for entry in below:
        if not any(covers(a.value, entry.value) for a in above):
            why = f"which {scope.above} does not allow"
            raise scope.violation("may only be sent to fewer places", field, entry, why, _ask(scope))
    return unique(field, [_same_or(field, above, e) for e in below]) if below else above


def constrain(scope: Scope, field: str, above: Entry | None, below: Entry) -> Entry:
    """A constraint of an argument: proven narrower than the one above."""
    from tappass_host.policy.grammar.constraints import narrower

    if above is None:
        return below
    if above.value == below.value:
        return keep(above, below)
    if narrower(below.value, above.value):
        return below
    why = (
        f"which is not proven narrower than {entry_text(field, above.value)} ({scope.above}, {above.source})"
    )
    raise scope.violation(
        "constraints may only narrow", field, below, why, "keep what is said above and add to it"
    )


FIELDS: Final[dict[str, Rule]] = {
    **dict.fromkeys(ORDERS, choose),
    **dict.fromkeys(ALLOW_LISTS, shrink),
    "network.allow_unix": granted_list,
    "retain_until": lower,
    "freshness.max_age_s": lower,
    "freshness.grace_s": lower,
    "params.type": once,
    "params.default": lambda _scope, _field, _above, below: below,
    "compliance_tags": add,
    "extensions.*": granted,
    "network.deny_domains": add,
    "network.deny_categories": add,
    "network.category_domains": add,
    "tools.ask": ask,
    "tools.deny": add,
    "tools.deny_if_tainted": add,
    "tools.taint_sources": add,
    "tools.constraints.*": constrain,
    "mcp.servers.transport": once,
    "mcp.servers.auth_ref": granted,
    "mcp.servers.tools.ask": ask,
    "mcp.servers.tools.deny": add,
    "mcp.servers.tools.constraints.*": constrain,
    "mcp.servers.resources.deny": add,
    "mcp.servers.prompts.deny": add,
    "mcp.servers.max_result_kb": lower,
    "mcp.servers.pins": once,
    "interpreter.deny_imports": add,
    "interpreter.memory_mb": lower,
    "interpreter.cpu_time_ms": lower,
    "data.sources.kind": once,
    "data.sources.path": once,
    "data.sources.views.table": once,
    "data.sources.views.row_filter": once,
    "data.sources.views.max_rows": lower,
    "llm.gateway_url": granted,
    "llm.models.deny": add,
    "llm.prices": granted,
    "llm.upstreams.kind": once,
    "llm.upstreams.base_url": once,
    "llm.upstreams.auth_ref": granted,
    "llm.redact": add,
    "budget.tokens_per_day": lower,
    "budget.tokens_per_call": lower,
    "budget.dollars_per_month": lower,
    "budget.tool_calls_per_minute": lower,
    "process.run_as_uid": granted,
    "process.run_as_gid": granted,
    "process.memory_mb": lower,
    "process.max_processes": lower,
    "process.max_open_files": lower,
    "process.cpu_percent": lower,
    "credentials.hide_env": add,
    "credentials.secrets.ref": once,
    "credentials.secrets.domains": confined,
}


def grants_capability(field: str, row: Section) -> bool:
    """True if a new row of this table is a capability: a program, a secret, an upstream."""
    if field == "mcp.servers":
        return getattr(row.value("transport"), "kind", "") == "stdio"
    return field in ("llm.upstreams", "credentials.secrets")
