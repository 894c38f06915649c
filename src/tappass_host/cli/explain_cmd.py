"""`tappass explain`: from a statement to its native lines, and from a native line to who said so."""

from typing import TYPE_CHECKING, Any

import click

from tappass_host.cli.output import Out
from tappass_host.cli.planning import Request, compile_plan, plan_options, prepare
from tappass_host.cli.tree import verb
from tappass_host.policy.errors import PolicyError

if TYPE_CHECKING:
    from tappass_host.compiler.explain import Explanation, Origin
    from tappass_host.compiler.plan import Plan

_MOST = 20


@verb(
    "explain",
    "tappass explain 'network.allow_domains[*.example.com]' --policy compiled.json --runtime laptop",
    "tappass explain deny_paths --policy compiled.json --runtime laptop",
    "tappass explain --native 'Read(//etc/**)' --policy compiled.json --runtime laptop",
)
@click.argument("statement", required=False)
@click.option("--native", metavar="TEXT", help="A native line, or a part of one, instead of a statement.")
@plan_options
def explain(out: Out, *, statement: str | None, native: str | None, **named: Any) -> None:
    """Trace a statement to native lines, and back.

    STATEMENT is the id of one, as `policy show` and `coverage` print it, or a part of ids. With --native it
    is the other way round: which statements a line of a target's configuration stands for, and who said them.
    """
    if (statement is None) == (native is None):
        raise click.UsageError("name a statement, or give --native", click.get_current_context())
    plan = compile_plan(prepare(Request(**named)), refuse_gaps=False)
    if statement is not None:
        _forwards(out, plan, statement)
    else:
        _backwards(out, plan, str(native))


def _forwards(out: Out, plan: "Plan", text: str) -> None:
    from tappass_host.compiler.explain import explain_statement

    found = [e for name in _matching(plan, text) if (e := explain_statement(plan, name)) is not None]

    def show() -> None:
        for each in found[:_MOST]:
            _explanation(out, each)
        if len(found) > _MOST:
            out.note(f"and {len(found) - _MOST} more: give more of the id")

    out.result(lambda: {"statements": found}, show)


def _matching(plan: "Plan", text: str) -> list[str]:
    ids = [row.id for row in plan.coverage.statements] + [rewrite.statement for rewrite in plan.rewrites]
    if text in ids:
        return [text]
    found = sorted({name for name in ids if text in name})
    if not found:
        from difflib import get_close_matches

        near = get_close_matches(text, ids, n=1)
        remedy = f"did you mean {near[0]}?" if near else "tappass coverage --all lists all statements"
        raise PolicyError(f"no statement {text}", remedy=remedy)
    return found


def _explanation(out: Out, each: "Explanation") -> None:
    said = f"{each.provenance.level} {each.provenance.source}".strip() if each.provenance else ""
    out.status(each.verdict[:9], each.statement)
    out.table(
        _present(("said by", said), ("because", each.annotation.reason if each.annotation else "")), indent=2
    )
    for title, names in (("rewritten from", each.rewritten_from), ("rewritten to", each.rewritten_to)):
        if names:
            out.line(f"  {title} {', '.join(names)}")
    for line in each.lines:
        out.line(f"  {line.use}, {line.reach}: {line.verdict}{f' ({line.reason})' if line.reason else ''}")
        if line.locator:
            out.table([(line.artifact, line.text or line.locator)], indent=6)


def _backwards(out: Out, plan: "Plan", text: str) -> None:
    from tappass_host.compiler.explain import explain_native

    found = explain_native(plan, text)
    if not found:
        remedy = "give it as it stands in the rendered file, or a part of it"
        raise PolicyError(f"no native line holds {text!r}", remedy=remedy)

    def show() -> None:
        for each in found[:_MOST]:
            _origin(out, plan, each)
        if len(found) > _MOST:
            out.note(f"and {len(found) - _MOST} more: give more of the line")

    out.result(lambda: {"native": found}, show)


def _origin(out: Out, plan: "Plan", each: "Origin") -> None:
    out.line(f"{each.use}  {each.artifact}  {each.text or each.locator}", "bold")
    provenance = {key: said for use in plan.uses for key, said in use.policy.doc.provenance.items()}
    for name in each.statements:
        said = provenance.get(name)
        out.table([(name, f"{said.level} {said.source}".strip() if said else "")], indent=2)
    if each.hardening:
        out.line(f"  hardening: {each.hardening}")


def _present(*rows: tuple[str, str]) -> list[tuple[str, str]]:
    return [row for row in rows if row[1]]
