"""Meets the real monty: finds the engine, and has the runner decode a manifest without running anything."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from tappass_host.policy.errors import TappassError
from tappass_host.sdk.configs.interpreter import decode_manifest
from tappass_host.sdk.target import Found

# The module that is imported, and the engine that it starts: of unequal releases the runner takes none.
PARTS: Final = ("pydantic-monty", "pydantic-monty-runtime")


def detect() -> Found | None:
    """The engine that this Python would import."""
    try:
        found = {version(part) for part in PARTS}
    except PackageNotFoundError:
        return None
    return Found(found.pop()) if len(found) == 1 else None


def validate(files: Mapping[str, bytes]) -> list[str]:
    """What the runner's own decoder objects to: with such a manifest nothing runs."""
    objections = []
    for name, data in files.items():
        if name.endswith(".manifest.json"):
            try:
                decode_manifest(data, source=name)
            except TappassError as error:
                objections.append(str(error))
    return objections
