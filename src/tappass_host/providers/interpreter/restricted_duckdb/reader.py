"""Reads the script and the gate back the way DuckDB and the runner do, and says what a statement may reach.

Written from DuckDB's documentation: which statements build tables, which settings shut the engine, and in
which order they have to stand to have any effect.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from tappass_host.policy import actions as a
from tappass_host.policy.effect import Effect
from tappass_host.policy.errors import RenderError
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.configs.query_gate import QueryGate, decode_gate
from tappass_host.sdk.reader import Ruling
from tappass_host.sdk.sql import Token, tokens

_BOOL: Final = frozenset({Token("word", "true"), Token("word", "false")})
# Setting -> what may be said of it; `None` stands for any number or text.
_SETTINGS: Final[dict[str, frozenset[Token] | None]] = {
    "memory_limit": None,
    "max_execution_time": None,
    "threads": None,
    "max_expression_depth": None,
    "temp_directory": None,
    "secret_directory": None,
    "autoinstall_known_extensions": _BOOL,
    "autoload_known_extensions": _BOOL,
    "allow_community_extensions": _BOOL,
    "allow_persistent_secrets": _BOOL,
    "python_enable_replacements": _BOOL,
    "enable_external_access": _BOOL,
    "disabled_filesystems": None,
    "lock_configuration": _BOOL,
}
# Each has an effect only where it stands after the one before.
_IN_ORDER: Final = ("enable_external_access", "disabled_filesystems", "lock_configuration")
_READERS: Final = frozenset({"read_parquet", "read_csv", "read_json"})
_SHUT: Final = Ruling(Effect.DENY, "init#/lock[SET enable_external_access = false]")
_ABSENT: Final = Ruling(Effect.DENY, "init#/lock")


class _Table(NamedTuple):
    columns: frozenset[str]
    most: int | None
    locator: str


class _Words:
    """The tokens of one statement, taken off one after the other."""

    def __init__(self, statement: str) -> None:
        self.statement = statement
        self._left = list(tokens(statement))

    def __bool__(self) -> bool:
        return bool(self._left)

    def need(self, *wanted: str) -> None:
        """Words and signs that have to stand here."""
        for text in wanted:
            token = self._take()
            if token.kind not in ("word", "sign") or token.text != text:
                raise RenderError(f"DuckDB script: {self.statement!r} without {text!r}")

    def take(self, kind: str) -> str:
        """The text of a token of a kind."""
        token = self._take()
        if token.kind != kind:
            raise RenderError(f"DuckDB script: {token.text!r} in {self.statement!r}")
        return token.text

    def skip(self, text: str) -> bool:
        """Take a word or sign off if it stands here."""
        if self._left and self._left[0].kind in ("word", "sign") and self._left[0].text == text:
            self._left.pop(0)
            return True
        return False

    def rest(self) -> list[Token]:
        """All that is left."""
        left, self._left = self._left, []
        return left

    def _take(self) -> Token:
        if not self._left:
            raise RenderError(f"DuckDB script: {self.statement!r} ends too early")
        return self._left.pop(0)


class Native:
    """What a statement may reach in one engine."""

    def __init__(
        self, tables: dict[tuple[str, str], _Table], settings: dict[str, Token], gate: QueryGate
    ) -> None:
        self._tables = tables
        self._settings = settings
        self._listed = {(table.source.lower(), table.view.lower()) for table in gate.tables}

    def permits(self, action: a.Action) -> Ruling | None:
        """The ruling on an action of code, or None for any other surface."""
        rule = _RULES.get(type(action)) if action.surface == "code" else None
        return rule(self, action) if rule else None

    def query(self, action: a.Query) -> Ruling:
        """A table that was built and is listed, its columns, and no more rows than it has."""
        key = (action.source.lower(), action.view.lower())
        table = self._tables.get(key)
        if table is None:
            return _ABSENT
        known = key in self._listed and all(column.lower() in table.columns for column in action.columns)
        fits = table.most is None or action.rows <= table.most
        return Ruling(Effect.ALLOW if known and fits else Effect.DENY, table.locator)

    def shut(self, _action: a.Action) -> Ruling:
        """There is nothing of this in a locked engine."""
        return _SHUT

    def use(self, action: a.Use) -> Ruling | None:
        """Memory in mebibytes, time in milliseconds; no time limit at all where it is 0."""
        name, number = _LIMITS.get(action.resource, ("", _no_number))
        if not name or name not in self._settings:
            return None
        token = self._settings[name]
        limit = number(token.text)
        within = action.amount <= limit or (name == "max_execution_time" and limit == 0)
        return Ruling(Effect.ALLOW if within else Effect.DENY, f"init#/lock[{_spelled(name, token)}]")


def _no_number(_text: str) -> int:
    return 0


def _mebibytes(text: str) -> int:
    if not text.endswith("MiB") or not text[:-3].isdecimal():
        raise RenderError(f"memory_limit {text!r} is not in MiB")
    return int(text[:-3])


_LIMITS: Final[dict[str, tuple[str, Callable[[str], int]]]] = {
    "interpreter.memory_mb": ("memory_limit", _mebibytes),
    "interpreter.cpu_time_ms": ("max_execution_time", int),
}
_RULES: Final[dict[type, Callable[[Native, Any], Ruling | None]]] = {
    a.Query: Native.query,
    a.Use: Native.use,
    **dict.fromkeys((a.File, a.Connect, a.UnixConnect, a.EnvRead, a.Import, a.HostCall), Native.shut),
}


def read(artifacts: Sequence[Artifact]) -> Native:
    """Parse a rendering.

    Raises:
        TappassError: the script does something else than build and lock, or the runner would refuse the gate.
    """
    found = {artifact.id: artifact.doc for artifact in artifacts}
    script, gate = found["init"], decode_gate(msgspec.json.encode(found["gate"]))
    if not isinstance(script, dict) or list(script) != ["build", "lock"]:
        raise RenderError("DuckDB script: not a part that builds and a part that locks")
    tables: dict[tuple[str, str], _Table] = {}
    for statement in script["build"]:
        _build(statement, tables)
    return Native(tables, _locked(script["lock"]), gate)


def _build(statement: str, tables: dict[tuple[str, str], _Table]) -> None:
    words = _Words(statement)
    if words.skip("attach"):
        words.take("string")
        words.need("as")
        words.take("name")
        words.need("(", "read_only", ")")
    elif words.skip("detach"):
        words.take("name")
    else:
        words.need("create")
        if words.skip("schema"):
            words.need("if", "not", "exists")
            words.take("name")
        else:
            _table(words, tables)
            return
    if words:
        raise RenderError(f"DuckDB script: {statement!r} goes on")


def _table(words: _Words, tables: dict[tuple[str, str], _Table]) -> None:
    words.need("table")
    schema = words.take("name")
    words.need(".")
    name = words.take("name")
    words.need("as", "select")
    columns = [words.take("name")]
    while words.skip(","):
        columns.append(words.take("name"))
    words.need("from")
    _origin(words)
    key = (schema.lower(), name.lower())
    if key in tables:
        raise RenderError(f"DuckDB script: {name!r} is built twice")
    shown = frozenset(column.lower() for column in columns)
    tables[key] = _Table(shown, _most(words), f"init#/build[{words.statement}]")


def _origin(words: _Words) -> None:
    for reader in _READERS:
        if words.skip(reader):
            words.need("(")
            if set("*?[").intersection(words.take("string")):
                raise RenderError(f"DuckDB script: {words.statement!r} reads a pattern")
            words.need(")")
            return
    words.take("name")
    words.need(".")
    words.take("name")


def _most(words: _Words) -> int | None:
    """The limit at the end; what stands before it filters rows and changes nothing else."""
    rest = words.rest()
    limit = len(rest) - 2
    limited = limit >= 0 and rest[limit] == Token("word", "limit") and rest[limit + 1].kind == "number"
    where = rest[:limit] if limited else rest
    if where and where[0] != Token("word", "where"):
        raise RenderError(f"DuckDB script: {words.statement!r} goes on")
    if any(token.kind == "word" and token.text in _NO_FILTER for token in where):
        raise RenderError(f"DuckDB script: {words.statement!r} does more than filter")
    return int(rest[limit + 1].text) if limited else None


_NO_FILTER: Final = frozenset({"select", "union", "except", "intersect", "with", "from", "join", "limit"})


def _locked(statements: list[str]) -> dict[str, Token]:
    settings: dict[str, Token] = {}
    for statement in statements:
        words = _Words(statement)
        words.need("set")
        name = words.take("word")
        words.need("=")
        rest = words.rest()
        if name not in _SETTINGS or len(rest) != 1 or rest[0] not in (_SETTINGS[name] or rest):
            raise RenderError(f"DuckDB has no setting like {statement!r}")
        if name in settings:
            raise RenderError(f"DuckDB script: {name} is set twice")
        settings[name] = rest[0]
    _check_lock(settings)
    return settings


def _check_lock(settings: dict[str, Token]) -> None:
    """The three that shut the engine are there, say so, and stand at the end in the order that works."""
    if tuple(settings)[-3:] != _IN_ORDER:
        raise RenderError(f"DuckDB script does not end in {', '.join(_IN_ORDER)}")
    wanted = (Token("word", "false"), Token("string", "LocalFileSystem"), Token("word", "true"))
    for name, value in zip(_IN_ORDER, wanted, strict=True):
        if settings[name] != value:
            raise RenderError(f"DuckDB script leaves {name} at {settings[name].text}")


def _spelled(name: str, token: Token) -> str:
    return f"SET {name} = '{token.text}'" if token.kind == "string" else f"SET {name} = {token.text}"
