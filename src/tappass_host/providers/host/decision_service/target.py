"""Meets the decision service on this machine: it comes with this package. May do I/O."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which

from tappass_host.policy.errors import TappassError
from tappass_host.sdk.configs.decision import decode
from tappass_host.sdk.target import Found


def detect() -> Found | None:
    """The service of the installed package, and the program that starts it where that is on PATH."""
    try:
        found = version("tappass-host")
    except PackageNotFoundError:
        return None
    program = which("tappass-decision")
    return Found(found, str(Path(program).resolve()) if program else "")


def validate(files: Mapping[str, bytes]) -> list[str]:
    """What the service's own decoder objects to: with such a configuration it does not start."""
    objections = []
    for name, data in files.items():
        if name.endswith("/decision.json"):
            try:
                decode(data, source=name)
            except TappassError as error:
                objections.append(str(error))
    return objections
