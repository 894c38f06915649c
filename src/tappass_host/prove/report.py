"""A proof as data and as words: rows, what they add up to, and what was not tried."""

from typing import Any, Final, NamedTuple

import msgspec

from tappass_host.prove.outcome import Outcome, Row
from tappass_host.prove.run import Report

SCHEMA: Final = "tappass.proof/v1"
HEADINGS: Final = ("action", "policy says", "without policy", "with policy", "stopped by")
# What a status is called in a table, without and with a policy around it.
_WORDS: Final = {
    "ran": "ran",
    "blocked": "BLOCKED",
    "asked": "ASKED",
    "failed": "failed",
    "timeout": "timed out",
}


class Line(NamedTuple):
    """One row for people: the cells of `HEADINGS`, and whether it is as it should be."""

    cells: tuple[str, ...]
    good: bool
    declared: bool


def line(row: Row) -> Line:
    """One row in words."""
    says = f"{row.decision.effect:<5} {place(row)}".strip()
    cells = (
        row.case.title,
        says,
        _word(row.control),
        _word(row.outcome),
        row.outcome.by or "-",
    )
    return Line(cells, row.agrees and row.controlled, not row.claimed)


def place(row: Row) -> str:
    """Level and line of the statement that decides, short: `org:41`."""
    level, _, source = row.provenance.partition(" ")
    # The file may begin with `preset:`.
    number = source.rsplit(":", 2)[1] if source.count(":") >= 2 else ""  # noqa: PLR2004 - file:line:column
    return f"{level}:{number}" if number else level


def _word(outcome: Outcome) -> str:
    return _WORDS[outcome.status]


def summary(report: Report) -> str:
    """The line that says whether the claims held."""
    tried = len(report.proven) + len(report.wrong)
    targets = len({row.target for row in report.rows})
    of = targets + len(report.skipped)
    denied = sum(row.outcome.status != "ran" for row in report.proven)
    controls = sum(row.controlled for row in report.rows)
    return (
        f"{len(report.proven)} of {tried} verdicts equal the policy, live on {targets} of {of} targets "
        f"({denied} denied, {len(report.proven) - denied} permitted, controls {controls}/{len(report.rows)})"
    )


def document(report: Report) -> dict[str, Any]:
    """The whole proof as plain JSON values."""
    return {
        "schema": SCHEMA,
        "plan": report.plan.digest,
        "policy": {"version": report.plan.policy_version, "digest": report.plan.policy_digest},
        "targets": dict(report.versions),
        "proven": len(report.proven),
        "wrong": len(report.wrong),
        "declared": len(report.declared),
        "skipped": [skipped._asdict() for skipped in report.skipped],
        "rows": [row_document(row) for row in report.rows],
    }


def row_document(row: Row) -> dict[str, Any]:
    """One row as plain JSON values."""
    return {
        "target": row.target,
        "case": row.case.id,
        "title": row.case.title,
        "surface": row.case.surface,
        "actions": msgspec.to_builtins(row.case.actions),
        "expected": str(row.decision.effect),
        "statement": row.decision.statement,
        "provenance": row.provenance,
        "claimed": row.claimed,
        "outcome": row.outcome._asdict(),
        "control": row.control._asdict(),
        "agrees": row.agrees and row.controlled,
    }
