"""DuckDB as a store of views and nothing else: an SQL script that builds and locks it, and a gate before it.

A view is no boundary in DuckDB: whoever reads it can read its table too. So the script copies what each view
shows into a table of its own, in memory, while files are still open; then it shuts every way out, in the one
order in which that works, and locks the configuration. What nobody copied is not there.
"""

from collections.abc import Iterator
from typing import Final

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import Source, View
from tappass_host.providers.interpreter.restricted_duckdb import tables
from tappass_host.sdk.builder import Builder
from tappass_host.sdk.claims import Evidence, Item, Reach
from tappass_host.sdk.configs.query_gate import SCHEMA
from tappass_host.sdk.contract import Options, ProviderInfo, TargetCapabilities, TargetConfig
from tappass_host.sdk.document import Doc
from tappass_host.sdk.lowering import Limit, LimitFeatures, lower_closed, lower_limits
from tappass_host.sdk.sql import literal

VERSIONS: Final = ("2.0.0",)
CODE: Final = ("code",)
DOCS: Final = "https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview"
READ: Final = "2026-11-22"
MEGABYTE: Final = 1 << 20


class DuckDbOptions(Options, frozen=True, kw_only=True):
    """Bounds where the policy sets none.

    Attributes:
        memory_mb: of the engine.
        time_ms: of one statement.
        threads: of the engine.
    """

    memory_mb: int = 256
    time_ms: int = 30_000
    threads: int = 1


INFO: Final = ProviderInfo(
    id="restricted-duckdb",
    position="interpreter",
    target="DuckDB",
    version="0.1.0",
    sdk="1.0",
    versions=VERSIONS,
    platforms=("linux", "darwin"),
    options=DuckDbOptions,
    brings=CODE,
    # A locked configuration cannot be changed: the connection is made anew, which takes milliseconds.
    effects={"init": "process_restart", "gate": "process_restart"},
    covers={
        "data": CODE,
        "interpreter": CODE,
        "filesystem": CODE,
        "network": CODE,
        "credentials": CODE,
    },
    cannot={
        "head@code": "an open connection does not look at the clock",
        "process@code": "one statement is bounded by interpreter.memory_mb and interpreter.cpu_time_ms",
    },
    preview=True,
)


def _reach(name: str) -> Reach:
    return Reach(name, CODE, "compulsory", Evidence(DOCS, READ, VERSIONS))


TABLES: Final = _reach("tables")
LOCK: Final = _reach("lock")
LIMITED: Final = _reach("limits")

LIMITS: Final = LimitFeatures(
    aspect="interpreter",
    holds={
        "memory_mb": "text that one statement builds is not counted; the process needs a limit of its own",
        "cpu_time_ms": "looked at between steps: one long step overruns it",
    },
    why={},
)
LANGUAGE: Final = tuple(
    f"interpreter.{name}"
    for name in ("default", "host_functions", "allow_imports", "deny_imports", "network", "env")
)
# Aspect, why its grants do not work, and which fields of it are meant.
NOTHING_OF: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("interpreter", "SQL calls no functions of the host, imports nothing and sees no variables", LANGUAGE),
    ("filesystem", "SQL sees the tables that were built, no files", ()),
    ("network", "SQL has no network", ()),
    ("credentials", "SQL has no environment", ()),
)

# The order is the trap: without the local file system the setting before it can no longer be changed, and
# nothing can after the last one. The first alone still lets COPY overwrite the database's own file (tried on
# 2.0.0, 2026-11-22).
SHUT: Final = (
    "SET enable_external_access = false",
    "SET disabled_filesystems = 'LocalFileSystem'",
    "SET lock_configuration = true",
)
HARDENING: Final = (
    ("SET temp_directory = ''", "nothing is spilled to a disk"),
    ("SET autoinstall_known_extensions = false", "no extension arrives by itself"),
    ("SET autoload_known_extensions = false", "no extension is loaded by itself"),
    ("SET allow_community_extensions = false", "no extension of others"),
    ("SET allow_persistent_secrets = false", "no secret is kept"),
    ("SET secret_directory = '/nonexistent'", "settings can be read, and name no folder of the host"),
    ("SET python_enable_replacements = false", "variables of the host process are not tables"),
    ("SET max_expression_depth = 200", "no statement that exhausts the stack of its parser"),
)
# Functions that read files, settings, other catalogs, or text as SQL. Locked out already; refused before.
DENIED_FUNCTIONS: Final = (
    "duckdb_*", "getenv", "glob", "iceberg_*", "parquet_*", "pragma_*", "query", "query_table", "read_*",
    "sniff_csv", "sqlite_*",
)  # fmt: skip


def render(policy: EffectivePolicy, target: TargetCapabilities) -> TargetConfig:
    """Render one script and one gate.

    Raises:
        RenderError: a path still holds a parameter.
    """
    b = Builder(INFO, policy, target)
    options = target.options_as(DuckDbOptions)
    init = b.doc("init", path="restricted-duckdb.init.sql", codec="sql", owner="user", mode=0o600)
    gate = b.doc("gate", path="restricted-duckdb.gate.json", owner="user", mode=0o600)
    _head(b, gate)
    init.ensure("/build", by="built while files are open")
    _data(b, init, gate)
    _limits(b, init, gate, options)
    for statement, why in HARDENING:
        init.add("/lock", statement, by=why)
    for statement in SHUT:
        init.add("/lock", statement, by="after this nothing leads out, and it cannot be changed")
    _closed(b, init)
    return b.build()


