"""`tappass policy diff`: what two policies say differently, and what became wider."""

from typing import NamedTuple

import click

from tappass_host.cli.actions import phrase
from tappass_host.cli.errors import FINDINGS
from tappass_host.cli.output import Out
from tappass_host.cli.policies import Document, describe, load_policy, title
from tappass_host.cli.tree import verb
from tappass_host.policy.narrower import Widening, widenings
from tappass_host.policy.statements import statements


class _Difference(NamedTuple):
    added: list[str]
    removed: list[str]
    wider: list[Widening]


@verb(
    "diff",
    "tappass policy diff in-force.dsse.json compiled.json",
    "tappass policy diff in-force.dsse.json compiled.json --fail-on wider",
)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option(
    "--fail-on",
    type=click.Choice(["wider", "any"]),
    help="End with exit code 1 if NEW allows more than OLD, or says anything else at all.",
)
def diff(out: Out, *, old: str, new: str, fail_on: str | None) -> int:
    """Compare two policies; find what became wider.

    Lists the statements that came and went, and everything that NEW opens up: with an action that OLD denies
    (or asks about) and NEW lets through wherever one was found, else as not proven narrower.
    """
    before, after = load_policy(old), load_policy(new)
    found = _compare(before, after)

    def answer() -> object:
        return {
            "old": describe(before),
            "new": describe(after),
            "added": found.added,
            "removed": found.removed,
            "wider": [each._asdict() for each in found.wider],
            "narrower": not found.wider,
        }

    out.result(answer, lambda: _text(out, before, after, found))
    failed = found.wider if fail_on == "wider" else found.wider or found.added or found.removed
    return FINDINGS if fail_on and failed else 0


def _compare(before: Document, after: Document) -> _Difference:
    """Compare statements; the expiry moves with every renewal and is shown apart."""
    old, new = (
        {s.id for s in statements(document.policy) if s.field != "head.expires_at"}
        for document in (before, after)
    )
    return _Difference(sorted(new - old), sorted(old - new), widenings(before.policy, after.policy))


def _text(out: Out, before: Document, after: Document, found: _Difference) -> None:
    out.line(f"{title(before.policy)} -> {title(after.policy)}", "bold")
    for sign, style, ids in (("-", "red", found.removed), ("+", "green", found.added)):
        for statement in ids:
            out.line(f"{sign} {statement}", style)
    expires = f"expires {after.policy.expires_at}, was {before.policy.expires_at}"
    same = not found.added and not found.removed
    out.line(f"the same statements, {expires}" if same else expires)
    out.line()
    if not found.wider:
        out.line("not wider: whatever NEW permits, OLD permits too", "green")
        return
    out.line(f"wider in {len(found.wider)} way{'s' if len(found.wider) != 1 else ''}:", "yellow")
    for each in found.wider:
        out.line(f"  {each.statement}", "bold")
        out.line(f"    {each.why}")
        if each.action is not None:
            out.line(f"    {phrase(each.action)}: was {each.old}, is {each.new}")
