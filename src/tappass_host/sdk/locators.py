"""Locators of a finished document: every place in it, named by content as `Doc` names it while building.

`settings#/permissions/deny[Read(//etc/**)]` is an entry of a list, `settings#/sandbox/enabled` a value of a
mapping, `argv#[--unshare-net]` an entry of a document that is one list, `filter#` a whole artifact.
A list entry is never looked into: it is one thing, whatever it is made of.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tappass_host.sdk.artifacts import Artifact, Launch
from tappass_host.sdk.document import entry_text, escape


class Leaf(NamedTuple):
    """A place that holds a value: a scalar, a list entry, or a list or mapping that is empty.

    `above` are the locators that contain it, outermost first: the artifact, each mapping, its list.
    """

    locator: str
    value: object
    above: tuple[str, ...]


def leaves(artifact: Artifact) -> Iterator[Leaf]:
    """Every leaf of an artifact, in the order of its document."""
    yield from _leaves(f"{artifact.id}#", document(artifact), ())


def places(artifact: Artifact) -> frozenset[str]:
    """Every locator there is in an artifact: the leaves and all that lies above them."""
    return frozenset(place for leaf in leaves(artifact) for place in (leaf.locator, *leaf.above))


def lists(artifact: Artifact) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every list of an artifact with the texts of its entries, in order."""
    yield from _lists(f"{artifact.id}#", document(artifact))


def longest_prefix(locator: str, prefixes: Iterable[str]) -> str | None:
    """The longest of the prefixes that ends where a part of the locator ends, or None."""
    fitting = [p for p in prefixes if locator.startswith(p) and _ends_a_part(p, locator[len(p) :])]
    return max(fitting, key=len, default=None)


def document(artifact: Artifact) -> object:
    """The artifact's document; a Launch as the mapping that it is written as."""
    doc = artifact.doc
    if isinstance(doc, Launch):
        return {name: getattr(doc, name) for name in doc.__struct_fields__}
    return doc


def _leaves(at: str, value: object, above: tuple[str, ...]) -> Iterator[Leaf]:
    if isinstance(value, Mapping) and value:
        for key, member in value.items():
            yield from _leaves(f"{at}/{escape(key)}", member, (*above, at))
    elif isinstance(value, (list, tuple)) and value:
        yield from (Leaf(f"{at}[{entry_text(entry)}]", entry, (*above, at)) for entry in value)
    else:
        yield Leaf(at, value, above)


def _lists(at: str, value: object) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield from _lists(f"{at}/{escape(key)}", member)
    elif isinstance(value, (list, tuple)):
        yield at, tuple(entry_text(entry) for entry in value)


def _ends_a_part(prefix: str, rest: str) -> bool:
    return not rest or not prefix or not (_in_word(prefix[-1]) and _in_word(rest[0]))


def _in_word(char: str) -> bool:
    return char.isalnum() or char in "_-.~"
