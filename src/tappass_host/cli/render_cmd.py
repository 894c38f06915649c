"""`tappass render`: a policy as the targets' own configuration, in a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tappass_host.cli.errors import FINDINGS
from tappass_host.cli.output import Out
from tappass_host.cli.planning import Ground, Request, compile_plan, plan_options, prepare
from tappass_host.cli.policies import describe, title
from tappass_host.cli.rendered import PLAN_FILE, File, differences, files_of, write_files
from tappass_host.cli.tree import verb

if TYPE_CHECKING:
    from tappass_host.compiler.plan import Plan


@verb(
    "render",
    "tappass render --policy compiled.json --runtime laptop --out out/",
    "tappass render --policy policy.dsse.json --param workspace=/srv/checkout --out out/",
    "tappass render --policy compiled.json --out out/ --diff",
    "tappass render --policy compiled.json --facts none --target claude-code=2.1.330 --out image/",
)
@plan_options
@click.option(
    "--out",
    "-o",
    "target",
    required=True,
    metavar="FOLDER",
    help="Write the files there, by root and path, and plan.json.",
)
@click.option("--diff", is_flag=True, help="Only compare with what is in --out; exit code 1 if it differs.")
@click.option("--allow-gaps", is_flag=True, help="Render even what the Runtime's on_gap would refuse.")
def render(out: Out, *, target: str, diff: bool, allow_gaps: bool, **named: Any) -> int:
    """Turn a policy into the targets' own configuration.

    The policy may be a Compiled Policy or an envelope, which is verified first; hosts take only envelopes.
    Files lie in the folder by logical root and path (etc/, home/, state/, ...), with plan.json beside them.
    On any error nothing is written.
    """
    ground = prepare(Request(**named))
    plan = compile_plan(ground, refuse_gaps=not allow_gaps)
    files, folder = files_of(plan), Path(target)
    if diff:
        return _compare(out, folder, files)
    write_files(folder, files)
    out.result(lambda: _answer(ground, plan, folder, files), lambda: _text(out, ground, plan, folder, files))
    return 0


def _compare(out: Out, folder: Path, files: Mapping[str, File]) -> int:
    found = list(differences(folder, files))

    def text() -> None:
        for name, lines in found:
            # The plan names everything that changes anywhere: the files say it better.
            for line in lines if name != PLAN_FILE else ():
                out.line(line, *_DIFF_STYLES.get(line[:1], ()))
            if name == PLAN_FILE:
                out.line(f"{PLAN_FILE} differs")
        if not found:
            out.status("render", f"{folder} is up to date", "ok")

    out.result(lambda: {"folder": str(folder), "changed": [name for name, _ in found]}, text)
    return FINDINGS if found else 0


_SHOWN = 3
_DIFF_STYLES = {"+": ("green",), "-": ("red",), "@": ("cyan",)}


def _answer(ground: Ground, plan: "Plan", folder: Path, files: Mapping[str, File]) -> object:
    return {
        "policy": describe(ground.document),
        "runtime": {"name": plan.runtime, "digest": plan.runtime_digest},
        "folder": str(folder),
        "files": list(files),
        "digest": plan.digest,
        "coverage": plan.coverage.counts(),
        "open": [row.id for row in plan.coverage.open()],
        "asked": plan.asked,
        "rewrites": [rewrite._asdict() for rewrite in plan.rewrites],
        "warnings": plan.warnings,
    }


def _text(out: Out, ground: Ground, plan: "Plan", folder: Path, files: Mapping[str, File]) -> None:
    document = ground.document
    form = "an envelope, verified" if document.form == "envelope" else "a Compiled Policy, not signed"
    out.status("policy", f"{title(document.policy)}, {form}", "ok")
    targets = ", ".join(f"{use.provider} {use.target.version}".strip() for use in plan.uses)
    out.status("render", f"{targets} -> {len(files)} files in {folder}", "ok")
    counts = plan.coverage.counts()
    total = sum(counts.values())
    open_ = len(plan.coverage.open())
    out.status(
        "coverage",
        f"{total} statements, {open_} open, {counts['partial']} partial, {counts['enforced']} enforced",
    )
    for name in files:
        out.line(f"          {name}", "dim")
    for rewrite in plan.rewrites:
        out.note(f"stricter  {rewrite.statement} -> {', '.join(rewrite.by)}")
    for warning in plan.warnings:
        out.note(f"warning   {warning}")
    for asked in plan.asked[:_SHOWN]:
        out.note(f"asked     {asked.use}: {asked.kind} {asked.arg}")
    if len(plan.asked) > _SHOWN:
        out.note(f"asked     and {len(plan.asked) - _SHOWN} more questions, all of them in {PLAN_FILE}")
    if ground.runtime.digest not in document.policy.runtimes.values():
        out.note(f"warning   no host will take it: the policy does not list Runtime {ground.runtime.digest}")
    if not plan.final:
        out.note("draft     not judged: gaps allowed, or questions about the host are open")
