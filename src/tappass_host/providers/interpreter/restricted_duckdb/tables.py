"""The statements that build one source's tables, and why a source or a view cannot be built.

A source of kind `duckdb` is a database file and `table` a table in it. A source of another kind is a folder,
and `table` the file in it: `path: /data/crm, table: sales` of kind `parquet` is `/data/crm/sales.parquet`.
"""

from typing import Final

from tappass_host.policy.errors import RenderError
from tappass_host.policy.model import Source, View
from tappass_host.providers.interpreter.restricted_duckdb.filters import written
from tappass_host.sdk.sql import identifier, is_plain, literal

DATABASE: Final = "duckdb"
READERS: Final = {"csv": "read_csv", "json": "read_json", "parquet": "read_parquet"}
KINDS: Final = (DATABASE, *READERS)
# Catalogs and schemas of DuckDB's own: as the name of a source they would be ambiguous or refused.
RESERVED: Final = frozenset({"information_schema", "memory", "pg_catalog", "system", "temp"})
# A reader takes a path with one of these as a pattern and reads whatever fits.
_PATTERN: Final = frozenset("*?[")

TOO_MUCH: Final = "its row filter does more than compare columns with values, so the view is left out"


def schema(source: Source) -> str:
    """The statement that makes the source's schema. `main` is there already."""
    return f"CREATE SCHEMA IF NOT EXISTS {identifier(source.id)}"


def attach(source: Source) -> str:
    """The statement that opens a database file."""
    return f"ATTACH {literal(source.path)} AS {identifier(_alias(source))} (READ_ONLY)"


def detach(source: Source) -> str:
    """The statement that closes it again."""
    return f"DETACH {identifier(_alias(source))}"


def table(source: Source, view: View) -> str:
    """The statement that copies what a view shows."""
    columns = ", ".join(identifier(column) for column in view.columns)
    parts = [
        f"CREATE TABLE {identifier(source.id)}.{identifier(view.name)}",
        f"AS SELECT {columns} FROM {_origin(source, view)}",  # noqa: S608 - every part is quoted
    ]
    if view.row_filter:
        parts.append(f"WHERE {written(view.row_filter)}")
    if view.max_rows is not None:
        parts.append(f"LIMIT {view.max_rows}")
    return " ".join(parts)


def unfit_source(source: Source, taken: set[str]) -> str:
    """Why nothing of a source can be built; empty if it can. Names are compared as DuckDB does, without case.

    Raises:
        RenderError: its path still holds a parameter.
    """
    if source.kind not in KINDS:
        return f"reads {', '.join(KINDS)}, not {source.kind}"
    if not source.path.startswith("/"):
        raise RenderError(
            f"{source.path} is not an absolute path", remedy="bind the policy's parameters first"
        )
    if not is_plain(source.path) or _PATTERN.intersection(source.path):
        return "its path would be read as a pattern, or on two lines"
    if not is_plain(source.id) or source.id.lower() in RESERVED:
        return "its id is the name of something of DuckDB's own"
    if source.id.lower() in taken:
        return "another source has this id, but for upper and lower case"
    taken.add(source.id.lower())
    return ""


def unfit_view(source: Source, view: View, taken: set[str]) -> str:
    """Why a view cannot be built; empty if it can."""
    names = (view.name, view.table, *view.columns)
    if not view.columns:
        return "shows no column"
    if not all(map(is_plain, names)):
        return "a name in it cannot be written on one line"
    if len({column.lower() for column in view.columns}) < len(view.columns):
        return "two of its columns are one, but for upper and lower case"
    if source.kind in READERS and (_PATTERN.intersection(view.table) or "/" in view.table):
        return "its table is not the name of one file"
    if view.row_filter and written(view.row_filter) is None:
        return TOO_MUCH
    if view.name.lower() in taken:
        return "another view has this name, but for upper and lower case"
    taken.add(view.name.lower())
    return ""


def _alias(source: Source) -> str:
    # No schema is named so: the id of a source holds no blank.
    return f"{source.id} file"


def _origin(source: Source, view: View) -> str:
    if source.kind == DATABASE:
        return f"{identifier(_alias(source))}.{identifier(view.table)}"
    return f"{READERS[source.kind]}({literal(f'{source.path}/{view.table}.{source.kind}')})"
