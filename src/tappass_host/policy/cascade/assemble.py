"""From the composed tree to the Compiled Policy: the document, and for every statement who said it where."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from tappass_host.policy.model import Annotation, Provenance
from tappass_host.policy.shape import Fields, Shape, Table, policy_shape
from tappass_host.policy.statements import Statement
from tappass_host.policy.tree import Entry, Section, Tree, entry_text, merged

Path = tuple[str | int, ...]


class Assembled(NamedTuple):
    """The plain document; entries by statement path; places by document path."""

    document: dict[str, Any]
    said: dict[str, Entry]
    places: dict[Path, str]

    def place(self, pointer: str) -> str:
        """`file:line:col` of a JSON Pointer, or of the nearest place around it."""
        path = tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
        by_text = {tuple(str(part) for part in key): source for key, source in self.places.items()}
        while path and path not in by_text:
            path = path[:-1]
        return by_text.get(path, "")

    def entry_of(self, statement: Statement) -> tuple[Entry | None, bool]:
        """Who said a statement; and whether this very statement, or only what it is part of."""
        if statement.id in self.said:
            return self.said[statement.id], True
        path = statement.id.removesuffix(f"[{statement.entry}]")
        exact = path in self.said and path != statement.id
        while path and path not in self.said:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.said.get(path), exact


class _Spot(NamedTuple):
    """Where we are: in the shape, as a field, as a statement path and in the document."""

    shape: Shape
    field: str
    at: str
    path: Path

    def member(self, name: str, shape: Shape) -> "_Spot":
        dot = "." if self.at else ""
        return _Spot(shape, f"{self.field}{dot}{name}", f"{self.at}{dot}{name}", (*self.path, name))


def assemble(root: Section) -> Assembled:
    """Lay out the tree as the document that `Policy` decodes from."""
    result = Assembled({}, {}, {})
    result.document.update(_lay(result, _Spot(policy_shape(), "", "", ()), root))
    return result


def _lay(out: Assembled, spot: _Spot, tree: Tree) -> Any:
    if isinstance(tree, Entry):
        return _leaf(out, spot, tree)
    if isinstance(tree, list):
        return _items(out, spot, tree)
    _note(out, spot.at, spot.path, tree.said)
    if isinstance(spot.shape, Table):
        return (_rows if spot.shape.as_list else _table)(out, spot, spot.shape, tree)
    assert isinstance(spot.shape, Fields)
    fields = spot.shape.fields.items()
    return {n: _lay(out, spot.member(n, s), tree.members[n]) for n, s in fields if n in tree.members}


def _table(out: Assembled, spot: _Spot, shape: Table, table: Section) -> dict[str, Any]:
    inner = f"{spot.field}.*" if isinstance(shape.row, Table) else spot.field
    return {
        key: _lay(out, _Spot(shape.row, inner, f"{spot.at}.{key}", (*spot.path, key)), table.members[key])
        for key in sorted(table.members)
    }


def _rows(out: Assembled, spot: _Spot, shape: Table, table: Section) -> list[Any]:
    assert isinstance(shape.row, Fields)
    rows = []
    for index, key in enumerate(sorted(table.members)):
        at = _Spot(shape.row, spot.field, f"{spot.at}[{key}]", (*spot.path, index))
        rows.append({shape.row.key: key, **_lay(out, at, table.members[key])})
    return rows


def _items(out: Assembled, spot: _Spot, entries: list[Entry]) -> list[Any]:
    if entries:
        out.said[spot.at] = merged(*entries)
    for index, entry in enumerate(entries):
        _note(out, f"{spot.at}[{entry_text(spot.field, entry.value)}]", (*spot.path, index), entry)
    return [msgspec.to_builtins(entry.value) for entry in entries]


def _leaf(out: Assembled, spot: _Spot, entry: Entry) -> Any:
    text = entry_text(spot.field, entry.value)
    if spot.field == "mcp.servers.pins":
        # The statement of a pin holds its tool in the brackets: `pins[search=sha256:...]`.
        table, _, tool = spot.at.rpartition(".")
        out.said[f"{table}[{tool}={text}]"] = entry
    _note(out, f"{spot.at}[{text}]", spot.path, entry)
    out.said[spot.at] = entry
    return msgspec.to_builtins(entry.value)


def _note(out: Assembled, at: str, path: Path, entry: Entry) -> None:
    out.said[at] = entry
    out.places[path] = entry.source


def speak(
    assembled: Assembled, statements: Iterable[Statement]
) -> tuple[dict[str, Provenance], dict[str, Annotation], dict[str, tuple[str, ...]]]:
    """Provenance, annotations and compliance tags of all statements."""
    provenance: dict[str, Provenance] = {}
    annotations: dict[str, Annotation] = {}
    tags: dict[str, list[str]] = {}
    for statement in statements:
        entry, exact = assembled.entry_of(statement)
        if entry is None:
            continue
        provenance[statement.id] = Provenance(level=entry.level, source=entry.source)
        if exact and (entry.reason or entry.owner or entry.url):
            annotations[statement.id] = Annotation(reason=entry.reason, owner=entry.owner, url=entry.url)
        for tag in entry.controls if exact else ():
            tags.setdefault(tag, []).append(statement.id)
    return provenance, annotations, {tag: tuple(sorted(ids)) for tag, ids in sorted(tags.items())}
