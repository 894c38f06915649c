"""Meets the gateway of this package: whether its parts are installed, and whether it would start."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from tappass_host.policy.errors import TappassError
from tappass_host.sdk.configs.llm_gateway import decode
from tappass_host.sdk.target import Found


def detect() -> Found | None:
    """This package's version, if what a data plane needs is installed with it."""
    try:
        version("aiohttp")
        return Found(version("tappass-host"))
    except PackageNotFoundError:
        return None


def validate(files: Mapping[str, bytes]) -> list[str]:
    """What the gateway's own decoder objects to."""
    found = []
    for place, data in sorted(files.items()):
        if place.endswith("/llm-gateway.json"):
            try:
                decode(data, source=place)
            except TappassError as error:
                found.append(str(error))
    return found
