"""What differs between two renderings, and the least that makes the new one hold.

Documents are compared by locators, so an entry that merely moved is no change, except where a list says the
same entries in another order or number: some targets read in order, and the list itself is then `changed`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from tappass_host.sdk.artifacts import Artifact
from tappass_host.sdk.contract import APPLY_EFFECTS, ApplyEffect
from tappass_host.sdk.locators import leaves, lists, longest_prefix

Kind = Literal["added", "removed", "changed"]

# What a change needs at least where the provider's table says nothing of the place.
_UNKNOWN: Final[ApplyEffect] = "process_restart"


class Change(NamedTuple):
    """One place that differs, and what it takes for it to be in force."""

    locator: str
    change: Kind
    effect: ApplyEffect


class Changes(NamedTuple):
    """All that differs, sorted by locator; `effect` is the strictest of them, `none` if nothing differs."""

    effect: ApplyEffect
    entries: tuple[Change, ...]


def changes(old: Sequence[Artifact], new: Sequence[Artifact], effects: Mapping[str, ApplyEffect]) -> Changes:
    """Compare two renderings of one provider.

    Args:
        old: the artifacts in force.
        new: those to come.
        effects: `ProviderInfo.effects`, locator prefix -> effect.
    """
    before, after = ({a.id: a for a in artifacts} for artifacts in (old, new))
    found: list[Change] = []
    for artifact in sorted({*before, *after}):
        found += _artifact(before.get(artifact), after.get(artifact), effects)
    return Changes(strictest(c.effect for c in found), tuple(sorted(found)))


def effect_at(locator: str, effects: Mapping[str, ApplyEffect]) -> ApplyEffect:
    """The effect of the longest prefix; for an unknown place the strictest there is, never a weak guess."""
    prefix = longest_prefix(locator, effects)
    return effects[prefix] if prefix is not None else strictest((*effects.values(), _UNKNOWN))


def strictest(effects: Iterable[ApplyEffect]) -> ApplyEffect:
    """The effect that takes most; `none` of nothing."""
    return max(effects, key=APPLY_EFFECTS.index, default="none")


def _artifact(
    old: Artifact | None, new: Artifact | None, effects: Mapping[str, ApplyEffect]
) -> Iterator[Change]:
    if old is None or new is None:
        yield _whole(old, new, effects)
        return
    entries = list(_document(old, new))
    if _frame(old) != _frame(new) or (old.doc != new.doc and not entries):
        # Should two places share a locator, the difference still shows, as that of the whole artifact.
        entries.append((f"{new.id}#", "changed"))
    for locator, change in entries:
        yield Change(locator, change, effect_at(locator, effects))


def _whole(old: Artifact | None, new: Artifact | None, effects: Mapping[str, ApplyEffect]) -> Change:
    """An artifact that appears or goes takes what the strictest of its entries takes."""
    artifact = new or old
    assert artifact is not None
    kind: Kind = "added" if old is None else "removed"
    effect = strictest(effect_at(leaf.locator, effects) for leaf in leaves(artifact))
    return Change(f"{artifact.id}#", kind, effect)


def _frame(artifact: Artifact) -> Artifact:
    """All of an artifact but its document: place, codec, owner, mode."""
    return msgspec.structs.replace(artifact, doc=None)


def _document(old: Artifact, new: Artifact) -> Iterator[tuple[str, Kind]]:
    before, after = ({leaf.locator: leaf.value for leaf in leaves(side)} for side in (old, new))
    yield from ((locator, "removed") for locator in before.keys() - after.keys())
    yield from ((locator, "added") for locator in after.keys() - before.keys())
    for locator in before.keys() & after.keys():
        if type(before[locator]) is not type(after[locator]) or before[locator] != after[locator]:
            yield locator, "changed"
    yield from ((locator, "changed") for locator in _reordered(old, new))


def _reordered(old: Artifact, new: Artifact) -> Iterator[str]:
    """Lists in which the entries that stayed stand in another order or number."""
    before, after = dict(lists(old)), dict(lists(new))
    for locator in before.keys() & after.keys():
        stayed = set(before[locator]) & set(after[locator])
        was, now = ([entry for entry in side[locator] if entry in stayed] for side in (before, after))
        if was != now:
            yield locator
