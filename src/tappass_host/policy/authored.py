"""One authored YAML file to a `Level`: typed, canonical entries, each with the place it was written at.

A value may be written plainly, or as a mapping that says more about it:
`{rule: "Bash(git push *)", controls: [SOC2:CC8.1], reason: ..., owner: ..., url: ...}`.
`network: unmanaged` is the word for leaving an aspect out. Rules for MCP tools written as `mcp__server__tool`
are moved to `mcp.servers`. Nothing is judged against other levels here: that is the cascade.
"""

import difflib
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from tappass_host.policy.errors import GrammarError, PolicyError, SchemaError
from tappass_host.policy.grammar.canonical import FIELD_GRAMMARS, KEY_GRAMMARS, canonical_entry
from tappass_host.policy.marked import Marked, Path, parse_yaml
from tappass_host.policy.model import ASPECTS
from tappass_host.policy.shape import Fields, Items, Leaf, Shape, Table, policy_shape
from tappass_host.policy.tree import Entry, Section, Tree

LevelKind = Literal["org", "project", "agent"]
LEVELS: tuple[LevelKind, ...] = ("org", "project", "agent")
PRESETS = ("observer", "worker", "standard", "full")
UNMANAGED = "unmanaged"
Word = TypeVar("Word", bound=str)

# An empty workspace says that no folder is one.
_MAY_BE_EMPTY = ("filesystem.workspace",)
_TOP = ("level", "id", "extends")
_NOTES = ("reason", "owner", "url")
_ABOUT = ("controls", *_NOTES)


class Level(NamedTuple):
    """One authored file: what it says (`root`), and which aspects it leaves out by the word."""

    level: LevelKind
    id: str
    file: str
    extends: str
    extends_at: str
    root: Section
    unmanaged: dict[str, str]


def load_level(data: bytes, *, source: str, soft: bool = False) -> Level:
    """Read one level.

    Args:
        data: the YAML file.
        source: file name for places and messages.
        soft: the file is a shipped preset.

    Raises:
        PolicyError: with `file:line:col` and remedy; `SchemaError` for fields and types, `GrammarError`
            for entries.
    """
    document = parse_yaml(data, source=source)
    if not isinstance(document.value, dict):
        raise SchemaError("a policy is a mapping", source=document.at(()), remedy="begin with `level: org`")
    level = _choice(document, "level", LEVELS)
    reader = _Reader(document, level, soft=soft)
    root = reader.section(policy_shape(), document.value, "", (), skip=_TOP)
    _move_mcp_rules(root)
    return Level(
        level=level,
        id=reader.identifier(),
        file=source,
        extends=_choice(document, "extends", ("", *PRESETS)),
        extends_at=document.at(("extends",)),
        root=root,
        unmanaged=reader.unmanaged,
    )


def _choice(document: Marked, name: str, words: tuple[Word, ...]) -> Word:
    value = document.value.get(name, "")
    if value in words:
        return value  # type: ignore[no-any-return]
    what = f"{name} is {value!r}" if value else f"{name} is missing"
    remedy = f"write `{name}:` and one of {', '.join(word for word in words if word)}"
    raise SchemaError(what, source=document.at((name,)), remedy=remedy)


