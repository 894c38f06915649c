"""What a rendering and an INFO must be, apart from what is permitted. Each check yields findings as text."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from tappass_host.policy.surfaces import ASPECT_SURFACES, SURFACES, aspect_surfaces
from tappass_host.sdk.claims import Claim
from tappass_host.sdk.contract import APPLY_EFFECTS, ProviderInfo, TargetConfig
from tappass_host.sdk.kit.subject import Rendered
from tappass_host.sdk.locators import leaves, longest_prefix, places
from tappass_host.sdk.version import supports

_ID: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def info_is_sound(info: ProviderInfo) -> Iterator[str]:
    """The constants name things that exist."""
    if not all(_ID.fullmatch(name) for name in (info.id, *info.aliases)):
        yield f"id and aliases are lower case with single hyphens: {(info.id, *info.aliases)}"
    if not supports(info.sdk):
        yield f"is written for SDK {info.sdk}"
    for aspect, surfaces in info.covers.items():
        outside = set(surfaces) - set(aspect_surfaces(aspect))
        if outside or aspect not in ASPECT_SURFACES:
            yield f"covers {aspect} on {sorted(outside) or 'no aspect of that name'}: see policy/surfaces.py"
    for key in info.cannot:
        subject, _, surface = key.partition("@")
        if (subject and subject.partition(".")[0] not in ASPECT_SURFACES) or (
            surface and surface not in SURFACES
        ):
            yield f"cannot[{key!r}] names no aspect, field or surface"
    yield from (
        f"effects[{key!r}] is {value}" for key, value in info.effects.items() if value not in APPLY_EFFECTS
    )


def options_decode(info: ProviderInfo) -> Iterator[str]:
    """Options have defaults and refuse what they do not know."""
    try:
        msgspec.convert({}, info.options)
    except msgspec.ValidationError as error:
        yield f"options have no defaults: {error}"
    try:
        msgspec.convert({"no_such_option": 1}, info.options)
    except msgspec.ValidationError:
        return
    yield "options take a field that does not exist: add forbid_unknown_fields=True"


def claims_are_total(rendered: Rendered, info: ProviderInfo) -> Iterator[str]:
    """Every statement of a covered aspect has a claim on every surface it is covered on."""
    spoken = {
        (claim.statement, surface) for claim in rendered.config.claims for surface in claim.reach.surfaces
    }
    for statement in rendered.policy.statements:
        for surface in info.covers.get(statement.aspect, ()):
            if surface in statement.surfaces and (statement.id, surface) not in spoken:
                yield f"no claim about {statement.id} on {surface}"


def claims_are_sound(rendered: Rendered) -> Iterator[str]:
    """A claim is about a statement there is, says why where it falls short, and stands on evidence."""
    seen: set[tuple[str, str]] = set()
    for claim in rendered.config.claims:
        where = f"claim on {claim.statement} at {claim.reach.id}"
        if claim.statement not in rendered.policy.by_id:
            yield f"{where}: the policy does not say that"
        if (claim.statement, claim.reach.id) in seen:
            yield f"{where}: made twice"
        seen.add((claim.statement, claim.reach.id))
        yield from (f"{where}: {why}" for why in _faults(claim))
        said = rendered.policy.by_id.get(claim.statement)
        # A grant can hold because the target leaves it open; a restriction never holds by itself.
        if said and said.polarity == "restrict" and claim.verdict == "enforced" and not claim.locators:
            yield f"{where}: an enforced restriction, and no entry holds it"
    yield from _reaches(rendered.config)


def _faults(claim: Claim) -> Iterator[str]:
    if claim.verdict != "enforced" and not claim.reason:
        yield f"{claim.verdict}, and no reason is given"
    if claim.verdict == "enforced" and claim.reach.escape:
        yield "enforced, although its place has a standing escape"
    if claim.verdict != "unenforceable" and not (claim.reach.evidence.url and claim.reach.evidence.date):
        yield f"{claim.verdict} without evidence: a vendor page and the date it was read"
    if not claim.reach.surfaces:
        yield "on no surface"


def _reaches(config: TargetConfig) -> Iterator[str]:
    known = {claim.reach.id: claim.reach for claim in config.claims}
    for claim in config.claims:
        if claim.reach != known[claim.reach.id]:
            yield f"two different reaches are called {claim.reach.id}"
            return


def locators_exist(rendered: Rendered) -> Iterator[str]:
    """What a claim points at is in the documents."""
    there = _places(rendered.config)
    for claim in rendered.config.claims:
        for locator in claim.locators:
            if locator not in there:
                yield f"{claim.statement} points at {locator}, which is in no document"
    for locator in rendered.config.hardening:
        if locator not in there:
            yield f"hardening points at {locator}, which is in no document"


def leaves_are_credited(rendered: Rendered) -> Iterator[str]:
    """Every entry stands for a statement, or is hardening with a reason; nothing is there by accident."""
    config = rendered.config
    credited = {locator for claim in config.claims for locator in claim.locators} | set(config.hardening)
    for artifact in config.artifacts:
        for leaf in leaves(artifact):
            if credited.isdisjoint((leaf.locator, *leaf.above)):
                yield f"{leaf.locator} stands for no statement and is not hardening"


def effects_cover(rendered: Rendered, info: ProviderInfo) -> Iterator[str]:
    """The provider says what a change of each entry takes."""
    for artifact in rendered.config.artifacts:
        for leaf in leaves(artifact):
            if longest_prefix(leaf.locator, info.effects) is None:
                yield f"INFO.effects has no prefix of {leaf.locator}"


def artifacts_are_apart(rendered: Rendered) -> Iterator[str]:
    """Ids and places are each used once."""
    artifacts = rendered.config.artifacts
    for name, keys in (
        ("id", [a.id for a in artifacts]),
        ("place", [f"{a.root}/{a.path}" for a in artifacts if a.path]),
    ):
        yield from (
            f"two artifacts have the {name} {key}" for key in sorted(set(keys)) if keys.count(key) > 1
        )


def _places(config: TargetConfig) -> frozenset[str]:
    return frozenset(place for artifact in config.artifacts for place in places(artifact))
