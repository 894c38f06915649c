"""Meets the gateway on this machine: it comes with this package. May do I/O."""

from importlib.metadata import PackageNotFoundError, version


def detect() -> str:
    """Which version is here; empty if the parts that a data plane needs are not installed."""
    try:
        version("aiohttp")
        return version("tappass-host")
    except PackageNotFoundError:
        return ""
