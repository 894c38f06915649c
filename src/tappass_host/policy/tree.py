"""Authored values with where they come from: what levels are made of before they become one policy."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from tappass_host.policy.grammar.canonical import canonical_entry


class Entry(NamedTuple):
    """One authored value. `soft` marks a preset's: it yields where a person's would be refused."""

    value: Any
    source: str
    level: str
    controls: tuple[str, ...] = ()
    reason: str = ""
    owner: str = ""
    url: str = ""
    soft: bool = False


class Section:
    """A mapping of authored values: fields of an aspect, or rows of a table by key.

    `said` is where and by whom it was said, with what was noted about the whole row. A `partial` section
    comes from a rule that was moved here: it narrows a row, but does not say that the table lists it.
    """

    __slots__ = ("members", "partial", "said")

    def __init__(
        self, said: Entry, members: "dict[str, Tree] | None" = None, *, partial: bool = False
    ) -> None:
        self.said = said
        self.members: dict[str, Tree] = {} if members is None else members
        self.partial = partial

    def entries(self, name: str) -> list[Entry] | None:
        """The list of a field; None where nothing was said."""
        found = self.members.get(name)
        return found if isinstance(found, list) else None

    def entry(self, name: str) -> Entry | None:
        """The value of a field; None where nothing was said."""
        found = self.members.get(name)
        return found if isinstance(found, Entry) else None

    def section(self, name: str) -> "Section | None":
        """The table or group of a field; None where nothing was said."""
        found = self.members.get(name)
        return found if isinstance(found, Section) else None

    def value(self, name: str, default: Any = None) -> Any:
        """The plain value of a field."""
        found = self.entry(name)
        return default if found is None else found.value


Tree = Entry | list[Entry] | Section


def entry_text(field: str, value: Any) -> str:
    """The canonical text of a value, as in the id of its statement."""
    if value == "":
        return ""  # said on purpose: none of it
    detector = getattr(value, "detector", None)
    if isinstance(value, msgspec.Struct) and detector is not None:
        return f"{detector}:{value.action}:{value.direction}"  # type: ignore[attr-defined]
    return canonical_entry(field, value)


def merged(*entries: Entry) -> Entry:
    """Equal values said several times: whoever came first keeps them, everybody's notes count.

    First is a person before a preset, then by file, line and column: never by the order of arguments.
    """
    ranked = sorted(entries, key=rank)
    first = ranked[0]
    return first._replace(
        controls=tuple(sorted({tag for entry in ranked for tag in entry.controls})),
        reason=_first(entry.reason for entry in ranked),
        owner=_first(entry.owner for entry in ranked),
        url=_first(entry.url for entry in ranked),
    )


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")


def rank(entry: Entry) -> tuple[bool, str, int, int]:
    """Sort key of places: persons before presets, then `file:line:col` by number."""
    file, _, rest = entry.source.rpartition(":")
    name, _, line = file.rpartition(":")
    return entry.soft, name, int(line or 0), int(rest or 0)
