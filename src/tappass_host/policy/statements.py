"""Statements: the things a policy says, one by one. The unit of coverage.

There is one statement per list entry, per scalar and per `default`. Its id is its path and its canonical
entry, `network.allow_domains[*.example.com:443]`, never an index, so that it survives sorting, merging and
another version. `statements(policy)` is total: `tests/policy/test_statements.py` walks the schema and fails
on a field that yields nothing and is not listed in `NOT_STATEMENTS` with its reason.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import msgspec

from tappass_host.policy.grammar.canonical import canonical_entry
from tappass_host.policy.model import ASPECTS, McpServer, Policy, Source
from tappass_host.policy.surfaces import Surface, surfaces_of

Polarity = Literal["restrict", "grant"]

NOT_STATEMENTS = {
    "network.category_domains": "what the categories of network.deny_categories stood for when compiled",
    "llm.prices": "the unit in which budget.dollars_per_month is counted",
    "mcp.servers.id": "names the server statement itself",
    "mcp.servers.transport": "part of the server statement: how it is reached",
    "data.sources.id": "names the source statement itself",
    "data.sources.kind": "part of the source statement",
    "data.sources.path": "part of the source statement",
    "data.sources.views.name": "names the view statement itself",
    "data.sources.views.table": "part of the view statement",
    "credentials.secrets.env": "names the secret statement itself",
    "credentials.secrets.ref": "part of the secret statement",
}


class Statement(NamedTuple):
    """One thing the policy says.

    Attributes:
        id: path and canonical entry.
        field: dotted path without entries, e.g. `mcp.servers.tools.allow`.
        entry: canonical text of the entry, empty for a statement that has none.
        polarity: `restrict` (the forbidden action must fail) or `grant` (the permitted one must work).
        on: where an action that it is about can happen, if that is not what its field says.
    """

    id: str
    field: str
    entry: str
    polarity: Polarity
    on: tuple[Surface, ...] = ()

    @property
    def aspect(self) -> str:
        """First segment of the path."""
        return self.field.partition(".")[0]

    @property
    def surfaces(self) -> tuple[Surface, ...]:
        """Where an action that this statement is about can happen."""
        return self.on or surfaces_of(self.aspect, self.field)


_DEFAULT_POLARITY: dict[str, Polarity] = {
    "allow": "grant",
    "ask": "restrict",
    "deny": "restrict",
    "read_only": "restrict",
    "off": "restrict",
    "allowlist": "grant",
}

# field -> polarity; "?" = by the value itself, by the table above.
_FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    "network": (
        ("default", "?"),
        ("allow_domains", "grant"),
        ("deny_domains", "restrict"),
        ("allow_cidrs", "grant"),
        ("local", "?"),
        ("allow_unix", "grant"),
        ("deny_categories", "restrict"),
    ),
    "filesystem": (
        ("default", "?"),
        ("workspace", "grant"),
        ("read_write", "grant"),
        ("deny_paths", "restrict"),
    ),
    "tools": (
        ("default", "?"),
        ("unknown", "?"),
        ("allow", "grant"),
        ("ask", "restrict"),
        ("deny", "restrict"),
    ),
    "mcp": (("default", "?"),),
    "interpreter": (
        ("default", "?"),
        ("host_functions", "grant"),
        ("allow_imports", "grant"),
        ("deny_imports", "restrict"),
        ("memory_mb", "restrict"),
        ("cpu_time_ms", "restrict"),
        ("network", "?"),
        ("env", "grant"),
    ),
    "data": (("default", "?"),),
    "llm": (("default", "?"), ("gateway_url", "restrict"), ("routes", "grant")),
    "budget": tuple(
        (name, "restrict")
        for name in ("tokens_per_day", "tokens_per_call", "dollars_per_month", "tool_calls_per_minute")
    ),
    "process": tuple(
        (name, "restrict")
        for name in (
            "run_as_uid",
            "run_as_gid",
            "memory_mb",
            "max_processes",
            "max_open_files",
            "cpu_percent",
        )
    ),
    "credentials": (("default", "?"), ("hide_env", "restrict")),
}


def statements(policy: Policy) -> tuple[Statement, ...]:
    """Every statement of the policy, sorted by id, each once."""
    found: dict[str, Statement] = {s.id: s for s in _head(policy)}
    for aspect in ASPECTS:
        node = getattr(policy, aspect)
        if node is None:
            continue
        for statement in _aspect(aspect, node):
            found[statement.id] = statement
    found.update((s.id, s) for s in _extensions(policy))
    found.update((s.id, s) for s in _of_host_functions(policy, found.values()))
    return tuple(found[key] for key in sorted(found))


def _of_host_functions(policy: Policy, made: Iterable[Statement]) -> list[Statement]:
    """Host functions share the tools' namespace, yet they are called by code."""
    names = policy.interpreter.host_functions if policy.interpreter else ()
    prefixes = tuple(f"tools.constraints.{name}." for name in names)
    return [s._replace(on=("code",)) for s in made if prefixes and s.id.startswith(prefixes)]


