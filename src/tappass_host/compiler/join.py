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


class _Candidate(NamedTuple):
    """A claim on one place; the smallest is the best."""

    rank: int
    weaker: bool
    stricter: bool
    order: int
    reach: str
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
    judge = requirements or Requirements(system)
    strict = CLOSED_BY_COMPULSION.difference(accept_cooperative)
    found = _candidates(system, judge, strict)
    spots = tuple((use, surface) for use, member in system.members.items() for surface in member.brings)
    levels = _levels(system)
    rows = (
        _statement(
            system, statement, levels.get(statement.id, ""), spots, found.get(statement.id, {}), strict
        )
        for statement in _union(system)
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


def _candidates(
    system: System, judge: Requirements, strict: frozenset[str]
) -> dict[str, dict[Spot, _Candidate]]:
    """Statement -> place -> the best claim there."""
    found: dict[str, dict[Spot, _Candidate]] = {}
    for order, member in enumerate(system.members.values()):
        slots: dict[str, list[tuple[Spot, Standing]]] = {}
        for claim in member.claims:
            reach = claim.reach
            if reach.id not in slots:
                slots[reach.id] = _slots(system, judge, member, claim)
            best = found.setdefault(claim.statement, {})
            for spot, standing in slots[reach.id]:
                candidate = _candidate(order, member.id, claim, standing, strict)
                there = best.get(spot)
                if there is None or candidate[:6] < there[:6]:
                    best[spot] = candidate
    return found


def _slots(system: System, judge: Requirements, member: Member, claim: Claim) -> list[tuple[Spot, Standing]]:
    return [
        ((served, surface), judge.standing(member.id, claim.reach, served))
        for served in system.scope(member.id)
        for surface in claim.reach.surfaces
        if surface in system.members[served].brings
    ]


def _candidate(order: int, use: str, claim: Claim, standing: Standing, strict: frozenset[str]) -> _Candidate:
    rank = max(WORSE[claim.verdict], WORSE[standing.verdict])
    weaker = claim.reach.strength == "cooperative"
    if weaker and rank < WORSE["unenforceable"] and claim.statement.partition(".")[0] in strict:
        rank = WORSE["unenforceable"]
        # It closes nothing, but of several that close nothing it is the one worth reading about.
        weaker = False
    return _Candidate(rank, weaker, claim.fidelity == "stricter", order, claim.reach.id, use, claim, standing)


def _statement(
    system: System,
    statement: Statement,
    level: str,
    spots: tuple[Spot, ...],
    best: dict[Spot, _Candidate],
    strict: frozenset[str],
) -> StatementCoverage:
    surfaces = statement.surfaces
    closes = statement.aspect not in strict
    places = []
    for spot in spots:
        use, surface = spot
        if surface not in surfaces:
            continue
        candidate = best.get(spot)
        if candidate is not None:
            places.append(_place(use, surface, candidate, closes))
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
    worst = max(places, key=lambda p: (SEVERITY[p.verdict], p.verdict == "gap"))
    return worst.verdict


def _place(use: str, surface: Surface, found: _Candidate, closes: bool) -> Place:
    claim, standing = found.claim, found.standing
    reason = "; ".join(text for text in (claim.reason, standing.reason) if text)
    verdict: PlaceVerdict = max(claim.verdict, standing.verdict, key=lambda v: WORSE[v])
    if claim.reach.strength == "cooperative" and not closes and verdict not in OPEN:
        verdict = "gap"
        reason = "; ".join(text for text in (COOPERATIVE.format(found.by), reason) if text)
    evidence = claim.reach.evidence
    return Place(
        use=use,
        surface=surface,
        verdict=verdict,
        strength=claim.reach.strength,
        fidelity=claim.fidelity,
        by=found.by,
        reach=claim.reach.id,
        reason=reason,
        locators=claim.locators,
        url=evidence.url,
        date=evidence.date,
        probe=evidence.probe,
    )
