"""`tappass policy compile`: authored levels to one Compiled Policy."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tappass_host.cli.authored import Sources, gather
from tappass_host.cli.clock import INSTANT, SPAN, issue_time
from tappass_host.cli.errors import FINDINGS
from tappass_host.cli.files import read, write
from tappass_host.cli.findings import show_findings
from tappass_host.cli.issue import encode, same_content
from tappass_host.cli.output import Out
from tappass_host.cli.policies import Document, describe, load_policy, title
from tappass_host.cli.runtimes import runtime_of
from tappass_host.cli.tree import verb
from tappass_host.policy.finding import Finding
from tappass_host.policy.lint import lint
from tappass_host.policy.times import format_instant

if TYPE_CHECKING:
    from tappass_host.policy.cascade import Composed, Head
    from tappass_host.policy.catalogue import Catalogue


@verb(
    "compile",
    "tappass policy compile",
    "tappass policy compile sandbox.yaml --out compiled.json",
    "tappass policy compile org.yaml agent.yaml --runtime laptop --expires-in 30d --out compiled.json",
)
@click.argument("paths", metavar="[FILE|FOLDER]...", nargs=-1)
@click.option(
    "--out", "-o", "target", metavar="FILE", help="Write the policy there; default: standard output."
)
@click.option(
    "--runtime", "runtimes", multiple=True, metavar="NAME|FILE", help="A Runtime that it is for. Repeat it."
)
@click.option(
    "--expires-in", type=SPAN, metavar="SPAN", help="How long it lasts; default: the sandbox file's, or 90d."
)
@click.option("--not-before", type=INSTANT, metavar="INSTANT", help="When it begins; default: now.")
@click.option("--apply-by", type=SPAN, metavar="SPAN", help="How soon every host must have it in force.")
@click.option(
    "--policy-version",
    type=click.IntRange(1, 2**53 - 1),
    help="Its version; default: one more than in --out, or 1.",
)
@click.option("--strict", is_flag=True, help="End with exit code 1 if there are findings.")
def compile_(
    out: Out,
    *,
    paths: tuple[str, ...],
    target: str | None,
    runtimes: tuple[str, ...],
    expires_in: int | None,
    not_before: int | None,
    apply_by: int | None,
    policy_version: int | None,
    strict: bool,
) -> int:
    """Put org, project and agent levels together to one Compiled Policy.

    A level below may only narrow: whatever it says more loosely is refused, with rule, level and line.
    Without FILE it takes sandbox.yaml here, which names the levels, the Runtimes and the audience. If only
    the version and the times would change, the policy in --out stays as it is.
    """
    sources = gather(paths)
    sources = sources._replace(runtimes=(*sources.runtimes, *(runtime_of(name) for name in runtimes)))
    before = load_policy(target) if target and Path(target).exists() else None
    start = issue_time() if not_before is None else not_before
    head = _head(
        sources,
        version=policy_version or (before.policy.version + 1 if before else 1),
        start=start,
        end=start + (expires_in or sources.expires_in),
        apply_by=None if apply_by is None else start + apply_by,
    )
    composed = _compose(sources, head)
    kept = before is not None and policy_version is None and same_content(before.policy, composed.policy)
    document = before if kept and before else Document("compiled", target or "", encode(composed.policy))
    if target and not kept:
        write(target, document.payload)
    findings = (*composed.findings, *lint(composed.policy))
    _say(out, document, findings, target, kept=kept)
    return FINDINGS if strict and findings else 0


def _compose(sources: Sources, head: "Head") -> "Composed":
    from tappass_host.policy.cascade import compose

    return compose(sources.levels, head=head, catalogue=_catalogue(sources.catalogue))


def _catalogue(file: str) -> "Catalogue":
    from tappass_host.policy.catalogue import load_catalogue, shipped_catalogue

    return load_catalogue(read(file), source=file) if file else shipped_catalogue()


def _head(sources: Sources, *, version: int, start: int, end: int, apply_by: int | None) -> "Head":
    from tappass_host.policy.cascade import Head

    return Head(
        version=version,
        issued_at=format_instant(issue_time()),
        not_before=format_instant(start),
        expires_at=format_instant(end),
        apply_by=None if apply_by is None else format_instant(apply_by),
        audience=sources.sandbox.audience,
        runtimes={runtime.recipe.name: runtime.digest for runtime in sources.runtimes},
    )


def _say(
    out: Out, document: Document, findings: Sequence[Finding], target: str | None, *, kept: bool
) -> None:
    if target is None and not out.as_json:
        out.raw(document.payload)
        show_findings(out, findings)
        return
    from tappass_host.policy.statements import statements

    count = len(statements(document.policy))

    def text() -> None:
        chain = "+".join(link.partition(":")[0] for link in document.policy.chain)
        out.status("policy", f"{title(document.policy)} from {chain}, {count} statements", "ok")
        out.status("unchanged" if kept else "written", f"{target}, expires {document.policy.expires_at}")
        show_findings(out, findings)

    def answer() -> object:
        return {
            **describe(document),
            "source": target or "",
            "statements": count,
            "unchanged": kept,
            "findings": [finding._asdict() for finding in findings],
            **({} if target else {"policy": document.json}),
        }

    out.result(answer, text)
