"""The cells: one for each provider and aspect that it speaks of."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from tappass_host.policy.errors import TappassError
from tappass_host.policy.model import ASPECTS
from tappass_host.policy.surfaces import SURFACES, Surface
from tappass_host.sdk.claims import Claim, Verdict

if TYPE_CHECKING:
    from tappass_host.prove.record import Checked
    from tappass_host.registry import LoadedProvider
    from tappass_host.sdk.contract import TargetConfig

Proof = Literal["live", "loaded", "accepted", "documented", "stale", "preview"]
REFERENCE: Final = "full"


class Cell(NamedTuple):
    """What a provider holds of one aspect.

    Attributes:
        verdict: `enforced` if all of it is, `unenforceable` if none of it is, else `partial`.
        strength: `compulsory` if whatever holds is; empty where nothing does.
        surfaces: where something holds.
        proof: how that is known.
        claims: statement, verdict, reason and evidence, for whoever looks closer.
        rows: what was tried on the real target about it.
    """

    verdict: Verdict
    strength: str
    surfaces: tuple[Surface, ...]
    proof: Proof
    claims: tuple[dict[str, Any], ...] = ()
    rows: tuple[dict[str, Any], ...] = ()


class Row(NamedTuple):
    """One provider."""

    id: str
    aliases: tuple[str, ...]
    position: str
    target: str
    provider_version: str
    target_version: str
    proof: Proof
    effects: Mapping[str, str]
    cells: Mapping[str, Cell]
    note: str = ""


def row_of(provider: "LoadedProvider", checked: "Sequence[Checked]") -> Row:
    """The row of one provider.

    Args:
        provider: loaded.
        checked: its recordings, as they read today.
    """
    from tappass_host.sdk.kit.reference import reference
    from tappass_host.sdk.kit.subject import settle
    from tappass_host.sdk.kit.targets import default_target

    info = provider.info
    target, config = settle(provider.render, reference(REFERENCE), default_target(info))
    proof = _proof(info.preview, checked)
    best = max(checked, key=lambda c: (c.state == "live", c.recorded.recorded_at), default=None)
    return Row(
        id=info.id,
        aliases=info.aliases,
        position=info.position,
        target=info.target,
        provider_version=info.version,
        target_version=best.recorded.target["version"] if best else target.version,
        proof=proof,
        effects=info.effects,
        cells=_cells(config, proof, checked),
        note=_note(best),
    )


def _proof(preview: bool, checked: "Sequence[Checked]") -> Proof:
    if preview:
        return "preview"
    states = {each.state for each in checked}
    return "live" if "live" in states else "stale" if "stale" in states else "documented"


def _note(best: "Checked | None") -> str:
    if best is None:
        return ""
    recorded = best.recorded
    by = f" by {recorded.by}" if recorded.by else ""
    why = f"; stale: {best.reasons[0]}" if best.reasons else ""
    on = f"{recorded.system.os}, kernel {recorded.system.kernel}, {recorded.system.arch}"
    return f"{recorded.target['id']} {recorded.target['version']}, {recorded.recorded_at}{by}, {on}{why}"


def _cells(config: "TargetConfig", proof: Proof, checked: "Sequence[Checked]") -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    for aspect in ASPECTS:
        claims = [claim for claim in config.claims if claim.statement.startswith(f"{aspect}.")]
        if claims:
            found[aspect] = _cell(claims, proof, [row for row in _rows(checked) if _about(row, aspect)])
    return found


def _cell(claims: list[Claim], proof: Proof, rows: list[dict[str, Any]]) -> Cell:
    holding = [claim for claim in claims if claim.verdict != "unenforceable"]
    surfaces = {surface for claim in holding for surface in claim.reach.surfaces}
    strengths = {claim.reach.strength for claim in holding}
    return Cell(
        verdict=verdict_of(claim.verdict for claim in claims),
        strength="" if not holding else "compulsory" if strengths == {"compulsory"} else "cooperative",
        surfaces=tuple(surface for surface in SURFACES if surface in surfaces),
        proof=_cell_proof(proof, rows),
        claims=tuple(_claim(claim) for claim in claims),
        rows=tuple(rows),
    )


def verdict_of(verdicts: Iterable[str]) -> Verdict:
    """Many verdicts in one word: all, none, or some of it."""
    found = set(verdicts)
    if found == {"enforced"}:
        return "enforced"
    return "unenforceable" if not found & {"enforced", "partial"} else "partial"


def _cell_proof(proof: Proof, rows: list[dict[str, Any]]) -> Proof:
    """A provider that is live somewhere is live only in what was really tried."""
    if proof not in ("live", "stale"):
        return proof
    return proof if any(row["agrees"] for row in rows) else "documented"


def _rows(checked: "Sequence[Checked]") -> list[dict[str, Any]]:
    live = [each for each in checked if each.state == "live"] or list(checked)
    return [row for each in live for row in each.recorded.rows]


def _about(row: Mapping[str, Any], aspect: str) -> bool:
    return str(row["statement"]).startswith(f"{aspect}.")


def _claim(claim: Claim) -> dict[str, Any]:
    evidence = claim.reach.evidence
    return {
        "statement": claim.statement,
        "verdict": claim.verdict,
        "fidelity": claim.fidelity,
        "strength": claim.reach.strength,
        "surfaces": claim.reach.surfaces,
        "reach": claim.reach.id,
        "reason": claim.reason,
        "url": evidence.url,
        "date": evidence.date,
        "probe": evidence.probe,
    }


def rows_of(
    providers: "Iterable[LoadedProvider]", checked: "Mapping[str, Sequence[Checked]]"
) -> tuple[tuple[Row, ...], dict[str, str]]:
    """All rows, sorted by position and id; and for providers that do not render, why."""
    found, failed = [], {}
    for provider in providers:
        try:
            found.append(row_of(provider, checked.get(provider.id, ())))
        except TappassError as error:
            failed[provider.id] = error.message
    return tuple(sorted(found, key=lambda row: (row.position, row.id))), failed


def document(rows: Iterable[Row]) -> dict[str, Any]:
    """The matrix as JSON."""
    return {"providers": [_document(row) for row in rows]}


def _document(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "aliases": row.aliases,
        "position": row.position,
        "target": row.target,
        "provider_version": row.provider_version,
        "target_version": row.target_version,
        "proof": row.proof,
        "effects": row.effects,
        "aspects": {aspect: _cell_document(cell) for aspect, cell in row.cells.items()},
    }


def _cell_document(cell: Cell) -> dict[str, Any]:
    return {
        "verdict": cell.verdict,
        "strength": cell.strength or None,
        "surfaces": cell.surfaces,
        "proof": cell.proof,
    }


def checked_recordings(
    providers: "Mapping[str, LoadedProvider]", wanted: Iterable[str]
) -> "dict[str, list[Checked]]":
    """The shipped recordings of some providers, judged again today. One that cannot be judged is stale."""
    from tappass_host.prove.record import Checked, check, recordings

    names = set(wanted)
    found: dict[str, list[Checked]] = {}
    for recorded in recordings():
        if recorded.provider not in names:
            continue
        try:
            checked = check(recorded, providers[recorded.provider])
        except TappassError as error:
            checked = Checked(recorded=recorded, state="stale", reasons=(error.message,))
        found.setdefault(recorded.provider, []).append(checked)
    return found
