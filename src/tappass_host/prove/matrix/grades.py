"""From verdicts of statements to one word for a cell."""

from collections.abc import Iterable
from typing import Final

from tappass_host.policy.statements import Statement
from tappass_host.prove.matrix.model import Grade, Tally
from tappass_host.sdk.claims import Verdict

BADNESS: Final[dict[Verdict, int]] = {"enforced": 0, "partial": 1, "unenforceable": 2}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts."""
    return max(verdicts, key=BADNESS.__getitem__)


def best(verdicts: Iterable[Verdict]) -> Verdict:
    """The best of some verdicts."""
    return min(verdicts, key=BADNESS.__getitem__)


def tally(verdicts: Iterable[Verdict]) -> Tally:
    """How many there are of each."""
    found = dict.fromkeys(BADNESS, 0)
    for verdict in verdicts:
        found[verdict] += 1
    return Tally(enforced=found["enforced"], partial=found["partial"], unenforceable=found["unenforceable"])


def tallies(verdicts: Iterable[tuple[Statement, Verdict]]) -> tuple[Tally, Tally]:
    """Restrictions, and grants."""
    pairs = list(verdicts)
    return (
        tally(verdict for statement, verdict in pairs if statement.polarity == "restrict"),
        tally(verdict for statement, verdict in pairs if statement.polarity == "grant"),
    )


def holds(found: Iterable[tuple[Statement, Verdict]]) -> bool:
    """Whether anything is held, on any surface and at least in part.

    A grant holds by itself wherever nothing is restricted: where there are restrictions, they decide.
    """
    pairs = list(found)
    deciding = [pair for pair in pairs if pair[0].polarity == "restrict"] or pairs
    return any(verdict != "unenforceable" for _, verdict in deciding)


def grade(restrictions: Tally, grants: Tally, *, held: bool) -> Grade:
    """One word for a cell; see `Grade`.

    Args:
        restrictions: verdicts of the statements that forbid, each the worst over its surfaces.
        grants: likewise of those that permit.
        held: see `holds`.
    """
    if not held:
        return "none"
    if restrictions.unenforceable:
        return "some"
    if restrictions.partial:
        return "part"
    if grants.enforced == grants.total:
        return "all"
    return "shut" if restrictions.total else "some"
