"""`tappass prove`: the rendered policy tried on the real targets of this machine."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tappass_host.cli.clock import now
from tappass_host.cli.errors import FINDINGS
from tappass_host.cli.locks import lock_for
from tappass_host.cli.output import Out
from tappass_host.cli.planning import check_envelope
from tappass_host.cli.policies import load_policy
from tappass_host.cli.registered import Registered
from tappass_host.cli.runtimes import only_runtime, runtime_of
from tappass_host.cli.tree import verb
from tappass_host.policy.errors import MissingTargetError

if TYPE_CHECKING:
    from tappass_host.prove.outcome import Row
    from tappass_host.prove.run import Report
    from tappass_host.prove.targets import Catalogue


@verb(
    "prove",
    "tappass prove --policy policy.dsse.json --runtime laptop",
    "tappass prove --policy policy.dsse.json --only bubblewrap --all",
    "tappass prove --policy policy.dsse.json --record recordings/ --by ops@example.com",
)
@click.option(
    "--policy", required=True, metavar="FILE", help="A Compiled Policy, or an envelope: then verified."
)
@click.option(
    "--runtime", metavar="NAME|FILE|LIST", help="The Runtime; default: the one that the policy lists."
)
@click.option("--only", multiple=True, metavar="PROVIDER", help="Try only this target. Repeat it.")
@click.option(
    "--dir", "folder", metavar="FOLDER", help="Where to build the small world; default: a new folder."
)
@click.option("--record", metavar="FOLDER", help="Write recordings there, one for each target.")
@click.option("--by", default="", metavar="WHO", help="Who ran it, for the recording.")
@click.option("--all", "everything", is_flag=True, help="Show every row, not only a selection.")
@click.option("--lock", metavar="FILE", help="Refuse providers that differ from it.")
@click.option("--root", metavar="FILE", help="Root that an envelope is verified by, instead of the one here.")
def prove(out: Out, **named: Any) -> int:
    """Try the rendered policy on the real targets, and compare every verdict with what the policy says.

    The policy is bound to a small world below one folder, rendered for it, and every case is tried twice,
    under what was rendered and without it. Nothing outside the folder is written. Exit code 0 only if every
    claim held; 4 if none of the targets is on this machine.
    """
    from tappass_host.prove import run as proving

    document = load_policy(named["policy"])
    runtime = runtime_of(named["runtime"]) if named["runtime"] else only_runtime(document.policy)
    if document.form == "envelope":
        check_envelope(document, runtime, named["root"])
    providers = Registered(lock_for(named["lock"], document.policy.org_id))
    catalogue = _catalogue()
    with _world(named["folder"]) as root, out.progress("prove", len(runtime.recipe.uses)) as progress:
        report = proving.prove(
            document.policy,
            runtime.recipe,
            providers,
            root=Path(root),
            catalogue=catalogue,
            policy_digest=document.digest,
            only=named["only"],
            progress=progress.announce,
        )
    written = _record(report, providers, catalogue, folder=named["record"], by=named["by"])
    if not report.rows:
        raise _nothing(report)
    out.result(
        lambda: {**_document(report), "recordings": written},
        lambda: _text(out, report, written, everything=named["everything"]),
    )
    return FINDINGS if report.wrong else 0


def _catalogue() -> "Catalogue":
    from tappass_host.prove.targets import Catalogue

    return Catalogue.load()


def _world(folder: str | None) -> Any:
    from contextlib import nullcontext
    from tempfile import TemporaryDirectory

    if folder is None:
        # Not below /tmp: a policy may grant that, and then nothing there is outside.
        return TemporaryDirectory(prefix="tappass-proof-", dir="/var/tmp")
    Path(folder).mkdir(parents=True, exist_ok=True)
    return nullcontext(Path(folder))


def _nothing(report: "Report") -> MissingTargetError:
    why = "; ".join(f"{s.provider}: {s.reason}" for s in report.skipped) or "no target of it can be tried"
    remedy = next((s.remedy for s in report.skipped if s.remedy), "tappass provider list shows what there is")
    return MissingTargetError(f"nothing was proven: {why}", remedy=remedy)


def _record(
    report: "Report", providers: Mapping[str, Any], catalogue: "Catalogue", *, folder: str | None, by: str
) -> list[str]:
    if folder is None:
        return []
    from tappass_host.policy.times import format_instant
    from tappass_host.prove.record import record, write
    from tappass_host.prove.targets import Located

    written = []
    for use in report.plan.uses:
        found = catalogue.locate(use.provider) if use.provider in report.versions else None
        if isinstance(found, Located) and any(row.target == use.provider for row in report.rows):
            at = format_instant(now())
            made = record(report, use, providers[use.provider], found, recorded_at=at, by=by)
            written.append(str(write(made, Path(folder), report.plan.runtime)))
    return written


def _document(report: "Report") -> dict[str, Any]:
    from tappass_host.prove.report import document

    return document(report)


def _text(out: Out, report: "Report", written: Iterable[str], *, everything: bool) -> None:
    from tappass_host.prove.report import HEADINGS, line, summary

    shown = report.rows if everything else _selection(report)
    out.table([line(row).cells for row in shown], HEADINGS)
    if len(shown) < len(report.rows):
        out.line(f"... and {len(report.rows) - len(shown)} more rows: --all", "dim")
    out.line()
    for skipped in report.skipped:
        out.status("SKIPPED", f"{skipped.provider}: {skipped.reason}. {skipped.remedy}".strip())
    for row in report.wrong:
        out.status("WRONG", f"{row.target}: {row.case.title}: {row.decision.statement}: {row.outcome.text}")
    for row in report.declared:
        out.status("DECLARED", f"{row.target}: {row.case.title}: {row.decision.statement} is not held here")
    out.status("PROVEN" if not report.wrong else "REFUTED", summary(report))
    for path in written:
        out.note(f"recorded  {path}")


def _selection(report: "Report") -> "list[Row]":
    """One row of each kind of attempt, verdict and stopper, and everything that is wrong."""
    seen: set[tuple[str, ...]] = set()
    chosen = []
    for row in report.rows:
        kind = (
            " ".join(row.case.title.split(" ")[:2]) if row.case.attempt[0] == "tool" else row.case.attempt[0]
        )
        key = (row.target, str(row.decision.effect), row.outcome.by, kind, row.case.id.split("/")[1])
        if key not in seen or row in report.wrong:
            chosen.append(row)
        seen.add(key)
    return chosen
