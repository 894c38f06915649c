"""`tappass coverage`: what is enforced where, how strongly, and what is open. Gaps come first."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from tappass_host.cli.errors import FINDINGS
from tappass_host.cli.files import write
from tappass_host.cli.output import Out
from tappass_host.cli.planning import (
    Ground,
    Request,
    compile_plan,
    plan_options,
    prepare,
    surroundings_of,
)
from tappass_host.cli.policies import describe, title
from tappass_host.cli.tree import verb

if TYPE_CHECKING:
    from tappass_host.compiler.coverage import Coverage, StatementCoverage
    from tappass_host.compiler.suggest import Suggestion

_HEADINGS = {
    "open": "OPEN: restrictions that nobody holds",
    "partial": "PARTIAL: held, with a way round",
    "unavailable": "UNAVAILABLE: granted, yet it will not work; that costs use, not safety",
}
_SHOWN = 5
# A path or pattern within a sentence.
_PATH = re.compile(r"(?<!\S)[~/*][^\s,;]*")


@verb(
    "coverage",
    "tappass coverage --policy compiled.json --runtime laptop",
    "tappass coverage --policy compiled.json --runtime laptop --all",
    "tappass coverage --policy compiled.json --runtime laptop --by-control",
    "tappass coverage --policy compiled.json --runtime harness=claude-code --suggest",
    "tappass coverage --policy compiled.json --runtime laptop --html coverage.html",
)
@plan_options
@click.option("--all", "everything", is_flag=True, help="List the enforced and the vacuous statements too.")
@click.option("--by-control", is_flag=True, help="Group by compliance tag.")
@click.option("--suggest", "suggesting", is_flag=True, help="Find the smallest additions that close most.")
@click.option(
    "--fail-on",
    type=click.Choice(["open", "partial"]),
    help="End with exit code 1 if there are such statements.",
)
@click.option("--html", "page", metavar="FILE", help="Write a page to search and filter, too.")
def coverage(
    out: Out,
    *,
    everything: bool,
    by_control: bool,
    suggesting: bool,
    fail_on: str | None,
    page: str | None,
    **named: Any,
) -> int:
    """Show what is enforced where, gaps first.

    A statement is as good as the worst of its places: each surface of each target. A claim that holds only
    while its target cooperates closes no gap of files, network, processes or credentials, unless the Runtime
    accepts that.
    """
    ground = prepare(Request(**named))
    found = compile_plan(ground, refuse_gaps=False).coverage
    suggestions = _suggest(out, ground) if suggesting else ()
    controls = _controls(ground, found) if by_control else None

    def answer() -> object:
        return {
            "policy": describe(ground.document),
            "runtime": ground.runtime.recipe.name,
            "counts": found.counts(),
            "open": [row.id for row in found.open()],
            "unmanaged": found.unmanaged,
            "statements": found.statements,
            **({"controls": controls} if controls is not None else {}),
            **({"suggestions": suggestions} if suggesting else {}),
        }

    def text() -> None:
        _summary(out, ground, found)
        if controls is None:
            _lists(out, found, everything=everything)
        else:
            _by_control(out, controls)
        _suggestions(out, suggestions, asked=suggesting)

    out.result(answer, text)
    if page is not None:
        _page(out, ground, found, page)
    failed = found.open() or (fail_on == "partial" and found.counts()["partial"])
    return FINDINGS if fail_on and failed else 0


def _page(out: Out, ground: Ground, found: "Coverage", target: str) -> None:
    from tappass_host.prove.pages.coverage import page

    runtime = ground.runtime.recipe.name
    write(target, page(found, title=title(ground.document.policy), runtime=runtime).encode())
    out.note(f"written   {target}")


def _suggest(out: Out, ground: Ground) -> "tuple[Suggestion, ...]":
    from tappass_host.compiler.suggest import suggest

    around = surroundings_of(ground)
    subject = (ground.bound, ground.runtime.recipe, ground.providers, ground.capabilities)
    with out.progress("trying") as progress:
        progress.announce("every provider of a free position")
        return suggest(*subject, surroundings=around)


def _controls(ground: Ground, found: "Coverage") -> "dict[str, tuple[StatementCoverage, ...]]":
    from tappass_host.compiler.coverage import by_control

    return by_control(found, ground.bound.compliance_tags)


def _summary(out: Out, ground: Ground, found: "Coverage") -> None:
    counts = found.counts()
    out.line(f"{title(ground.document.policy)} on {ground.runtime.recipe.name}", "bold")
    parts = [f"{len(found.open())} open", *(f"{counts[v]} {v}" for v in ("partial", "enforced", "vacuous"))]
    out.line(f"{len(found.statements)} statements: {', '.join(parts)}")
    if found.unmanaged:
        out.line(f"unmanaged, so nothing is promised: {', '.join(found.unmanaged)}", "yellow")


def _lists(out: Out, found: "Coverage", *, everything: bool) -> None:
    for heading, rows in _grouped(found).items():
        if not rows:
            continue
        out.line()
        out.line(_HEADINGS[heading], "bold")
        for why, names in _by_reason(rows).items():
            _reason(out, why, names, names if everything else names[:_SHOWN])
    rest = [row for row in found.statements if row.verdict in ("enforced", "vacuous")]
    if everything and rest:
        out.line()
        out.line("ENFORCED, and VACUOUS where a statement has no place here", "bold")
        out.table([(row.verdict, row.id, _held_by(row)) for row in rest], indent=2)


def _reason(out: Out, why: tuple[str, ...], names: list[str], shown: list[str]) -> None:
    for name in shown:
        out.line(f"  {name}")
    if len(names) > len(shown):
        out.line(f"  and {len(names) - len(shown)} more: --all lists them")
    out.table([("-", line) for line in why], indent=6)


def _grouped(found: "Coverage") -> "dict[str, list[StatementCoverage]]":
    shut = ("gap", "unenforceable")
    return {
        "open": list(found.open()),
        "partial": [row for row in found.statements if row.verdict == "partial"],
        "unavailable": [row for row in found.statements if row.polarity == "grant" and row.verdict in shut],
    }


def _by_reason(rows: "Iterable[StatementCoverage]") -> dict[tuple[str, ...], list[str]]:
    """Statements that are open for the same reasons, together."""
    found: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        found.setdefault(_reasons(row), []).append(f"{row.id}{f'  ({row.level})' if row.level else ''}")
    return found


def _reasons(row: "StatementCoverage") -> tuple[str, ...]:
    """For each use why it does not hold there. The statement names the path, so the reason need not."""
    found: dict[tuple[str, str], list[str]] = {}
    for place in row.places:
        if place.verdict != "enforced":
            parts = dict.fromkeys(_PATH.sub("...", part) for part in place.reason.split("; "))
            found.setdefault((place.use, "; ".join(parts) or place.verdict), []).append(place.surface)
    return tuple(f"{use} ({', '.join(surfaces)}): {why}" for (use, why), surfaces in found.items())


def _held_by(row: "StatementCoverage") -> str:
    return ", ".join(dict.fromkeys(f"{place.by}/{place.reach}" for place in row.places if place.by))


def _by_control(out: Out, controls: "dict[str, tuple[StatementCoverage, ...]]") -> None:
    for tag, rows in controls.items():
        open_ = sum(row.is_open for row in rows)
        out.line()
        out.line(f"{tag}: {len(rows)} statements, {open_} open", "bold")
        out.table([(row.verdict, row.id) for row in rows], indent=2)
    if not controls:
        out.line()
        out.line("No statement carries a compliance tag: write `controls: [SOC2:CC6.1]` on a rule.")


def _suggestions(out: Out, suggestions: "tuple[Suggestion, ...]", *, asked: bool) -> None:
    if not asked:
        return
    out.line()
    out.line("SUGGESTED ADDITIONS", "bold")
    for each in suggestions:
        out.line(f"  {' + '.join(each.add)} closes {len(each.closes)}:")
        for statement in each.closes:
            out.line(f"      {statement}")
    if not suggestions:
        out.line("  none: no provider of a free position closes anything more")
