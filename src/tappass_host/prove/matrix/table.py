"""The matrix for a terminal: rows of coloured text that fit its width."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tappass_host.prove.matrix.model import Cell, Matrix, ProviderRow, StackCell
from tappass_host.prove.matrix.words import (
    GRADES,
    MARKS,
    SHORT,
    SILENT,
    SILENT_MEANS,
    STRENGTHS,
    Tone,
    mark,
    recorded,
    target,
    word,
)

# A grade of four letters and its mark.
_CELL: Final = 5
_PROOF: Final = 12
# Where names of providers have a line of their own.
_INDENT: Final = 4
_NAME: Final = 25
_HEAD: Final = 8
_TOGETHER: Final = "together"


class Span(NamedTuple):
    """Text in one tone: `good`, `fair`, `poor`, `none`, `dim`, `bold`, or plain."""

    text: str
    tone: Tone = ""


Line = tuple[Span, ...]


class _Layout(NamedTuple):
    """How wide things are.

    Attributes:
        targets: whether the targets with their versions are shown.
        stacked: a provider's name has a line of its own.
    """

    name: int
    cells: tuple[int, ...]
    heads: tuple[str, ...]
    targets: bool = True
    stacked: bool = False


def table(matrix: Matrix, width: int = 0) -> list[Line]:
    """The rows.

    Args:
        matrix: to show.
        width: columns of the terminal; 0 where nothing is cut.
    """
    layout = _layout(matrix, width)
    lines = [_header(layout)]
    position = ""
    for row in matrix.providers:
        if row.position != position:
            lines.append((Span(row.position, "bold"),))
            position = row.position
        lines += _provider(row, matrix.aspects, layout)
    lines += _stack(matrix, layout)
    return [_stripped(line) for line in (*lines, (), *_legend(matrix, width), *_footnotes(matrix, width))]


def _layout(matrix: Matrix, width: int) -> _Layout:
    name = max((len(row.id) for row in matrix.providers), default=0)
    name = max(name, len(_TOGETHER)) + 3
    targets = max((len(target(row)) for row in matrix.providers), default=0)
    long = tuple(matrix.aspects)
    short = tuple(SHORT.get(aspect, aspect[:4]) for aspect in matrix.aspects)
    roomy = tuple(max(len(head), _CELL) + 1 for head in long)
    close, tight = (tuple(_CELL + gap for _ in long) for gap in (1, 0))
    for cells, heads, extra in ((roomy, long, targets), (close, short, targets), (close, short, 0)):
        if not width or name + sum(cells) + _PROOF + extra <= width:
            return _Layout(name, cells, heads, targets=bool(extra))
    cells = close if _INDENT + sum(close) <= width else tight
    return _Layout(_INDENT, cells, short, stacked=True)


def _header(layout: _Layout) -> Line:
    heads = (Span(head.ljust(size)) for head, size in zip(layout.heads, layout.cells, strict=True))
    line = (Span("".ljust(layout.name)), *heads, Span("" if layout.stacked else "proof"))
    return tuple(Span(span.text, "dim") for span in line)


def _provider(row: ProviderRow, aspects: Sequence[str], layout: _Layout) -> Iterator[Line]:
    cells = tuple(_cells([row.aspects.get(aspect) for aspect in aspects], layout))
    extra = (Span(row.proof.ljust(_PROOF)), Span(target(row) if layout.targets else "", "dim"))
    if layout.stacked:
        yield (Span(f"  {row.id}".ljust(_NAME) + " "), *extra)
        yield (Span("".ljust(layout.name)), *cells)
    else:
        yield (Span(f"  {row.id}".ljust(layout.name)), *cells, *extra)


def _stack(matrix: Matrix, layout: _Layout) -> Iterator[Line]:
    if matrix.stack is None:
        return
    yield (Span(_TOGETHER, "bold"), Span(f"  {' + '.join(matrix.stack.uses)}", "dim"))
    if matrix.stack.why:
        yield (Span(f"  {matrix.stack.why}", "poor"),)
        return
    found = [matrix.stack.aspects.get(aspect) for aspect in matrix.aspects]
    yield (Span("".ljust(layout.name)), *_cells(found, layout))


def _cells(found: Sequence[Cell | StackCell | None], layout: _Layout) -> Iterator[Span]:
    for cell, size in zip(found, layout.cells, strict=True):
        if cell is None:
            yield Span(SILENT.ljust(size), "dim")
        else:
            yield Span(f"{word(cell)}{mark(cell)}".ljust(size), GRADES[cell.grade].tone)


def _legend(matrix: Matrix, width: int) -> Iterator[Line]:
    cells = [cell for row in matrix.providers for cell in row.aspects.values()]
    joined = matrix.stack.aspects.values() if matrix.stack else ()
    grades = {cell.grade for cell in (*cells, *joined)}
    marks = {mark(cell) for cell in cells}
    for grade, said in GRADES.items():
        if grade in grades:
            yield from _note(said.short, said.tone, said.means, width)
    yield from _note(SILENT, "dim", SILENT_MEANS, width)
    for sign, means in MARKS.items():
        if sign in marks:
            yield from _note(sign, "dim", means, width)
    for name, means in STRENGTHS.items():
        yield from _note(name, "dim", means, width)


def _footnotes(matrix: Matrix, width: int) -> Iterator[Line]:
    # A stale recording that a newer one made up for is no news.
    for row in (row for row in matrix.providers if row.proof != "live"):
        for recording in row.recordings:
            if recording.state == "stale":
                why = recording.reasons[0] if recording.reasons else ""
                yield from _note("stale", "fair", f"{row.id}, {recorded(recording)}: {why}", width)
    for each in matrix.broken:
        yield from _note("broken", "poor", f"{each.id}: {each.reason}", width)
    for note in matrix.notes:
        yield from _note("note", "dim", note, width)


def _note(head: str, tone: Tone, text: str, width: int) -> Iterator[Line]:
    """A word and what there is to say, wrapped beside it."""
    import textwrap

    room = max(width - _HEAD, _HEAD * 3)
    # Whoever wrote the text may have put anything in it: only one line of it is ours to break.
    lines = textwrap.wrap(" ".join(text.split()), room, break_on_hyphens=False) if width else [text]
    for at, line in enumerate(lines or [""]):
        yield (Span(("" if at else head).ljust(_HEAD), tone), Span(line))


def _stripped(line: Line) -> Line:
    """Without blanks at its end."""
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[-1] = Span(kept[-1].text.rstrip(), kept[-1].tone)
    return tuple(kept)
