"""The sound join of claims to coverage.

A surface belongs to a use. A claim counts on the surfaces of its own use, of uses inside that, and of uses
that go through it if it is a service. On each place the best claim that holds counts; a statement is as good
as the worst of its places. A claim that needs the target's cooperation closes no gap of files, network,
processes or credentials unless the Runtime accepts that.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from tappass_host.compiler.coverage import (
    OPEN,
    SEVERITY,
    Coverage,
    Place,
    PlaceVerdict,
    StatementCoverage,
    StatementVerdict,
    ordered,
)
from tappass_host.compiler.requirements import WORSE, Requirements, Standing
from tappass_host.compiler.system import Member, System
from tappass_host.policy.statements import Statement
from tappass_host.policy.surfaces import Surface
from tappass_host.sdk.claims import Claim

# Held by the system around a process, or not held: what a process does to itself is no boundary.
CLOSED_BY_COMPULSION: Final = frozenset({"filesystem", "network", "process", "credentials"})
NOBODY: Final = "nobody speaks of it here"
COOPERATIVE: Final = "holds only while {} cooperates"

Spot = tuple[str, Surface]
# Smallest is best: rank, needs cooperation, forbids too much, order of the use, id of the reach.
_Key = tuple[int, bool, bool, int, str]


class _Slot(NamedTuple):
    """Where claims of one kind count: a place by its number, and how good they are there."""

    spot: int
    key: _Key
    standing: Standing


class _Best(NamedTuple):
    """The best claim on a place so far."""

    key: _Key
    by: str
    claim: Claim
    standing: Standing


def join(
    system: System,
    *,
    accept_cooperative: Iterable[str] = (),
    unmanaged: Iterable[str] = (),
    requirements: Requirements | None = None,
) -> Coverage:
    """Join the claims of all uses.

    Args:
        system: the rendered uses.
        accept_cooperative: aspects where a cooperative claim counts all the same.
        unmanaged: aspects of the signed policy that promise nothing.
        requirements: where requirements are judged; what they still ask is left in there.
    """
    strict = CLOSED_BY_COMPULSION.difference(accept_cooperative)
    spots = tuple((use, surface) for use, member in system.members.items() for surface in member.brings)
    found = _Candidates(system, requirements or Requirements(system), strict, spots).found()
    levels = _levels(system)
    nothing: list[_Best | None] = [None] * len(spots)
    rows = (
        _statement(system, s, levels.get(s.id, ""), spots=spots, best=found.get(s.id, nothing), strict=strict)
        for s in _union(system)
    )
    return Coverage(statements=ordered(rows), unmanaged=tuple(sorted(unmanaged)))


def _union(system: System) -> Iterable[Statement]:
    """The statements of all effective policies, each once."""
    found: dict[str, Statement] = {}
    for policy in {id(m.policy): m.policy for m in system.members.values()}.values():
        found.update(policy.by_id)
    return found.values()


def _levels(system: System) -> dict[str, str]:
    found: dict[str, str] = {}
    for member in system.members.values():
        found.update((key, said.level) for key, said in member.policy.doc.provenance.items())
    return found


class _Candidates:
    """The best claim for each statement on each place.

    Claims of one reach with one verdict count on the same places and are as good there, so that is worked out
    once for all of them.
    """

    def __init__(
        self, system: System, judge: Requirements, strict: frozenset[str], spots: tuple[Spot, ...]
    ) -> None:
        self.system, self.judge, self.strict = system, judge, strict
        self.numbers = {spot: number for number, spot in enumerate(spots)}

    def found(self) -> dict[str, list[_Best | None]]:
        """Statement -> the best claim for each number of a place."""
        found: dict[str, list[_Best | None]] = {}
        for order, member in enumerate(self.system.members.values()):
            known: dict[tuple[str, str, str, bool], list[_Slot]] = {}
            for claim in member.claims:
                closes = claim.statement.partition(".")[0] not in self.strict
                kind = (claim.reach.id, claim.verdict, claim.fidelity, closes)
                slots = known.get(kind)
                if slots is None:
                    slots = known[kind] = self._slots(order, member, claim, closes)
                best = found.get(claim.statement)
                if best is None:
                    best = found[claim.statement] = [None] * len(self.numbers)
                for number, key, standing in slots:
                    there = best[number]
                    if there is None or key < there[0]:
                        best[number] = _Best(key, member.id, claim, standing)
        return found

    def _slots(self, order: int, member: Member, claim: Claim, closes: bool) -> list[_Slot]:
        slots: list[_Slot] = []
        for served in self.system.scope(member.id):
            surfaces = [s for s in claim.reach.surfaces if (served, s) in self.numbers]
            if surfaces:
                standing = self.judge.standing(member.id, claim.reach, served)
                key = _key(order, claim, standing, closes=closes)
                slots += [_Slot(self.numbers[served, surface], key, standing) for surface in surfaces]
        return slots


def _key(order: int, claim: Claim, standing: Standing, *, closes: bool) -> _Key:
    rank = max(WORSE[claim.verdict], WORSE[standing.verdict])
    cooperative = claim.reach.strength == "cooperative"
    if cooperative and not closes and rank < WORSE["unenforceable"]:
        # It closes nothing, but of several that close nothing it is the one worth reading about.
        rank, cooperative = WORSE["unenforceable"], False
    return rank, cooperative, claim.fidelity == "stricter", order, claim.reach.id


def _statement(
    system: System,
    statement: Statement,
    level: str,
    *,
    spots: tuple[Spot, ...],
    best: list[_Best | None],
    strict: frozenset[str],
) -> StatementCoverage:
    surfaces = statement.surfaces
    closes = statement.aspect not in strict
    places = []
    for (use, surface), found in zip(spots, best, strict=True):
        if surface not in surfaces:
            continue
        if found is not None:
            places.append(_place(use, surface, found, closes))
        elif statement.id in system.members[use].policy.by_id:
            places.append(Place(use=use, surface=surface, verdict="gap", reason=NOBODY))
    return StatementCoverage(
        id=statement.id,
        verdict=_worst(places),
        aspect=statement.aspect,
        polarity=statement.polarity,
        level=level,
        places=tuple(places),
    )


def _worst(places: list[Place]) -> StatementVerdict:
    if not places:
        return "vacuous"
    found = {place.verdict for place in places}
    return max(found, key=lambda verdict: (SEVERITY[verdict], verdict == "gap"))


def _place(use: str, surface: Surface, found: _Best, closes: bool) -> Place:
    _, by, claim, standing = found
    reason = claim.reason or standing.reason
    if claim.reason and standing.reason:
        reason = f"{claim.reason}; {standing.reason}"
    verdict: PlaceVerdict = claim.verdict
    if WORSE[standing.verdict] > WORSE[claim.verdict]:
        verdict = standing.verdict
    if claim.reach.strength == "cooperative" and not closes and verdict not in OPEN:
        verdict = "gap"
        reason = COOPERATIVE.format(by) + (f"; {reason}" if reason else "")
    evidence = claim.reach.evidence
    return Place(
        use=use,
        surface=surface,
        verdict=verdict,
        strength=claim.reach.strength,
        fidelity=claim.fidelity,
        by=by,
        reach=claim.reach.id,
        reason=reason,
        locators=claim.locators,
        url=evidence.url,
        date=evidence.date,
        probe=evidence.probe,
    )
