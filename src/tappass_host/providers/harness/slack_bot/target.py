"""Meets Slack's SDK in this environment: which Bolt is installed, and whether the guard would start."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from tappass_host.policy.errors import TappassError
from tappass_host.sdk.configs.guard import decode
from tappass_host.sdk.target import Found


def detect() -> Found | None:
    """Bolt for Python, if the app's environment is this one."""
    try:
        return Found(version("slack-bolt"))
    except PackageNotFoundError:
        return None


def validate(files: Mapping[str, bytes]) -> list[str]:
    """What the guard's own decoder objects to; a manifest is for Slack to judge."""
    found = []
    for place, data in sorted(files.items()):
        if place.endswith("/guard.json"):
            try:
                decode(data, source=place)
            except TappassError as error:
                found.append(str(error))
    return found