def _head(b: Builder, gate: Doc) -> None:
    why = "which engine, for which policy"
    gate.set("/schema", SCHEMA, by=why)
    gate.set("/engine", INFO.id, by=why)
    gate.set("/policy/digest", b.policy.digest, by=why)
    gate.set("/policy/version", b.policy.doc.version, by=why)
    gate.set("/policy/expires_at", b.policy.doc.expires_at, by=why)
    gate.set("/statements", ["SELECT"], by="nothing else is needed to read a view")
    gate.set("/denied_functions", list(DENIED_FUNCTIONS), by="a second layer before the lock")
    gate.ensure("/tables", by="no table but those that were built")


# Data: what is copied is what is there.


def _data(b: Builder, init: Doc, gate: Doc) -> None:
    node = b.policy.doc.data
    if node is None:
        return
    wide = "only views that are listed are there" if node.default == "allow" else ""
    default = Item("default", node.default, b.policy.ids("data.default"), refused=wide)
    for item in b.lower([default], at=TABLES):
        init.credit("init#/lock", by=item)
    taken: set[str] = set()
    for source in node.sources:
        _source(b, init, gate, source, taken)


def _source(b: Builder, init: Doc, gate: Doc, source: Source, taken: set[str]) -> None:
    why = tables.unfit_source(source, taken)
    emitted = b.lower([Item("source", source, (f"data.sources[{source.id}]",), refused=why)], at=TABLES)
    for item in emitted:
        init.add("/build", tables.schema(source), by=item)
        if source.kind == tables.DATABASE:
            init.add("/build", tables.attach(source), by=item)
    names: set[str] = set()
    for view in source.views:
        reason = why or tables.unfit_view(source, view, names)
        _view(b, (init, gate), source, view, reason)
    for item in emitted if source.kind == tables.DATABASE else ():
        init.add("/build", tables.detach(source), by=item)


def _view(b: Builder, docs: tuple[Doc, Doc], source: Source, view: View, why: str) -> None:
    """A view that is left out is restricted enough; its restrictions then hold by the lock."""
    init, gate = docs
    at = f"data.sources[{source.id}].views[{view.name}]"
    grant = Item("view", view, (at,), refused=why)
    restrictions = b.lower(_restrictions(at, view), at=TABLES)
    if not b.lower([grant], at=TABLES):
        for item in restrictions:
            init.credit("init#/lock", by=item)
        return
    init.add("/build", tables.table(source, view), by=(grant, *restrictions))
    gate.add("/tables", {"source": source.id, "view": view.name}, by=grant)


def _restrictions(at: str, view: View) -> Iterator[Item]:
    said = {
        "columns": ",".join(view.columns),
        "row_filter": view.row_filter,
        "max_rows": "" if view.max_rows is None else str(view.max_rows),
    }
    for field, entry in said.items():
        if entry:
            yield Item(field, entry, (f"{at}.{field}[{entry}]",))


# Limits, and what the engine has nothing of.


def _limits(b: Builder, init: Doc, gate: Doc, options: DuckDbOptions) -> None:
    lowered = b.lower(map(_time, lower_limits(b.policy, LIMITS)), at=LIMITED)
    found = {item.value.field: item for item in lowered if isinstance(item.value, Limit)}
    bounded = "no statement is without bounds"
    memory, time = found.get("memory_mb"), found.get("cpu_time_ms")
    megabytes, millis = _number(memory, options.memory_mb), _number(time, options.time_ms)
    init.add("/lock", f"SET memory_limit = {literal(f'{megabytes}MiB')}", by=memory or bounded)
    init.add("/lock", f"SET max_execution_time = {millis}", by=time or bounded)
    init.add("/lock", f"SET threads = {options.threads}", by="the time of one is the time of all")
    gate.set("/wall_ms", 2 * millis + 5_000, by=time or bounded)
    gate.set("/memory_bytes", megabytes * MEGABYTE, by=memory or bounded)


def _time(item: Item) -> Item:
    """It counts time as it passes, which is never less than what is computed."""
    if not isinstance(item.value, Limit) or item.value.field != "cpu_time_ms":
        return item
    if item.value.number == 0:
        return item._replace(refused="0 stands for no limit here", loss="")
    return item._replace(fidelity="stricter")


def _number(item: Item | None, default: int) -> int:
    return item.value.number if item is not None and isinstance(item.value, Limit) else default


def _closed(b: Builder, init: Doc) -> None:
    for aspect, why, fields in NOTHING_OF:
        for item in b.lower(lower_closed(b.policy, aspect, why, fields=fields), at=LOCK):
            for statement in SHUT[:2]:
                init.credit(f"init#/lock[{statement}]", by=item)
