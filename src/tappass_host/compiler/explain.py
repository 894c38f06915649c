"""From a statement to its native lines, and from a native line back to who said so and why."""

import json
from collections.abc import Iterator

from msgspec import Struct

from tappass_host.compiler.plan import Plan, UsePlan
from tappass_host.policy.amend import LEVEL
from tappass_host.policy.model import Annotation, Provenance
from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.claims import Claim
from tappass_host.sdk.document import entry_text
from tappass_host.sdk.locators import leaves


class Line(Struct, frozen=True, kw_only=True):
    """What one use does about a statement, at one place.

    Attributes:
        artifact: `root:path` of the file, or the artifact's id.
        text: the native entry; empty where nothing was emitted.
        verdict: of the claim by itself; what it is worth here is in the coverage.
    """

    use: str
    reach: str
    verdict: str
    reason: str = ""
    artifact: str = ""
    locator: str = ""
    text: str = ""


class Explanation(Struct, frozen=True, kw_only=True):
    """A statement, who said it and why, and every native line that stands for it.

    Attributes:
        rewritten_from: statements that `on_gap: stricter` turned into this one.
        rewritten_to: statements that stand for it now.
    """

    statement: str
    provenance: Provenance | None
    annotation: Annotation | None
    verdict: str
    lines: tuple[Line, ...]
    rewritten_from: tuple[str, ...] = ()
    rewritten_to: tuple[str, ...] = ()


class Origin(Struct, frozen=True, kw_only=True):
    """A native entry and the statements that it stands for, or why it is hardening."""

    use: str
    artifact: str
    locator: str
    text: str
    statements: tuple[str, ...]
    hardening: str = ""


def explain_statement(plan: Plan, statement: str) -> Explanation | None:
    """Everything the plan has about a statement; None if no use and no rewrite knows it."""
    provenance, annotation = _said(plan, statement)
    covered = plan.coverage.by_id().get(statement)
    to = tuple(by for rewrite in plan.rewrites if rewrite.statement == statement for by in rewrite.by)
    if covered is None and not to:
        return None
    return Explanation(
        statement=statement,
        provenance=provenance,
        annotation=annotation,
        verdict=covered.verdict if covered is not None else "rewritten",
        lines=tuple(line for use in plan.uses for line in _lines(use, statement)),
        rewritten_from=tuple(r.statement for r in plan.rewrites if statement in r.by),
        rewritten_to=to,
    )


def explain_native(plan: Plan, text: str) -> tuple[Origin, ...]:
    """Native entries with this locator or this text, exactly; failing that, those that contain the text."""
    if not text:
        return ()
    entries = [entry for use in plan.uses for entry in _entries(use)]
    exact = tuple(entry for entry in entries if text in (entry.locator, entry.text))
    return exact or tuple(entry for entry in entries if text in entry.text)


def _said(plan: Plan, statement: str) -> tuple[Provenance | None, Annotation | None]:
    """Who said it; a signed level before this compiler, since a need may repeat what is granted anyway."""
    found = [use.policy.doc for use in plan.uses]
    provenances = [doc.provenance[statement] for doc in found if statement in doc.provenance]
    annotations = [doc.annotations[statement] for doc in found if statement in doc.annotations]
    provenances.sort(key=lambda p: p.level == LEVEL)
    return next(iter(provenances), None), next(iter(annotations), None)


def _lines(use: UsePlan, statement: str) -> Iterator[Line]:
    texts = {locator: (artifact, text) for artifact, locator, text in _places(use)}
    for claim in use.config.claims:
        if claim.statement != statement:
            continue
        for locator in claim.locators or ("",):
            artifact, text = texts.get(locator, ("", ""))
            yield _line(use, claim, artifact, locator, text)


def _line(use: UsePlan, claim: Claim, artifact: str, locator: str, text: str) -> Line:
    return Line(
        use=use.id,
        reach=claim.reach.id,
        verdict=claim.verdict,
        reason=claim.reason,
        artifact=artifact,
        locator=locator,
        text=text,
    )


def _entries(use: UsePlan) -> Iterator[Origin]:
    said: dict[str, dict[str, None]] = {}
    for claim in use.config.claims:
        for locator in claim.locators:
            said.setdefault(locator, {})[claim.statement] = None
    for artifact, locator, text in _places(use):
        hardening = use.config.hardening.get(locator, "")
        if locator in said or hardening:
            yield Origin(
                use=use.id,
                artifact=artifact,
                locator=locator,
                text=text,
                statements=tuple(said.get(locator, ())),
                hardening=hardening,
            )


def _places(use: UsePlan) -> Iterator[tuple[str, str, str]]:
    """File, locator and text of every place of every artifact, whole ones included."""
    for artifact in use.config.artifacts:
        name = _name(artifact)
        seen: set[str] = set()
        for leaf in leaves(artifact):
            for locator in (*leaf.above, leaf.locator):
                if locator not in seen:
                    seen.add(locator)
                    yield name, locator, _text(leaf.value) if locator == leaf.locator else ""


def _name(artifact: Artifact) -> str:
    return f"{artifact.root}:{artifact.path}" if artifact.path else artifact.id


def _text(value: object) -> str:
    """A native entry as it reads, within its file: text as itself, all else as compact JSON."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return entry_text(value)
