"""Which use goes through which service: read off what was rendered, not off what was intended.

A use is wired to a service if its own configuration, its needs, or those of a use around it speak of a place
where the service listens. A service that nobody speaks of protects nobody.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tappass_host.compiler.topology import Topology
from tappass_host.sdk.artifacts import Endpoint
from tappass_host.sdk.contract import TargetConfig

Wired = frozenset[tuple[str, str]]


def offers_of(provider: str, config: TargetConfig) -> dict[str, Endpoint]:
    """Offers by the keys others find them under: the provider's id for the first, its own id for each."""
    found = {endpoint.id: endpoint for endpoint in config.offers}
    return {provider: config.offers[0], **found} if config.offers else {}


def wired(topology: Topology, configs: Mapping[str, TargetConfig]) -> Wired:
    """Pairs (service, use)."""
    direct = {
        (service, use)
        for service in topology.services()
        for use, config in configs.items()
        if use != service and _mentions(config, configs[service].offers)
    }
    return frozenset(
        (service, use)
        for service in topology.services()
        for use in topology.order
        if use != service and any((service, around) in direct for around in (use, *topology.enclosers(use)))
    )


def _mentions(config: TargetConfig, endpoints: tuple[Endpoint, ...]) -> bool:
    addresses = [re.escape(text) for e in endpoints for text in (e.unix, e.tcp) if text]
    # A longer path or port is another place.
    spoken = re.compile(rf"(?<![\w.-])(?:{'|'.join(addresses)})(?![\w-]|\.\w)") if addresses else None
    ids = {e.id for e in endpoints}
    if spoken is not None and any(spoken.search(need.value) for need in config.needs):
        return True
    documents = msgspec.to_builtins([artifact.doc for artifact in config.artifacts])
    return any(
        value in ids if is_id else spoken is not None and spoken.search(value) is not None
        for value, is_id in _texts(documents)
    )


def _texts(value: Any) -> Iterator[tuple[str, bool]]:
    """Every text of a document, and for each endpoint in it its id, marked as such."""
    if isinstance(value, str):
        yield value, False
    elif isinstance(value, dict):
        if value.get("type") == "endpoint":
            yield str(value.get("id", "")), True
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _texts(member)