def _make(field: str, entry: object, polarity: str, prefix: str = "") -> Statement:
    text = canonical_entry(field, entry)
    path = prefix or field
    real = _DEFAULT_POLARITY[text] if polarity == "?" else polarity
    return Statement(f"{path}[{text}]", field, text, real)  # type: ignore[arg-type]


def _entries(value: object) -> Iterable[object]:
    if value is None or value == "":
        return ()
    return value if isinstance(value, tuple) else (value,)


def _aspect(aspect: str, node: Any) -> Iterator[Statement]:
    for name, polarity in _FIELDS[aspect]:
        for entry in _entries(getattr(node, name)):
            yield _make(f"{aspect}.{name}", entry, polarity)
    special = _SPECIAL.get(aspect)
    if special is not None:
        yield from special(node)


def _head(policy: Policy) -> Iterator[Statement]:
    yield _make("head.expires_at", policy.expires_at, "restrict")
    if policy.freshness is not None:
        yield _make("head.freshness", policy.freshness.max_age_s, "restrict")


def _extensions(policy: Policy) -> Iterator[Statement]:
    for vendor, keys in policy.extensions.items():
        for key, value in keys.items():
            text = msgspec.json.encode(value, order="sorted").decode()
            yield Statement(f"extensions.{vendor}.{key}[{text}]", f"extensions.{vendor}.{key}", text, "grant")


def _network(_node: Any) -> Iterator[Statement]:
    # UDP, ICMP and raw sockets are denied wherever network is managed; no entry says so, the aspect does.
    yield Statement("network.other", "network.other", "", "restrict")


def _filesystem(node: Any) -> Iterator[Statement]:
    writable_by_default = node.default == "allow"
    roots = frozenset(root.rstrip("/") for root in (node.workspace, *node.read_write) if root)
    for entry in node.read_only:
        # A relative glob hangs from the writable roots, so it is always inside one.
        relative = not entry.startswith(("/", "~", "$"))
        inside = writable_by_default or relative or _lies_in(entry, roots)
        yield _make("filesystem.read_only", entry, "restrict" if inside else "grant")


def _lies_in(path: str, roots: frozenset[str]) -> bool:
    """Whether a path, or a folder above it, is one of the roots (written without a final slash)."""
    above = path.rstrip("/")
    while above not in roots:
        above, slash, _ = above.rpartition("/")
        if not slash:
            return False
    return True


def _tools(node: Any) -> Iterator[Statement]:
    for field in ("deny_if_tainted", "taint_sources"):
        for label, rules in getattr(node, field).items():
            for rule in rules:
                yield _make(f"tools.{field}", rule, "restrict", f"tools.{field}.{label}")
    yield from _constraints("tools.constraints", "tools.constraints", node.constraints)


