"""Who encloses whom in a Runtime, and the order in which its uses are rendered."""

from typing import Final

from tappass_host.compiler.providers import Providers, find
from tappass_host.compiler.recipe import Recipe, Use
from tappass_host.policy.errors import RecipeError
from tappass_host.sdk.contract import Position, ProviderInfo

SERVICES: Final[tuple[Position, ...]] = ("host", "llm-gateway", "mcp-broker")
_ORDER: Final[dict[Position, int]] = {
    **{position: rank for rank, position in enumerate(SERVICES)},
    "interpreter": 3,
    "harness": 4,
    "kernel": 5,
}


class Topology:
    """The uses of a recipe with their providers, checked to fit each other.

    Attributes:
        infos: use id -> what its provider says of itself.
        order: use ids; services, then interpreters, harnesses, and kernels from the inside out.
    """

    def __init__(self, recipe: Recipe, providers: Providers) -> None:
        self.uses: dict[str, Use] = {use.id: use for use in recipe.uses}
        self.providers = {use.id: find(providers, use.provider) for use in recipe.uses}
        self.infos: dict[str, ProviderInfo] = {key: p.info for key, p in self.providers.items()}
        _check(recipe, self.infos)
        self.order: tuple[str, ...] = tuple(sorted(self.uses, key=self._rank))

    def enclosers(self, use: str) -> tuple[str, ...]:
        """The uses around a use, innermost first."""
        found: list[str] = []
        while outer := self.uses[found[-1] if found else use].inside:
            found.append(outer)
        return tuple(found)

    def inner(self, use: str) -> tuple[str, ...]:
        """The uses directly inside a use."""
        return tuple(key for key in self.order if self.uses[key].inside == use)

    def enclosed(self, use: str) -> tuple[str, ...]:
        """All uses inside a use, however deep."""
        return tuple(key for key in self.order if use in self.enclosers(key))

    def services(self) -> tuple[str, ...]:
        """Uses that others can be wired to."""
        return tuple(key for key in self.order if self.infos[key].position in SERVICES)

    def by_provider(self, name: str) -> str | None:
        """The use of a provider, by its id or an alias."""
        return next((k for k, info in self.infos.items() if name == info.id or name in info.aliases), None)

    def _rank(self, use: str) -> tuple[int, int, str]:
        return _ORDER[self.infos[use].position], -len(self.enclosers(use)), use


def _check(recipe: Recipe, infos: dict[str, ProviderInfo]) -> None:
    services: set[str] = set()
    for index, use in enumerate(recipe.uses):
        info, at = infos[use.id], f"/uses/{index}"
        if recipe.platform not in info.platforms:
            raise RecipeError(f"{info.id} does not exist on {recipe.platform}", pointer=f"{at}/provider")
        if use.inside and infos[use.inside].position != "kernel":
            what = f"{use.id} is inside {use.inside}, which is a {infos[use.inside].position}"
            raise RecipeError(what, pointer=f"{at}/inside", remedy="only a kernel encloses other uses")
        if info.position in SERVICES and info.id in services:
            # Whoever is offered both could not tell which one it is to go through.
            raise RecipeError(f"the service {info.id} is used twice", pointer=f"{at}/provider")
        services.add(info.id)
