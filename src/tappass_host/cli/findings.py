"""Findings on the terminal: what is worth a look and no error."""

from collections.abc import Iterable

from tappass_host.cli.output import Out
from tappass_host.policy.finding import Finding


def show_findings(out: Out, findings: Iterable[Finding]) -> None:
    """List findings beside the answer."""
    for finding in findings:
        place = f"{finding.source}: " if finding.source else ""
        remedy = f" ({finding.remedy})" if finding.remedy else ""
        out.note(f"note      {place}{finding.message}{remedy}")