def _constraints(field: str, prefix: str, constraints: Any) -> Iterator[Statement]:
    for tool, arguments in constraints.items():
        for argument, constraint in arguments.items():
            yield _make(field, constraint, "restrict", f"{prefix}.{tool}.{argument}")


def _mcp(node: Any) -> Iterator[Statement]:
    for server in node.servers:
        yield from _mcp_server(server)


def _mcp_server(server: McpServer) -> Iterator[Statement]:
    base, at = "mcp.servers", f"mcp.servers[{server.id}]"
    yield _make(base, server.id, "grant")
    yield _make(f"{base}.tools.default", server.tools.default, "?", f"{at}.tools.default")
    for name, polarity in (("allow", "grant"), ("ask", "restrict"), ("deny", "restrict")):
        for entry in getattr(server.tools, name):
            yield _make(f"{base}.tools.{name}", entry, polarity, f"{at}.tools.{name}")
    yield from _constraints(f"{base}.tools.constraints", f"{at}.tools.constraints", server.tools.constraints)
    for kind in ("resources", "prompts"):
        names = getattr(server, kind)
        yield _make(f"{base}.{kind}.default", names.default, "?", f"{at}.{kind}.default")
        for name, polarity in (("allow", "grant"), ("deny", "restrict")):
            for entry in getattr(names, name):
                yield _make(f"{base}.{kind}.{name}", entry, polarity, f"{at}.{kind}.{name}")
    for feature in server.features:
        yield _make(f"{base}.features", feature, "grant", f"{at}.features")
    if server.auth_ref:
        yield _make(f"{base}.auth_ref", server.auth_ref, "grant", f"{at}.auth_ref")
    if server.max_result_kb is not None:
        yield _make(f"{base}.max_result_kb", server.max_result_kb, "restrict", f"{at}.max_result_kb")
    for tool, pin in server.pins.items():
        yield _make(f"{base}.pins", f"{tool}={pin}", "restrict", f"{at}.pins")


def _data(node: Any) -> Iterator[Statement]:
    for source in node.sources:
        yield from _data_source(source)


def _data_source(source: Source) -> Iterator[Statement]:
    base = "data.sources"
    yield _make(base, source.id, "grant")
    for view in source.views:
        at = f"data.sources[{source.id}].views[{view.name}]"
        yield Statement(at, f"{base}.views", view.name, "grant")
        if view.columns:
            yield _make(f"{base}.views.columns", ",".join(view.columns), "restrict", f"{at}.columns")
        if view.row_filter:
            yield _make(f"{base}.views.row_filter", view.row_filter, "restrict", f"{at}.row_filter")
        if view.max_rows is not None:
            yield _make(f"{base}.views.max_rows", view.max_rows, "restrict", f"{at}.max_rows")


def _llm(node: Any) -> Iterator[Statement]:
    for name in node.models.allow:
        yield _make("llm.models.allow", name, "grant")
    for name in node.models.deny:
        yield _make("llm.models.deny", name, "restrict")
    for upstream in node.upstreams:
        yield _make("llm.upstreams", upstream.id, "grant")
    for rule in node.redact:
        yield _make("llm.redact", f"{rule.detector}:{rule.action}:{rule.direction}", "restrict")


def _credentials(node: Any) -> Iterator[Statement]:
    for secret in node.secrets:
        yield _make("credentials.secrets", secret.env, "grant")
        # A secret is a grant to hold it; each domain narrows where it may be sent.
        for domain in secret.domains:
            at = f"credentials.secrets[{secret.env}].domains"
            yield _make("credentials.secrets.domains", domain, "restrict", at)


_SPECIAL: dict[str, Callable[[Any], Iterator[Statement]]] = {
    "network": _network,
    "filesystem": _filesystem,
    "tools": _tools,
    "mcp": _mcp,
    "data": _data,
    "llm": _llm,
    "credentials": _credentials,
}
