"""The proof in README.md: a few rows of the recordings that ship, and what all of them add up to.

Nothing in it is typed by hand, so it cannot say more than a run on the real targets has shown.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from tappass_host.policy.actions import Action
from tappass_host.policy.decide import Decision
from tappass_host.policy.effect import Effect
from tappass_host.prove.cases import Case
from tappass_host.prove.outcome import Outcome, Row
from tappass_host.prove.record import Recorded, recordings
from tappass_host.prove.report import HEADINGS, line, summary
from tappass_host.prove.run import Report

README: Final = Path(__file__).resolve().parents[1] / "README.md"
BEGIN: Final = "<!-- proof: made by `make docs` from src/tappass_host/prove/recordings/, do not edit -->"
END: Final = "<!-- end of proof -->"
# Titles of cases that show one thing each, in the order to read them.
SHOWN: Final = (
    "Bash git --version",
    "Bash git push --version",
    "Bash bash -c 'curl --version'",
    "Bash cat ~/.aws/canary",
    "Read ~/.ssh/canary",
    "mv ./deploy ./deploy-moved",
    "echo $AWS_SECRET_ACCESS_KEY",
    "connect api.acme-demo.test:443",
    "connect gist.github.com:80",
    "import os",
    "loop for ever",
)


def page() -> str:
    """README.md with the proof of today's recordings."""
    head, begin, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md needs the two lines {BEGIN!r} and {END!r}")
    found = list(recordings())
    return f"{head}{BEGIN}\n\n" + "\n".join(_proof(found)) + f"\n\n{END}{tail}"


def _proof(found: list[Recorded]) -> Iterator[str]:
    rows = [_row(recorded, plain) for recorded in found for plain in recorded.rows]
    by_title = {row.case.title: row for row in rows}
    cells = [HEADINGS, *(line(by_title[title]).cells for title in SHOWN)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEADINGS))]
    yield "```text"
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield f"... and {len(rows) - len(SHOWN)} more rows"
    yield ""
    versions = {recorded.provider: recorded.target["version"] for recorded in found}
    # The plan is not part of the sum.
    yield f"PROVEN  {summary(Report(None, tuple(rows), (), versions))}"  # type: ignore[arg-type]
    yield "```"
    yield ""
    targets = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    where = "; ".join(sorted({_where(recorded) for recorded in found}))
    yield f"Recorded on {targets} ({where})."


def _where(recorded: Recorded) -> str:
    system = recorded.system
    return f"{system.os}, Linux {system.kernel.partition('-')[0]}, {recorded.recorded_at[:10]}"


def _row(recorded: Recorded, plain: dict[str, Any]) -> Row:
    actions = tuple(msgspec.convert(action, Action) for action in plain["actions"])
    return Row(
        target=recorded.provider,
        case=Case(plain["case"], plain["title"], plain["surface"], actions, ()),
        decision=Decision(Effect(plain["expected"]), plain["statement"], ""),
        outcome=Outcome(**plain["outcome"]),
        control=Outcome(**plain["control"]),
        claimed=plain["claimed"],
        provenance=plain["provenance"],
    )
