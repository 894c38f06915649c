"""The cells of one provider: claims about the reference policy, aspect by aspect."""

from collections.abc import Iterable
from typing import NamedTuple

from tappass_host.policy.effective import EffectivePolicy
from tappass_host.policy.model import ASPECTS
from tappass_host.policy.statements import Statement
from tappass_host.policy.surfaces import SURFACES, Surface
from tappass_host.prove.matrix.evidence import Evidence, cell_proof
from tappass_host.prove.matrix.grades import best, grade, holds, tallies, tally, worst
from tappass_host.prove.matrix.model import Cell, ClaimLine, Proof
from tappass_host.sdk.claims import Claim, Component, Denied, Requirement, Strength, Verdict
from tappass_host.sdk.contract import TargetConfig
from tappass_host.sdk.kit.compare import shown as spelled

ORDER = ("head", *ASPECTS, "extensions")


class Proven(NamedTuple):
    """A claim, the statement it is about, and how it is known."""

    claim: Claim
    statement: Statement
    proof: Proof


def cells(policy: EffectivePolicy, config: TargetConfig, evidence: Evidence) -> dict[str, Cell]:
    """Aspect -> cell, of the aspects that the provider speaks of, in the order of the policy."""
    found: dict[str, list[Proven]] = {}
    for claim in config.claims:
        statement = policy.by_id.get(claim.statement)
        if statement is not None:
            proven = Proven(claim, statement, evidence.claim(claim, statement))
            found.setdefault(statement.aspect, []).append(proven)
    return {aspect: _cell(found[aspect], evidence) for aspect in ORDER if aspect in found}


def _cell(claims: list[Proven], evidence: Evidence) -> Cell:
    there = places(claims)
    verdicts = {statement: worst(surfaces.values()) for statement, surfaces in there.items()}
    restrictions, grants = tallies(verdicts.items())
    shown = [each for each in claims if each.claim.verdict != "unenforceable"] or claims
    return Cell(
        verdict=worst(verdicts.values()),
        strength=_strength(each.claim for each in shown),
        surfaces=_surfaces(each.claim for each in shown),
        proof=cell_proof((each.claim, each.proof) for each in claims),
        grade=grade(restrictions, grants, held=holds((c.statement, c.claim.verdict) for c in claims)),
        restrictions=restrictions,
        grants=grants,
        places=tally(verdict for surfaces in there.values() for verdict in surfaces.values()),
        proven=len({s for claim, s, proof in claims if proof == "live" and verdicts[s] == "enforced"}),
        tried=evidence.tried({each.statement.field for each in claims}),
        claims=tuple(_line(each) for each in claims),
    )


def places(claims: Iterable[Proven]) -> dict[Statement, dict[Surface, Verdict]]:
    """For each statement, on each surface that anything is claimed about, the best claim."""
    found: dict[Statement, dict[Surface, Verdict]] = {}
    for claim, statement, _ in claims:
        there = found.setdefault(statement, {})
        for surface in claim.reach.surfaces:
            there[surface] = best((claim.verdict, there.get(surface, claim.verdict)))
    return found


def _strength(claims: Iterable[Claim]) -> Strength:
    return "cooperative" if any(c.reach.strength == "cooperative" for c in claims) else "compulsory"


def _surfaces(claims: Iterable[Claim]) -> tuple[Surface, ...]:
    there = {surface for claim in claims for surface in claim.reach.surfaces}
    return tuple(surface for surface in SURFACES if surface in there)


def _line(proven: Proven) -> ClaimLine:
    claim, statement, proof = proven
    evidence = claim.reach.evidence
    return ClaimLine(
        statement=claim.statement,
        polarity=statement.polarity,
        verdict=claim.verdict,
        strength=claim.reach.strength,
        surfaces=claim.reach.surfaces,
        reach=claim.reach.id,
        proof=proof,
        fidelity=claim.fidelity,
        reason=claim.reason or claim.reach.escape,
        requires=tuple(required(each) for each in claim.reach.requires),
        locators=claim.locators,
        url=evidence.url,
        date=evidence.date,
        versions=evidence.versions,
        probe=evidence.probe,
    )


def required(requirement: Requirement) -> str:
    """A requirement in words."""
    match requirement:
        case Component(id=name):
            return f"the service {name}"
        case Denied(action=action):
            return f"that {spelled(action)} is denied by another ring"
    return f"that the host answers {requirement.kind} {requirement.arg} with {requirement.answer}"