class _Reader:
    """Walks the data along the shape."""

    def __init__(self, document: Marked, level: str, *, soft: bool) -> None:
        self.document = document
        self.level = level
        self.soft = soft
        self.unmanaged: dict[str, str] = {}

    def identifier(self) -> str:
        value = self.document.value.get("id")
        if not isinstance(value, str):
            raise SchemaError("id is missing", source=self.document.at(()), remedy="add id: and a name")
        return self.grammar(KEY_GRAMMARS["runtimes"], value, ("id",))

    def tree(self, shape: Shape, value: Any, field: str, path: Path) -> Tree:
        match shape:
            case Fields():
                return self.section(shape, value, field, path)
            case Table() if shape.as_list:
                return self.rows(shape, value, field, path)
            case Table():
                return self.table(shape, value, field, path)
            case Items():
                return [self.leaf(shape, v, field, p) for p, v in self.members(value, path, "a list")]
            case Leaf():
                return self.leaf(shape, value, field, path)

    def section(
        self, shape: Fields, value: Any, field: str, path: Path, *, skip: tuple[str, ...] = ()
    ) -> Section:
        section = Section(self.entry(None, {}, path))
        for name, member in self.mapping(value, path).items():
            if name in skip:
                continue
            at = (*path, name)
            if name not in shape.fields:
                raise self.unknown(name, (*shape.fields, *skip), at)
            if not path and name in ASPECTS and member == UNMANAGED:
                self.unmanaged[name] = self.document.at(at)
                continue
            inner = shape.fields[name]
            section.members[name] = self.tree(inner, member, f"{field}.{name}".lstrip("."), at)
        return section

    def rows(self, shape: Table, value: Any, field: str, path: Path) -> Section:
        """A list of rows with a key each, as a table by that key."""
        assert isinstance(shape.row, Fields)
        table, key = Section(self.entry(None, {}, path)), shape.row.key
        for at, row in self.members(value, path, "a list"):
            name = self.mapping(row, at).get(key)
            if not isinstance(name, str):
                raise SchemaError(f"{key} is missing", source=self.document.at(at), remedy=f"add {key}:")
            name = self.grammar(FIELD_GRAMMARS.get(field, str), name, (*at, key))
            if name in table.members:
                raise SchemaError(f"{name} is listed twice", source=self.document.at(at), remedy="keep one")
            plain = {k: v for k, v in row.items() if k not in _ABOUT and k != key}
            section = self.section(shape.row, plain, field, at)
            section.said = self.entry(name, row, at)
            table.members[name] = section
        return table

    def table(self, shape: Table, value: Any, field: str, path: Path) -> Section:
        table = Section(self.entry(None, {}, path))
        # An inner table (arguments below tools) has keys of another grammar than the outer one.
        grammar = KEY_GRAMMARS.get(field, str)
        inner = f"{field}.*" if isinstance(shape.row, Table) else field
        for name, member in self.mapping(value, path).items():
            at = (*path, name)
            table.members[self.grammar(grammar, name, at)] = self.tree(shape.row, member, inner, at)
        return table

    def leaf(self, shape: Leaf | Items, value: Any, field: str, path: Path) -> Entry:
        about = value if isinstance(value, dict) and "rule" in value else {}
        at = (*path, "rule") if about else path
        for name in about:
            if name not in ("rule", *_ABOUT):
                raise self.unknown(name, ("rule", *_ABOUT), (*path, name))
        plain = about.get("rule", value)
        return self.entry(self.typed(shape.type, plain, field.removesuffix(".*"), at), about, path)

    def typed(self, kind: Any, value: Any, field: str, path: Path) -> Any:
        try:
            typed = msgspec.convert(value, kind, strict=True)
        except msgspec.ValidationError as error:
            raise SchemaError(_plain(str(error)), source=self.document.at(path)) from None
        if isinstance(typed, str) and (typed or field not in _MAY_BE_EMPTY):
            return self.grammar(lambda text: canonical_entry(field, text), typed, path)
        return typed

    def entry(self, value: Any, about: dict[str, Any], path: Path) -> Entry:
        notes = {name: self.text(about.get(name, ""), (*path, name)) for name in _NOTES}
        controls = [
            self.text(v, p) for p, v in self.members(about.get("controls", []), (*path, "controls"), "a list")
        ]
        for index, tag in enumerate(controls):
            self.grammar(KEY_GRAMMARS["compliance_tags"], tag, (*path, "controls", index))
        tags = tuple(sorted(set(controls)))
        return Entry(value, self.document.at(path), self.level, tags, **notes, soft=self.soft)

    def text(self, value: Any, path: Path) -> str:
        if not isinstance(value, str):
            raise SchemaError("expected a text", source=self.document.at(path))
        return value

    def mapping(self, value: Any, path: Path) -> dict[str, Any]:
        if not isinstance(value, dict):
            word = f", or the word {UNMANAGED}" if path and path[-1] in ASPECTS else ""
            remedy = f"write `name: value` lines{word}"
            raise SchemaError("expected a mapping", source=self.document.at(path), remedy=remedy)
        return value

    def members(self, value: Any, path: Path, what: str) -> Iterable[tuple[Path, Any]]:
        if not isinstance(value, list):
            raise SchemaError(
                f"expected {what}", source=self.document.at(path), remedy="begin each entry with `- `"
            )
        return [((*path, index), member) for index, member in enumerate(value)]

    def grammar(self, read: Any, text: str, path: Path) -> str:
        try:
            return str(read(text))
        except GrammarError as error:
            raise error.at(source=self.document.at(path)) from None

    def unknown(self, name: str, known: Iterable[str], path: Path) -> PolicyError:
        near = difflib.get_close_matches(name, list(known), n=1)
        remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return SchemaError(f"unknown field {name!r}", source=self.document.key_at(path), remedy=remedy)


def _plain(message: str) -> str:
    """Drop msgspec's own path from its sentence: the place is given as file:line:col."""
    return message.partition(" - at `")[0]


def _move_mcp_rules(root: Section) -> None:
    """`tools.allow: [mcp__s__t]` becomes `mcp.servers[s].tools.allow: [t]`, the only place for MCP tools."""
    tools = root.members.get("tools")
    if not isinstance(tools, Section):
        return
    for field in ("allow", "ask", "deny"):
        entries = tools.members.get(field)
        if isinstance(entries, list):
            for entry in [e for e in entries if e.value.startswith("mcp__")]:
                entries.remove(entry)
                _move(root, field, entry)


def _move(root: Section, field: str, entry: Entry) -> None:
    from tappass_host.policy.grammar.tools import parse_tool

    rule = parse_tool(entry.value)
    if rule.server is None or rule.tool is None:
        remedy = "list the server under mcp.servers, and set its tools.default"
        raise GrammarError(f"{entry.value} names a whole server", source=entry.source, remedy=remedy)
    at = root
    for name in ("mcp", "servers", rule.server, "tools"):
        child = at.members.setdefault(name, Section(entry, partial=True))
        assert isinstance(child, Section)
        at = child
    entries = at.members.setdefault(field, [])
    assert isinstance(entries, list)
    entries.append(entry._replace(value=canonical_entry(f"mcp.servers.tools.{field}", rule.tool)))
