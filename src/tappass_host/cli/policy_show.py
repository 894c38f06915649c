"""`tappass policy show`: every statement, and who said it where."""

from collections.abc import Iterable

import click

from tappass_host.cli.clock import now, until
from tappass_host.cli.output import Out
from tappass_host.cli.policies import Document, describe, load_policy, title
from tappass_host.cli.tree import verb
from tappass_host.policy.model import ASPECTS, Policy
from tappass_host.policy.statements import Statement, statements
from tappass_host.policy.times import parse_instant


@verb(
    "show",
    "tappass policy show compiled.json",
    "tappass policy show policy.dsse.json --aspect network --aspect tools",
    "tappass policy show compiled.json --json",
)
@click.argument("policy", metavar="FILE")
@click.option(
    "--aspect",
    "aspects",
    multiple=True,
    type=click.Choice(ASPECTS),
    metavar="ASPECT",
    help="Only this aspect, such as network. Repeat it.",
)
@click.option("--control", metavar="TAG", help="Only statements with this compliance tag, e.g. SOC2:CC6.1.")
def show(out: Out, *, policy: str, aspects: tuple[str, ...], control: str | None) -> None:
    """List every statement of a policy, and who said it where.

    FILE is a Compiled Policy or an envelope; of an envelope the signatures are not checked here.
    """
    document = load_policy(policy)
    chosen = _chosen(document.policy, aspects, control)

    def answer() -> object:
        return {
            **describe(document),
            "unmanaged": _unmanaged(document.policy),
            "statements": _rows(document, chosen),
        }

    out.result(answer, lambda: _text(out, document, chosen, aspects))


def _chosen(policy: Policy, aspects: tuple[str, ...], control: str | None) -> list[Statement]:
    tagged = set(policy.compliance_tags.get(control, ())) if control else None
    return [
        s
        for s in statements(policy)
        if (not aspects or s.aspect in aspects) and (tagged is None or s.id in tagged)
    ]


def _unmanaged(policy: Policy) -> list[str]:
    return [aspect for aspect in ASPECTS if getattr(policy, aspect) is None]


def _rows(document: Document, chosen: Iterable[Statement]) -> list[dict[str, object]]:
    policy = document.policy
    controls: dict[str, list[str]] = {}
    for tag, ids in policy.compliance_tags.items():
        for ident in ids:
            controls.setdefault(ident, []).append(tag)
    return [
        {
            "id": s.id,
            "field": s.field,
            "entry": s.entry,
            "polarity": s.polarity,
            "surfaces": s.surfaces,
            "level": said.level if (said := policy.provenance.get(s.id)) else "",
            "source": said.source if said else "",
            "controls": controls.get(s.id, []),
            "annotation": policy.annotations.get(s.id),
        }
        for s in chosen
    ]


def _text(out: Out, document: Document, chosen: list[Statement], aspects: tuple[str, ...]) -> None:
    policy = document.policy
    tier = f", preset {policy.tier}" if policy.tier else ""
    out.line(f"{title(policy)}{tier}, {policy.mode}", "bold")
    out.line(f"valid until {until(parse_instant(policy.expires_at), at=now())}")
    if document.form == "envelope":
        out.line("signed; the signatures are checked by tappass verify")
    for aspect in ("head", *ASPECTS, "extensions"):
        group = [s for s in chosen if s.aspect == aspect]
        if group:
            out.line()
            out.line(aspect, "bold")
            out.table([_row(policy, s) for s in group], indent=2)
    left_out = [] if aspects else _unmanaged(policy)
    if left_out:
        out.line()
        out.line(f"unmanaged, so nothing is promised: {', '.join(left_out)}", "yellow")


def _row(policy: Policy, statement: Statement) -> tuple[str, str, str]:
    said = policy.provenance.get(statement.id)
    where = (said.source or said.level) if said else ""
    text = statement.id.removeprefix(f"{statement.aspect}.")
    path = text.removesuffix(f"[{statement.entry}]") if statement.entry else text
    return path, statement.entry, where
