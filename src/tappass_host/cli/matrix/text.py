"""The matrix as a table of 80 columns, and as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tappass_host.cli.matrix.cells import Cell, Row
from tappass_host.cli.output import Out, paint
from tappass_host.policy.model import ASPECTS

_SHORT: Final = dict(
    zip(ASPECTS, ("net", "file", "tool", "mcp", "code", "data", "llm", "budg", "proc", "cred"), strict=True)
)
_PROOF: Final = {"documented": "docs"}
_LEGEND: Final = (
    "E enforced   e enforced while the target cooperates   P partial   - cannot   . says nothing",
    "* tried on the real target   proof: live, stale (what is rendered has changed since), docs, preview",
)
_STYLE: Final = {"E": ("green",), "e": ("green",), "P": ("yellow",), "-": ("red",), ".": ("dim",)}


def show(out: Out, rows: Sequence[Row], stack: Mapping[str, Any] | None) -> None:
    """Print the table."""
    width = max([len("PROVIDER"), *(len(row.id) for row in rows)])
    out.line(f"{'PROVIDER'.ljust(width)} {''.join(_SHORT[a].ljust(5) for a in ASPECTS)} PROOF", "dim")
    for row in rows:
        marks = [_mark(row.cells.get(aspect)) for aspect in ASPECTS]
        _line(out, row.id.ljust(width), marks, _PROOF.get(row.proof, row.proof))
    if stack is not None:
        aspects = stack["aspects"]
        _line(out, "together".ljust(width), [_word(aspects.get(aspect)) for aspect in ASPECTS], "")
        if "why" in stack:
            out.note(f"together: {stack['why']}")
    out.line()
    for line in _LEGEND:
        out.line(line, "dim")


def _line(out: Out, head: str, marks: Sequence[str], proof: str) -> None:
    cells = "".join(paint(mark.ljust(5), *_STYLE[mark[0]], on=out.colour) for mark in marks)
    out.painted(f"{head} {cells} {proof}".rstrip())


def _mark(cell: Cell | None) -> str:
    if cell is None:
        return "."
    letter = {"enforced": "E", "partial": "P", "unenforceable": "-"}[cell.verdict]
    letter = "e" if letter == "E" and cell.strength == "cooperative" else letter
    return f"{letter}*" if cell.proof == "live" else letter


def _word(aspect: Mapping[str, Any] | None) -> str:
    return (
        "." if aspect is None else {"enforced": "E", "partial": "P", "unenforceable": "-"}[aspect["verdict"]]
    )


def markdown(rows: Sequence[Row], stack: Mapping[str, Any] | None) -> str:
    """The matrix as a Markdown table."""
    head = ["provider", "position", "target", "proof", *ASPECTS]
    lines = [_md(head), _md(["---"] * len(head))]
    for row in rows:
        target = f"{row.target} {row.target_version}".strip()
        lines.append(_md([f"`{row.id}`", row.position, target, row.proof, *(_cell(row, a) for a in ASPECTS)]))
    if stack is not None:
        words = [stack["aspects"].get(a, {}).get("verdict", "") for a in ASPECTS]
        lines.append(_md(["**together**", "", ", ".join(stack["providers"]), "", *words]))
    return "\n".join(lines) + "\n"


def _cell(row: Row, aspect: str) -> str:
    cell = row.cells.get(aspect)
    if cell is None:
        return ""
    live = ", live" if cell.proof == "live" else ""
    return f"{cell.verdict}{f' ({cell.strength}{live})' if cell.strength else ''}"


def _md(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
