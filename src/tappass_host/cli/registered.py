"""The registry as the mapping that the compiler takes: a provider is imported when it is asked for."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tappass_host.registry import LoadedProvider
    from tappass_host.registry.lock import Lock


class Registered(Mapping[str, "LoadedProvider"]):
    """Every provider there is, by id or alias; with a lock only locked ones, unchanged."""

    def __init__(self, lock: "Lock | None" = None) -> None:
        self._lock = lock
        self._loaded: dict[str, LoadedProvider] = {}

    def __getitem__(self, name: str) -> "LoadedProvider":
        """Import one provider.

        Raises:
            ProviderError: unknown, broken, or not the locked one; an unknown one is a KeyError too.
        """
        return self._load(name)

    def __iter__(self) -> Iterator[str]:
        """Ids of all that can be used."""
        from tappass_host import registry

        return (entry.id for entry in registry.all() if entry.status != "broken")

    def __len__(self) -> int:
        """How many can be used."""
        return sum(1 for _ in self)

    def get(self, name: str, default: "LoadedProvider | None" = None) -> "LoadedProvider | None":  # type: ignore[override]
        """Import one provider; an unknown or broken one says so itself, better than any default could."""
        del default
        return self._load(name)

    def _load(self, name: str) -> "LoadedProvider":
        if name not in self._loaded:
            from tappass_host import registry

            self._loaded[name] = registry.get(name, lock=self._lock)
        return self._loaded[name]
