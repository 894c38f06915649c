"""A rendering as plain data and bytes: what golden files hold and what two runs are compared by."""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.claims import Claim, Reach
from tappass_host.sdk.contract import TargetConfig
from tappass_host.sdk.emit import emit, symbolic


def files(config: TargetConfig) -> dict[str, bytes]:
    """`root/path` (or `root/id` where an artifact has no path) -> bytes, references by their names."""
    return {place(artifact): emit(artifact, symbolic) for artifact in config.artifacts}


def place(artifact: Artifact) -> str:
    """Where an artifact lies below the folder of a rendering."""
    return f"{artifact.root}/{artifact.path or artifact.id}"


def coverage(config: TargetConfig) -> dict[str, Any]:
    """Claims, reaches, needs, offers, questions and hardening as plain data; what is usual is left out."""
    reaches = {claim.reach.id: claim.reach for claim in config.claims}
    return {
        "claims": {statement: list(found) for statement, found in _by_statement(config.claims)},
        "reaches": {name: _reach(reaches[name]) for name in sorted(reaches)},
        "needs": [{"kind": n.kind, "value": n.value, "why": n.why} for n in config.needs],
        "offers": [msgspec.to_builtins(offer) for offer in config.offers],
        "asked": [query.key for query in config.asked],
        "hardening": dict(config.hardening),
    }


def digest(config: TargetConfig) -> str:
    """One digest over everything a rendering says."""
    total = hashlib.sha256(msgspec.json.encode(coverage(config)))
    for name, data in sorted(files(config).items()):
        total.update(f"{name}\0{len(data)}\0".encode() + data)
    for artifact in config.artifacts:
        total.update(repr((artifact.id, artifact.kind, artifact.scope, artifact.owner)).encode())
        total.update(repr((artifact.mode, artifact.owned)).encode())
    return total.hexdigest()


def _by_statement(claims: Iterable[Claim]) -> Iterable[tuple[str, list[dict[str, Any]]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for claim in claims:
        found.setdefault(claim.statement, []).append(_claim(claim))
    return sorted(found.items())


def _claim(claim: Claim) -> dict[str, Any]:
    plain: dict[str, Any] = {"at": claim.reach.id, "verdict": claim.verdict}
    if claim.fidelity != "exact":
        plain["fidelity"] = claim.fidelity
    if claim.reason:
        plain["reason"] = claim.reason
    if claim.locators:
        plain["locators"] = list(claim.locators)
    return plain


def _reach(reach: Reach) -> dict[str, Any]:
    plain: dict[str, Any] = {"surfaces": list(reach.surfaces), "strength": reach.strength}
    if reach.requires:
        plain["requires"] = [_requirement(r) for r in reach.requires]
    if reach.escape:
        plain["escape"] = reach.escape
    if reach.evidence.url:
        plain["evidence"] = msgspec.to_builtins(reach.evidence._asdict())
    return plain


def _requirement(requirement: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(requirement._asdict())
    return {"type": type(requirement).__name__.lower(), **plain}
