"""What to add to a Runtime so that more of the policy is held."""

from collections.abc import Callable, Iterable, Mapping

import msgspec
from msgspec import Struct

from tappass_host.compiler.compile import compile_runtime
from tappass_host.compiler.effective import Surroundings
from tappass_host.compiler.providers import Loaded, Providers
from tappass_host.compiler.recipe import Recipe, Use, normal
from tappass_host.compiler.topology import SERVICES
from tappass_host.policy.errors import TappassError
from tappass_host.policy.model import Policy
from tappass_host.sdk.contract import ProviderInfo, TargetCapabilities

_ENCLOSED = ("harness", "interpreter")


class Suggestion(Struct, frozen=True, kw_only=True):
    """Providers to add, and the open statements that they close."""

    add: tuple[str, ...]
    closes: tuple[str, ...]


def suggest(
    policy: Policy,
    recipe: Recipe,
    providers: Providers,
    capabilities: Mapping[str, TargetCapabilities],
    *,
    surroundings: Surroundings | None = None,
    limit: int = 5,
) -> tuple[Suggestion, ...]:
    """The smallest additions that close most, best first.

    Tries every provider of a position that is free (services always are, one of a kind), with the services it
    wants; then the best of those together, as long as each further one closes something more. Providers that
    cannot be used here are passed over.
    """
    around = surroundings or Surroundings()

    def still_open(changed: Recipe) -> frozenset[str]:
        known = {**_defaults(changed, providers, capabilities), **capabilities}
        plan = compile_runtime(policy, changed, providers, known, surroundings=around, refuse_gaps=False)
        return frozenset(row.id for row in plan.coverage.open())

    start = still_open(recipe)
    singles = [
        made
        for loaded in _candidates(recipe, providers)
        if (made := _tried(recipe, (loaded.info,), providers, start, still_open)).closes
    ]
    singles.sort(key=_rank)
    best = _together(recipe, singles, providers, start, still_open)
    return tuple([*([best] if best else []), *singles][:limit])


def _candidates(recipe: Recipe, providers: Providers) -> Iterable[Loaded]:
    used = {providers[use.provider].info.position for use in recipe.uses if use.provider in providers}
    there = {use.provider for use in recipe.uses}
    for _, loaded in sorted(providers.items()):
        info = loaded.info
        free = info.position not in used or info.position in SERVICES
        if free and not info.preview and info.id not in there and recipe.platform in info.platforms:
            yield loaded


def _rank(suggestion: Suggestion) -> tuple[int, int, tuple[str, ...]]:
    return -len(suggestion.closes), len(suggestion.add), suggestion.add


def _tried(
    recipe: Recipe,
    added: tuple[ProviderInfo, ...],
    providers: Providers,
    start: frozenset[str],
    still_open: Callable[[Recipe], frozenset[str]],
) -> Suggestion:
    changed = recipe
    for info in added:
        changed = with_provider(changed, info, providers)
    names = tuple(sorted({u.provider for u in changed.uses} - {u.provider for u in recipe.uses}))
    try:
        closes = start - still_open(changed)
    except TappassError:
        # It collides with what is there, or with the policy: no suggestion.
        closes = frozenset()
    return Suggestion(add=names, closes=tuple(sorted(closes)))


def _together(
    recipe: Recipe,
    singles: list[Suggestion],
    providers: Providers,
    start: frozenset[str],
    still_open: Callable[[Recipe], frozenset[str]],
) -> Suggestion | None:
    """Greedy: the best one, then whatever adds something to it."""
    if not singles:
        return None
    chosen, best = [providers[name].info for name in singles[0].add], singles[0]
    for single in singles[1:]:
        infos = [providers[name].info for name in single.add if name not in best.add]
        taken = {info.position for info in chosen if info.position not in SERVICES}
        if not infos or any(info.position in taken for info in infos):
            continue
        made = _tried(recipe, (*chosen, *infos), providers, start, still_open)
        if len(made.closes) > len(best.closes):
            chosen, best = [*chosen, *infos], made
    return best if best is not singles[0] else None


def with_provider(recipe: Recipe, info: ProviderInfo, providers: Providers) -> Recipe:
    """The recipe with one more use, and the services that it wants: a kernel goes around what is in none."""
    if any(use.provider == info.id for use in recipe.uses):
        return recipe
    uses, inside = list(recipe.uses), ""
    if info.position == "kernel":
        uses = [
            msgspec.structs.replace(use, inside=info.id)
            if not use.inside and providers[use.provider].info.position in _ENCLOSED
            else use
            for use in uses
        ]
    elif info.position in _ENCLOSED:
        kernels = (use.id for use in uses if providers[use.provider].info.position == "kernel")
        inside = next(kernels, "")
    changed = msgspec.structs.replace(recipe, uses=(*uses, Use(id=info.id, provider=info.id, inside=inside)))
    for name in info.wants:
        if name in providers:
            changed = with_provider(changed, providers[name].info, providers)
    return normal(changed)


def _defaults(
    recipe: Recipe, providers: Providers, known: Mapping[str, TargetCapabilities]
) -> dict[str, TargetCapabilities]:
    """Targets that are not there yet are taken in the newest version their provider was tried on."""
    paths = next((target.paths for target in known.values()), {})
    return default_capabilities(recipe, providers, paths)


def default_capabilities(
    recipe: Recipe, providers: Providers, paths: Mapping[str, str]
) -> dict[str, TargetCapabilities]:
    """Capabilities off any host: the newest version that each provider was tried on, and no facts."""
    return {
        use.id: TargetCapabilities(
            version=(providers[use.provider].info.versions or ("",))[-1],
            platform=recipe.platform,
            options=providers[use.provider].info.options(),
            paths=dict(paths),
        )
        for use in recipe.uses
    }
