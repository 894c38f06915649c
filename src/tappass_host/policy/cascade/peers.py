"""Several files of one level: they add up, whichever is read first.

Lists and tables are united. One value said twice must be the same value: two people of equal standing
contradicting each other is an error, not a race. A preset's value yields to a person's.
"""

from tappass_host.policy.errors import PolicyError
from tappass_host.policy.tree import Entry, Section, Tree, entry_text, merged, rank
from tappass_host.policy.validate import ORDERED


def unite(field: str, a: Tree | None, b: Tree | None) -> Tree:
    """What two files of one level say together about a field."""
    if a is None or b is None:
        found = b if a is None else a
        assert found is not None
        return found
    if isinstance(a, Section) and isinstance(b, Section):
        return _sections(field, a, b)
    if isinstance(a, list) and isinstance(b, list):
        return _ordered(field, a, b) if field in ORDERED else _sets(field, a, b)
    assert isinstance(a, Entry)
    assert isinstance(b, Entry)
    return _values(field, a, b)


def unique(field: str, entries: list[Entry]) -> list[Entry]:
    """Each entry once, in canonical order."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry_text(field, entry.value), []).append(entry)
    if field in ORDERED:
        return [merged(*group) for group in found.values()]
    return [merged(*found[text]) for text in sorted(found)]


def _sections(field: str, a: Section, b: Section) -> Section:
    names = {**a.members, **b.members}
    members = {
        name: unite(f"{field}.{name}" if field else name, a.members.get(name), b.members.get(name))
        for name in names
    }
    # A row that someone lists is listed, whoever else only narrows it.
    said = merged(a.said, b.said) if a.partial == b.partial else (b if a.partial else a).said
    return Section(said, members, partial=a.partial and b.partial)


def _sets(field: str, a: list[Entry], b: list[Entry]) -> list[Entry]:
    return unique(field, a + b)


def _ordered(field: str, a: list[Entry], b: list[Entry]) -> list[Entry]:
    """An order has one author: a person beats a preset, two persons must say the same."""
    texts = [[entry_text(field, entry.value) for entry in entries] for entries in (a, b)]
    if texts[0] == texts[1]:
        return [merged(x, y) for x, y in zip(a, b, strict=True)]
    if not a or not b or a[0].soft != b[0].soft:
        return b if not a or (b and a[0].soft) else a
    raise _contradiction(field, a[0], b[0])


def _values(field: str, a: Entry, b: Entry) -> Entry:
    if entry_text(field, a.value) == entry_text(field, b.value):
        return merged(a, b)
    if a.soft != b.soft:
        return b if a.soft else a
    raise _contradiction(field, a, b)


def _contradiction(field: str, a: Entry, b: Entry) -> PolicyError:
    first, second = sorted((a, b), key=rank)
    what = f"{field} is said twice at one level, here and at {first.source}, and differs"
    return PolicyError(what, source=second.source, remedy="keep one of the two")
