"""Which providers exist, which of them are locked, and how one is loaded."""

from tappass_host.registry.api import Entry, all, get  # noqa: A004 - `registry.all()` reads as what it is
from tappass_host.registry.loaded import LoadedProvider

__all__ = ["Entry", "LoadedProvider", "all", "get"]
