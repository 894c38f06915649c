"""Providers that other packages bring: entry points of the group `tappass.providers`.

The name of an entry point is the provider's id, its value the package with `provider.py`. Reading the list
imports nothing; a name that a built-in provider has, or that two packages claim, is refused unread.
"""

from collections import Counter
from typing import Final, NamedTuple

from tappass_host.registry.builtin import RESERVED

GROUP: Final = "tappass.providers"


class Plugin(NamedTuple):
    """One entry point. `refused` says why it is not even imported."""

    id: str
    package: str
    source: str
    refused: str = ""


def plugins() -> tuple[Plugin, ...]:
    """All entry points of the group, sorted by id and source."""
    from importlib.metadata import entry_points

    found = {(point.name, point.value, _source(point.dist)) for point in entry_points(group=GROUP)}
    claims = Counter(name for name, _, _ in found)
    return tuple(Plugin(name, value, source, _refusal(name, claims)) for name, value, source in sorted(found))


def _source(dist: object) -> str:
    name, version = getattr(dist, "name", ""), getattr(dist, "version", "")
    return f"{name} {version}".strip() or "unknown distribution"


def _refusal(name: str, claims: Counter[str]) -> str:
    if name in RESERVED:
        return f"{name} is built in and cannot be claimed"
    return f"{name} is claimed by {claims[name]} packages" if claims[name] > 1 else ""
