"""A Runtime in one line: `harness=claude-code,kernel=bubblewrap,interpreter=monty`.

The first kernel encloses every harness and interpreter, further kernels enclose the one before them, and the
services that a provider wants (`ProviderInfo.wants`) are added. The result is an ordinary recipe.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final, get_args

from tappass_host.compiler.providers import Providers, find
from tappass_host.compiler.recipe import GapAction, GapKey, Recipe, Use, normal
from tappass_host.policy.errors import RecipeError
from tappass_host.sdk.contract import Position, ProviderInfo

_ENCLOSED: Final = ("harness", "interpreter")
_REMEDY: Final = "write it like harness=claude-code,kernel=bubblewrap,interpreter=monty"


def parse_oneline(
    text: str,
    providers: Providers,
    *,
    name: str = "",
    platform: str = "linux",
    on_gap: Mapping[GapKey, GapAction] | None = None,
) -> Recipe:
    """Make a recipe of `position=provider` pairs.

    Args:
        text: pairs separated by commas; a provider may be given by an alias.
        providers: where to look providers up.
        name: of the Runtime; by default the ids joined by hyphens.
        platform: that it is for.
        on_gap: what to do about gaps.

    Raises:
        RecipeError: no pair, an unknown position or provider, or a provider of another position.
    """
    infos = [_info(pair, providers) for pair in text.split(",")]
    infos = _with_services(infos, providers)
    ids = _ids(infos)
    kernels = [use for use, info in zip(ids, infos, strict=True) if info.position == "kernel"]
    outer = dict(pairwise([*kernels, ""]))
    first = kernels[0] if kernels else ""
    uses = tuple(
        Use(id=use, provider=info.id, inside=first if info.position in _ENCLOSED else outer.get(use, ""))
        for use, info in zip(ids, infos, strict=True)
    )
    given = name or "-".join(ids)[:64].rstrip("-")
    return normal(Recipe(name=given, platform=platform, uses=uses, on_gap=dict(on_gap or {})))


def _info(pair: str, providers: Providers) -> ProviderInfo:
    position, equals, provider = pair.strip().partition("=")
    if not equals or not provider or position not in get_args(Position):
        raise RecipeError(f"{pair.strip()!r} is no position=provider", remedy=_REMEDY)
    info = find(providers, provider).info
    if info.position != position:
        raise RecipeError(f"{provider} is no {position}, it is a {info.position}", remedy=_REMEDY)
    return info


def _with_services(infos: list[ProviderInfo], providers: Providers) -> list[ProviderInfo]:
    found, at = list(infos), 0
    while at < len(found):
        there = {info.id for info in found}
        found += [find(providers, name).info for name in dict.fromkeys(found[at].wants) if name not in there]
        at += 1
    return found


def _ids(infos: list[ProviderInfo]) -> list[str]:
    """A use is called after its provider; a second one of the same gets a number."""
    seen: dict[str, int] = {}
    for info in infos:
        seen[info.id] = 0
    names: list[str] = []
    for info in infos:
        seen[info.id] += 1
        names.append(info.id if seen[info.id] == 1 else f"{info.id}-{seen[info.id]}")
    return names
