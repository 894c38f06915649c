"""The coverage of one Runtime as a page: every statement, what is open first, and what holds it where."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from tappass_host.compiler.coverage import Coverage, Place, StatementCoverage
from tappass_host.prove.pages.shell import shell
from tappass_host.prove.pages.text import escaped

# Heading and explanation of each group, in the order in which they matter.
_GROUPS: Final[dict[str, tuple[str, str]]] = {
    "open": ("Open", "restrictions that nobody holds somewhere"),
    "partial": ("Partial", "held, with a way round that is named"),
    "unavailable": ("Unavailable", "granted, yet it will not work; that costs use, not safety"),
    "enforced": ("Enforced", "held on every surface"),
    "vacuous": ("Vacuous", "has no place in this Runtime"),
}
_BADGES: Final = {"open": "gap", "unavailable": "partial"}


def page(coverage: Coverage, *, title: str, runtime: str) -> str:
    """The HTML.

    Args:
        coverage: of one Runtime.
        title: what the policy is called.
        runtime: what the Runtime is called.
    """
    rows = [*coverage.statements]
    groups = {name: [row for row in rows if group_of(row) == name] for name in _GROUPS}
    ordered = [row for some in groups.values() for row in some]
    uses = tuple(dict.fromkeys(place.use for row in rows for place in row.places))
    heading = f"Coverage: {title} on {runtime}"
    parts = (
        _top(coverage, groups, heading),
        _bar(ordered, groups),
        "<main>",
        _grid(ordered, uses),
        "</main>",
        "<footer></footer>",
    )
    data = {"statements": [_data(row) for row in ordered]}
    return shell(title=heading, body="\n".join(parts), data=data, script="coverage.js")


def group_of(row: StatementCoverage) -> str:
    """What a statement is listed under."""
    if row.is_open:
        return "open"
    return "unavailable" if row.verdict in ("gap", "unenforceable") else row.verdict


def _data(row: StatementCoverage) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(row)
    return {**plain, "group": group_of(row)}


def _top(coverage: Coverage, groups: Mapping[str, Sequence[StatementCoverage]], heading: str) -> str:
    figures = "".join(
        f"<span><b>{len(rows)}</b> {_GROUPS[name][0].lower()}</span>" for name, rows in groups.items() if rows
    )
    unmanaged = ", ".join(coverage.unmanaged)
    nothing = f'<p class="said">Unmanaged, so nothing is promised: {escaped(unmanaged)}.</p>'
    return (
        f'<header class="top"><h1>{escaped(heading)}</h1>'
        '<p class="lead">A statement is as good as the worst of its places: each surface of each target. '
        "Choose one to see who holds it there, by which native lines, and what that rests on.</p>"
        f'<p class="figures">{figures}</p>{nothing if unmanaged else ""}</header>'
    )


def _bar(rows: Sequence[StatementCoverage], groups: Mapping[str, Sequence[StatementCoverage]]) -> str:
    selects = (
        _select("group", "Every verdict", {name: _GROUPS[name][0] for name, some in groups.items() if some}),
        _select("aspect", "Every aspect", {row.aspect: row.aspect for row in rows}),
        _select("level", "Every level", {row.level: row.level for row in rows if row.level}),
    )
    return (
        '<div class="bar" role="search"><form id="filters">'
        '<input type="search" name="search" placeholder="Search statements and reasons" '
        'aria-label="Search statements and reasons" autocomplete="off" spellcheck="false">'
        f"{''.join(selects)}"
        '<button type="reset" id="reset" hidden>Reset</button>'
        '<output id="count" aria-live="polite"></output></form></div>'
    )


def _select(name: str, every: str, values: Mapping[str, str]) -> str:
    options = "".join(
        f'<option value="{escaped(value)}">{escaped(text)}</option>' for value, text in values.items()
    )
    return f'<select name="{name}" aria-label="{name}"><option value="">{every}</option>{options}</select>'


# The roles are those that the elements have: a narrow screen lays them out as cards, and must not lose them.
def _grid(rows: Sequence[StatementCoverage], uses: Sequence[str]) -> str:
    heads = "".join(f'<th scope="col" role="columnheader">{escaped(use)}</th>' for use in uses)
    bodies = "".join(_group(name, rows, uses) for name in _GROUPS)
    return (
        '<table class="grid coverage" id="grid" role="table">'
        '<caption class="hidden">Statements by target, with the verdict on each surface</caption>'
        '<thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">statement</th>'
        f'{heads}</tr></thead>{bodies}</table><p class="empty" id="nothing" hidden>No statement fits.</p>'
    )


def _group(name: str, rows: Sequence[StatementCoverage], uses: Sequence[str]) -> str:
    heading, means = _GROUPS[name]
    made = "".join(_row(number, row, uses) for number, row in enumerate(rows) if group_of(row) == name)
    head = (
        f'<th class="group" scope="rowgroup" role="rowheader" colspan="{len(uses) + 1}">'
        f'<span class="badge {_BADGES.get(name, name)}">{heading}</span> {means}</th>'
    )
    return f'<tbody role="rowgroup"><tr role="row">{head}</tr>{made}</tbody>' if made else ""


def _row(number: int, row: StatementCoverage, uses: Sequence[str]) -> str:
    said = ", ".join(part for part in (row.level, row.polarity) if part)
    name = (
        '<button type="button" class="name" aria-haspopup="dialog">'
        f"<b><code>{escaped(row.id)}</code></b><small>{escaped(said)}</small></button>"
    )
    cells = "".join(_cell(use, (place for place in row.places if place.use == use)) for use in uses)
    return (
        f'<tr class="provider" role="row" data-row="{number}"><th scope="row" role="rowheader">{name}</th>'
        f"{cells}</tr>"
    )


def _cell(use: str, places: Iterable[Place]) -> str:
    made = "".join(_chips(places))
    if not made:
        return '<td role="cell" class="quiet"></td>'
    return f'<td role="cell" data-label="{escaped(use)}"><span class="chips">{made}</span></td>'


def _chips(places: Iterable[Place]) -> Iterator[str]:
    for place in places:
        # The colour must not be all that tells: what is not enforced is said.
        told = "" if place.verdict == "enforced" else f" {place.verdict}"
        yield f'<span class="badge {place.verdict}">{place.surface}{told}</span>'
