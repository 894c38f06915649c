"""Domains by category: what `network.deny_categories` stands for.

The catalogue is data with a version and a date, not code: an operator passes a newer file without a newer
package. A compiled policy carries the domains it was compiled with (`network.category_domains`), so a host
never looks anything up and two hosts never differ.
"""

from typing import Annotated, Literal

import msgspec

from tappass_host.policy.errors import PolicyError
from tappass_host.policy.grammar.canonical import canonical_entry
from tappass_host.policy.wire import pointer, strict_json

SCHEMA = "tappass.catalogue/v1"

Date = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class Category(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a category is about, and the domain rules it stands for."""

    about: str
    domains: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class Catalogue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of the catalogue. `date` is the day its domains were last gone through."""

    schema: Literal["tappass.catalogue/v1"]
    version: Annotated[int, msgspec.Meta(ge=1)]
    date: Date
    categories: dict[str, Category]

    def domains(self, category: str) -> tuple[str, ...] | None:
        """The domain rules of a category, sorted; None if the catalogue does not know it."""
        found = self.categories.get(category)
        return None if found is None else tuple(sorted(found.domains))


def load_catalogue(data: bytes, *, source: str = "") -> Catalogue:
    """Read a catalogue file.

    Raises:
        WireError: the bytes are not strict JSON.
        PolicyError: a field is unknown, missing, of the wrong type, or a domain is malformed.
    """
    try:
        catalogue = msgspec.convert(strict_json(data, source=source), Catalogue, strict=True)
    except msgspec.ValidationError as error:
        raise PolicyError(f"not a catalogue: {error}", source=source) from None
    for name, category in catalogue.categories.items():
        canonical_entry("network.deny_categories", name)
        for index, domain in enumerate(category.domains):
            try:
                spelled = canonical_entry("network.category_domains", domain)
            except PolicyError as error:
                raise error.at(
                    pointer=pointer(("categories", name, "domains", index)), source=source
                ) from None
            if spelled != domain:
                raise PolicyError(f"write {domain} as {spelled}", source=source)
    return catalogue


def shipped_catalogue() -> Catalogue:
    """The catalogue that came with this package."""
    from pkgutil import get_data

    data = get_data(__name__, "categories.json")
    assert data is not None
    return load_catalogue(data, source="categories.json")
