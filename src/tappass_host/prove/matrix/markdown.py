"""The matrix as Markdown: the table, where the proofs come from, and what stays open with its reason."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from tappass_host.prove.matrix.model import Cell, ClaimLine, Matrix, ProviderRow, StackCell
from tappass_host.prove.matrix.words import (
    GRADES,
    MARKS,
    SILENT,
    SILENT_MEANS,
    STRENGTHS,
    held,
    mark,
    recorded,
    target,
    word,
)

# Whatever means something to Markdown or HTML stands for itself.
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def markdown(matrix: Matrix) -> str:
    """The whole document."""
    parts = (
        _intro(matrix),
        _table(matrix),
        _legend(),
        _proofs(matrix),
        _open(matrix),
        _broken(matrix),
    )
    return "\n".join(line for part in parts for line in part)


def _intro(matrix: Matrix) -> Iterator[str]:
    policy = matrix.policy
    yield "# Availability matrix"
    yield ""
    yield (
        f"What each provider holds of the {policy['statements']} statements of the conformance kit's "
        f"reference policy `{policy['name']}`, by aspect: one word, and how many statements are enforced."
    )
    yield ""


def _table(matrix: Matrix) -> Iterator[str]:
    yield _row(["provider", "position", "target", "proof", *matrix.aspects])
    yield _row(["---"] * (4 + len(matrix.aspects)))
    for row in matrix.providers:
        cells = [_cell(row.aspects.get(aspect)) for aspect in matrix.aspects]
        yield _row([f"**{plain(row.id)}**", plain(row.position), plain(target(row)), row.proof, *cells])
    if matrix.stack is not None:
        uses = plain(" + ".join(matrix.stack.uses))
        cells = [_cell(matrix.stack.aspects.get(aspect)) for aspect in matrix.aspects]
        yield _row(["**together**", "", uses, plain(matrix.stack.why), *cells])
    yield ""


def _cell(cell: Cell | StackCell | None) -> str:
    if cell is None:
        return SILENT
    sign = plain(mark(cell))
    return word(cell) if cell.grade == "none" else f"{word(cell)}{sign} {held(cell)}"


def _legend() -> Iterator[str]:
    yield from (f"- `{said.short}`: {said.means}" for said in GRADES.values())
    yield f"- `{SILENT}`: {SILENT_MEANS}"
    yield from (f"- `{sign}`: {means}" for sign, means in MARKS.items())
    yield from (f"- {name} case: {means}" for name, means in STRENGTHS.items())
    yield ""


def _proofs(matrix: Matrix) -> Iterator[str]:
    made = [(row, recording) for row in matrix.providers for recording in row.recordings]
    if not made:
        return
    yield "## Proofs on real targets"
    yield ""
    yield _row(["provider", "target", "state", "verdicts as the policy says", "recorded"])
    yield _row(["---"] * 5)
    for row, recording in made:
        claimed = [attempt for attempt in recording.transcript if not attempt.declared]
        agreed = sum(attempt.agrees for attempt in claimed)
        version = f"{recording.target} {recording.target_version}"
        state = recording.state if recording.counted or recording.state == "stale" else "another version"
        cells = (row.id, version, state, f"{agreed} of {len(claimed)}", recorded(recording))
        yield _row([plain(cell) for cell in cells])
    yield ""


def _open(matrix: Matrix) -> Iterator[str]:
    yield "## What stays open, and why"
    yield ""
    for row in matrix.providers:
        lines = list(_of_provider(row))
        if lines:
            yield f"### {plain(row.id)}"
            yield ""
            yield from lines
            yield ""


def _of_provider(row: ProviderRow) -> Iterator[str]:
    """One line for each reason: what it is about, and what it leaves open."""
    for aspect, cell in row.aspects.items():
        reasons: dict[tuple[str, str], list[ClaimLine]] = {}
        for claim in cell.claims:
            if claim.verdict != "enforced":
                reasons.setdefault((claim.verdict, claim.reason), []).append(claim)
        for (verdict, reason), claims in reasons.items():
            count = f"{len(claims)} statements" if len(claims) > 1 else plain(claims[0].statement)
            yield f"- {aspect}, {verdict}: {plain(reason)} ({count})"


def _broken(matrix: Matrix) -> Iterator[str]:
    if matrix.broken:
        yield "## Broken"
        yield ""
        yield from (
            f"- {plain(each.id)} ({plain(each.source)}): {plain(each.reason)}" for each in matrix.broken
        )
        yield ""
    yield from (f"{plain(note)}\n" for note in matrix.notes)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def plain(text: str) -> str:
    """Text that reads as it is: in one line, nothing in it marks anything up."""
    line = " ".join(text.split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return _SPECIAL.sub(r"\\\1", shown)
