"""Recordings of one provider as they read today, and what they prove of its claims.

A claim is `live` if a recording that is not stale holds a row which the same field of the policy decided, on
a surface of the claim, and which came out as the policy says while its control succeeded: denied by this
target (or by a service it goes through) for a restriction, permitted for a grant. A place of a target (reach)
is live if one of its claims is; without a probe there is nothing but the vendor's word: `documented`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from tappass_host.policy.errors import TappassError
from tappass_host.policy.statements import Statement
from tappass_host.policy.surfaces import SURFACES, Surface
from tappass_host.prove.matrix.model import Attempt, Proof, Recording
from tappass_host.prove.record import Checked, Recorded, check, policy_of
from tappass_host.sdk.claims import Claim

# Weakest first. A cell is as good as the weakest place that holds something in it, and something that went
# stale is to be seen; a place is as good as the best that was ever seen of it.
_OF_CELL: Final[tuple[Proof, ...]] = ("stale", "documented", "accepted", "loaded", "live")
_OF_PLACE: Final[tuple[Proof, ...]] = ("documented", "accepted", "loaded", "stale", "live")


class Fact(NamedTuple):
    """One row of a recording that shows something: it agreed, and its control succeeded."""

    field: str
    surfaces: frozenset[str]
    denied: bool
    claimed: bool
    state: Proof


class Evidence:
    """What was recorded about one provider.

    Args:
        checked: its recordings, judged again today.
        version: of the target that the matrix is about; recordings of others are shown and not counted.
    """

    def __init__(self, checked: Sequence[Checked], version: str) -> None:
        self.recordings = tuple(_recording(each, version) for each in checked)
        self.facts = tuple(
            fact
            for each, shown in zip(checked, self.recordings, strict=True)
            if shown.counted or each.state == "stale"
            for fact in _facts(each)
        )

    def claim(self, claim: Claim, statement: Statement) -> Proof:
        """How one claim is known."""
        if claim.verdict == "unenforceable" or not claim.reach.evidence.probe:
            return "documented"
        states = [fact.state for fact in self._about(statement.field) if _shows(fact, claim, statement)]
        return max(states, key=_OF_PLACE.index, default="documented")

    def tried(self, fields: Iterable[str]) -> tuple[Surface, ...]:
        """Surfaces on which the target was driven about some fields."""
        driven = {s for field in fields for fact in self._about(field) for s in fact.surfaces}
        return tuple(surface for surface in SURFACES if surface in driven)

    def _about(self, field: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.field == field]


def cell_proof(claims: Iterable[tuple[Claim, Proof]]) -> Proof:
    """How a cell is known: each place that enforces something at its best, and of those the weakest."""
    made = list(claims)
    held = [pair for pair in made if pair[0].verdict == "enforced"]
    held = held or [pair for pair in made if pair[0].verdict == "partial"]
    places: dict[str, list[Proof]] = {}
    for claim, proof in held:
        places.setdefault(claim.reach.id, []).append(proof)
    known = [max(proofs, key=_OF_PLACE.index) for proofs in places.values()]
    return min(known, key=_OF_CELL.index, default="documented")


def newest_first(checked: Iterable[Checked]) -> list[Checked]:
    """Those that are live, and of them the newest, before the others."""
    return sorted(checked, key=lambda each: (each.state == "live", each.recorded.recorded_at), reverse=True)


def version_of(checked: Sequence[Checked], default: str) -> str:
    """The version of the target that the newest live proof is about; the provider's own newest without any.

    Args:
        checked: newest first.
        default: the provider's own newest.
    """
    live = [each.recorded for each in checked if each.state == "live"]
    return live[0].target.get("version", default) if live else default


def judged(recorded: Recorded, provider: Any) -> Checked:
    """Check a recording against what is rendered today; one that cannot be judged any more is stale."""
    try:
        return check(recorded, provider)
    except (TappassError, msgspec.ValidationError, KeyError) as error:
        why = error.message if isinstance(error, TappassError) else str(error)
        return Checked(recorded=recorded, state="stale", reasons=(f"it cannot be judged today: {why}",))


def _recording(checked: Checked, version: str) -> Recording:
    recorded = checked.recorded
    target_version = recorded.target.get("version", "")
    fields = _fields(recorded)
    return Recording(
        target=recorded.target.get("id", recorded.provider),
        target_version=target_version,
        recorded_at=recorded.recorded_at,
        by=recorded.by,
        platform=msgspec.to_builtins(recorded.system),
        state=checked.state,
        counted=checked.state == "live" and target_version == version,
        reasons=checked.reasons,
        seal=recorded.seal,
        transcript=tuple(_attempt(row, fields) for row in recorded.rows),
    )


def _facts(checked: Checked) -> Iterable[Fact]:
    recorded = checked.recorded
    fields = _fields(recorded)
    # What an enclosing target stopped says nothing of this one; a service it goes through is part of it.
    own = {"", recorded.provider, *recorded.capabilities.get("offers", {})}
    for row in recorded.rows:
        if row["agrees"] and row["outcome"]["by"] in own:
            denied = row["outcome"]["status"] != "ran"
            field = _field(row["statement"], fields)
            yield Fact(field, _surfaces(row), denied, row["claimed"], checked.state)


def _shows(fact: Fact, claim: Claim, statement: Statement) -> bool:
    restricts = statement.polarity == "restrict"
    on = fact.surfaces.intersection(claim.reach.surfaces)
    return bool(on) and fact.denied == restricts and (fact.claimed or claim.verdict == "partial")


def _fields(recorded: Recorded) -> Mapping[str, str]:
    return {statement.id: statement.field for statement in policy_of(recorded).statements}


def _field(statement: str, fields: Mapping[str, str]) -> str:
    return fields.get(statement, statement.partition("[")[0])


def _surfaces(row: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(
        {row["surface"], *(action["surface"] for action in row["actions"] if "surface" in action)}
    )


def _attempt(row: Mapping[str, Any], fields: Mapping[str, str]) -> Attempt:
    outcome, control = row["outcome"], row["control"]
    return Attempt(
        action=row["title"],
        surface=row["surface"],
        aspect=_field(row["statement"], fields).partition(".")[0],
        statement=row["statement"],
        says=row["expected"],
        without=control["status"],
        outcome=outcome["status"],
        agrees=row["agrees"],
        where=row["provenance"],
        by=outcome["by"],
        text=outcome["text"],
        declared=not row["claimed"],
    )
