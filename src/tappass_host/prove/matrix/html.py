"""The matrix as a page: one file that searches, filters and shows what is behind each cell."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, get_args

from tappass_host.prove.matrix.document import document
from tappass_host.prove.matrix.model import Cell, Matrix, Proof, ProviderRow, StackCell, Tally
from tappass_host.prove.matrix.words import GRADES, PROOFS, SILENT, SILENT_MEANS, held, target
from tappass_host.prove.pages.shell import shell
from tappass_host.prove.pages.text import escaped

_STRENGTHS: Final = {
    "solid edge": "compulsory: the OS, an interpreter or another process holds it",
    "dotted edge": "cooperative: held while the target itself wants to",
}
_TITLE: Final = "Availability matrix"
_LEAD: Final = """What each target really holds of a policy: computed by rendering the {statements} statements
of the conformance kit's reference policy, and how that is known, from recordings of the real targets where a
cell says live. Choose a cell to see the claims and the transcript behind it."""
_READ: Final = """The number says how many statements are enforced on every surface that they are about; the
bar counts each statement on each surface."""


def page(matrix: Matrix) -> str:
    """The HTML."""
    words = {"grades": {key: word._asdict() for key, word in GRADES.items()}, "proofs": PROOFS}
    parts = (_top(matrix), _bar(matrix), "<main>", _grid(matrix), "</main>", _footer(matrix))
    return shell(
        title=f"{_TITLE} - tappass-host",
        body="\n".join(parts),
        data={**document(matrix), "words": words},
        script="matrix.js",
    )


def _top(matrix: Matrix) -> str:
    figures = [
        (len(matrix.providers), "providers"),
        (sum(row.proof == "live" for row in matrix.providers), "proven live"),
        (sum(row.proof == "preview" for row in matrix.providers), "in preview"),
        (len(matrix.broken), "broken"),
    ]
    shown = "".join(f"<span><b>{count}</b> {name}</span>" for count, name in figures if count)
    return (
        f'<header class="top"><h1>{_TITLE}</h1>'
        f'<p class="lead">{_LEAD.format(**matrix.policy)}</p>'
        f'<p class="figures">{shown}</p></header>'
    )


def _bar(matrix: Matrix) -> str:
    cells = [cell for row in matrix.providers for cell in row.aspects.values()]
    grades = [grade for grade in GRADES if any(cell.grade == grade for cell in cells)]
    proofs = [proof for proof in get_args(Proof) if any(cell.proof == proof for cell in cells)]
    positions = dict.fromkeys(row.position for row in matrix.providers)
    return (
        '<div class="bar" role="search"><form id="filters">'
        '<input type="search" name="search" placeholder="Search providers" aria-label="Search providers" '
        'autocomplete="off" spellcheck="false">'
        + _select("position", "Every position", positions)
        + _select("aspect", "Every aspect", matrix.aspects)
        + _select("verdict", "Every verdict", grades)
        + _select("proof", "Every proof", proofs)
        + '<button type="reset" id="reset" hidden>Reset</button>'
        '<output id="count" aria-live="polite"></output></form></div>'
    )


def _select(name: str, every: str, values: Iterable[str]) -> str:
    options = "".join(f'<option value="{escaped(value)}">{escaped(value)}</option>' for value in values)
    label = name.capitalize()
    return f'<select name="{name}" aria-label="{label}"><option value="">{every}</option>{options}</select>'


# The roles are those that the elements have: a narrow screen lays them out as cards, and must not lose them.
def _grid(matrix: Matrix) -> str:
    heads = "".join(
        f'<th scope="col" role="columnheader" data-aspect-column="{escaped(aspect)}">{escaped(aspect)}</th>'
        for aspect in matrix.aspects
    )
    groups = groupby(enumerate(matrix.providers), key=lambda numbered: numbered[1].position)
    bodies = [_group(position, rows, matrix.aspects) for position, rows in groups]
    return (
        '<table class="grid" id="grid" role="table"><caption class="hidden">Providers by aspect</caption>'
        '<thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">provider</th>'
        f"{heads}</tr></thead>"
        f"{_together(matrix)}{''.join(bodies)}</table>"
        '<p class="empty" id="nothing" hidden>No provider fits these filters.</p>'
    )


def _group(position: str, rows: Iterable[tuple[int, ProviderRow]], aspects: Sequence[str]) -> str:
    made = "".join(_provider(number, row, aspects) for number, row in rows)
    return _body(escaped(position), made, len(aspects))


def _body(heading: str, rows: str, aspects: int) -> str:
    head = f'<th class="group" scope="rowgroup" role="rowheader" colspan="{aspects + 1}">{heading}</th>'
    return f'<tbody role="rowgroup"><tr role="row">{head}</tr>{rows}</tbody>'


def _provider(number: int, row: ProviderRow, aspects: Sequence[str]) -> str:
    name = escaped(row.id)
    said = (
        f'<button type="button" class="name" aria-haspopup="dialog"><b>{name}</b>'
        f"{_badge(row.proof)}<small>{escaped(target(row))}</small></button>"
    )
    cells = "".join(_cell(row, aspect) for aspect in aspects)
    return (
        f'<tr class="provider" role="row" data-row="{number}"><th scope="row" role="rowheader">{said}</th>'
        f"{cells}</tr>"
    )


def _cell(row: ProviderRow, aspect: str) -> str:
    found = row.aspects.get(aspect)
    if found is None:
        return _silent(aspect)
    return _td(aspect, _button(found, aspect, row.id, f"{found.strength}, proof {found.proof}"))


def _td(aspect: str, content: str, kind: str = "") -> str:
    return f'<td role="cell"{kind} data-aspect-column="{escaped(aspect)}">{content}</td>'


def _silent(aspect: str) -> str:
    said = f'<span aria-hidden="true">{SILENT}</span><span class="hidden">{SILENT_MEANS}</span>'
    return _td(aspect, f'<span class="silent">{said}</span>', ' class="quiet"')


def _button(cell: Cell | StackCell, aspect: str, name: str, told: str) -> str:
    label = f"{name}, {aspect}: {cell.grade}, {held(cell)} statements enforced, {told}"
    meter = "" if cell.grade == "none" else _meter(cell.places)
    return (
        f'<button type="button" class="cell {cell.grade} {cell.strength}" '
        f'data-aspect="{escaped(aspect)}" aria-haspopup="dialog" aria-label="{escaped(label)}">'
        f'<span class="label">{escaped(aspect)}</span><span class="word">{cell.grade}</span>'
        f'<span class="count">{held(cell)}</span>{meter}{_seen(cell)}</button>'
    )


def _seen(cell: Cell | StackCell) -> str:
    """What the proof adds to the badge of the provider."""
    if not isinstance(cell, Cell) or cell.grade == "none":
        return ""
    words = {"live": "\u2713 live", "stale": "stale"}
    some = f"\u2713 {cell.proven} live" if cell.proven else ""
    return f'<span class="proof">{words.get(cell.proof, some)}</span>'


def _meter(places: Tally) -> str:
    """How much is enforced, partial, unenforceable, as a bar."""
    sizes = (("e", places.enforced), ("p", places.partial), ("u", places.unenforceable))
    parts, at = [], 0
    for kind, size in sizes:
        if size:
            parts.append(f'<rect class="{kind}" x="{at}" width="{size}" height="1"/>')
        at += size
    return (
        f'<svg class="meter" viewBox="0 0 {at} 1" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )


def _together(matrix: Matrix) -> str:
    if matrix.stack is None:
        return ""
    uses = escaped(" + ".join(matrix.stack.uses))
    why = f"<small>{escaped(matrix.stack.why)}</small>" if matrix.stack.why else ""
    cells = "".join(_joined(matrix.stack.aspects.get(aspect), aspect) for aspect in matrix.aspects)
    said = f'<span class="name"><b>as one Runtime</b><small>{uses}</small>{why}</span>'
    row = f'<tr class="provider" role="row"><th scope="row" role="rowheader">{said}</th>{cells}</tr>'
    return _body("together", row, len(matrix.aspects))


def _joined(cell: StackCell | None, aspect: str) -> str:
    return _silent(aspect) if cell is None else _td(aspect, _button(cell, aspect, "together", cell.strength))


def _badge(kind: str) -> str:
    return f'<span class="badge {kind}">{kind}</span>'


def _footer(matrix: Matrix) -> str:
    return "<footer>" + "".join((*_legend(), *_broken(matrix))) + "</footer>"


def _legend() -> Iterator[str]:
    yield _words("What a cell says", ((key, word.means) for key, word in GRADES.items()))
    yield f"<p>{_READ}</p>"
    yield _words("How that is known", PROOFS.items())
    yield _words("Who holds it", _STRENGTHS.items())


def _words(heading: str, means: Iterable[tuple[str, str]]) -> str:
    lines = (f"<li>{_badge(name)} <span>{escaped(said)}</span></li>" for name, said in means)
    return f'<h2>{heading}</h2><ul class="legend">{"".join(lines)}</ul>'


def _broken(matrix: Matrix) -> Iterator[str]:
    if matrix.broken:
        yield '<h2>Broken</h2><ul class="plain">'
        for each in matrix.broken:
            source = escaped(each.source)
            yield f"<li><b>{escaped(each.id)}</b> ({source}): {escaped(each.reason)}</li>"
        yield "</ul>"
    yield from (f"<p>{escaped(note)}</p>" for note in matrix.notes)
