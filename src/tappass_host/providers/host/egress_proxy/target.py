"""Meets the egress proxy on this machine: it comes with this package. May do I/O."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which

from tappass_host.policy.errors import TappassError
from tappass_host.sdk.configs.egress import decode
from tappass_host.sdk.target import Found


def detect() -> Found | None:
    """The proxy of the installed package, and the program that starts it where that is on PATH."""
    try:
        found = version("tappass-host")
    except PackageNotFoundError:
        return None
    program = which("tappass-egress")
    return Found(found, str(Path(program).resolve()) if program else "")


def validate(files: Mapping[str, bytes]) -> list[str]:
    """What the proxy's own decoder objects to: with such a configuration it does not start."""
    objections = []
    for name, data in files.items():
        if name.endswith("/egress.json"):
            try:
                decode(data, source=name)
            except TappassError as error:
                objections.append(str(error))
    return objections
