"""Runtime recipes, schema `tappass.runtime/v1`: which providers are used, and which encloses which.

    schema: tappass.runtime/v1
    name: laptop
    uses:
      - {id: box, provider: bubblewrap}
      - {id: agent, provider: claude-code, inside: box}
    on_gap: {budget: refuse}

A signed policy lists the digest of every Runtime that it may be compiled for.
"""

import re
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from tappass_host.policy.canonical import canonical_bytes, digest
from tappass_host.policy.errors import PolicyError, RecipeError
from tappass_host.policy.model import ASPECTS

SCHEMA: Final = "tappass.runtime/v1"
GapAction = Literal["refuse", "stricter", "warn"]
GapKey = Literal[
    "network",
    "filesystem",
    "tools",
    "ask",
    "constraints",
    "mcp",
    "interpreter",
    "data",
    "llm",
    "budget",
    "process",
    "credentials",
    "head",
    "extensions",
]
# What nobody holds is refused where it is the boundary itself; the rest is written into every report.
ON_GAP: Final[dict[GapKey, GapAction]] = {
    "network": "refuse",
    "filesystem": "refuse",
    "credentials": "refuse",
    "tools": "refuse",
    "constraints": "refuse",
    "mcp": "refuse",
    "ask": "stricter",
}
_ID: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_ID_LENGTH: Final = 64


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every part of a recipe."""


class Use(Part, frozen=True, kw_only=True):
    """One provider in a Runtime.

    Attributes:
        inside: id of the use that encloses this one; empty for none.
        options: for the provider's own options Struct, which refuses unknown ones.
    """

    id: str
    provider: str
    inside: str = ""
    options: dict[str, Any] = {}


class Recipe(Part, frozen=True, kw_only=True):
    """A Runtime.

    Attributes:
        uses: sorted by id; the order they were written in means nothing.
        on_gap: what to do about a restriction nobody holds; by default as in `ON_GAP`, else `warn`.
        accept_cooperative: aspects where a claim counts that only holds while the target cooperates.
    """

    schema: Literal["tappass.runtime/v1"] = SCHEMA
    name: str
    platform: str = "linux"
    uses: tuple[Use, ...]
    on_gap: dict[GapKey, GapAction] = {}
    accept_cooperative: tuple[str, ...] = ()
    delivery: Literal["host", "mdm", "image"] = "host"

    def gap_action(self, key: GapKey) -> GapAction:
        """What to do about a gap of one kind."""
        return self.on_gap.get(key, ON_GAP.get(key, "warn"))


def runtime_digest(recipe: Recipe) -> str:
    """`sha256:...` of the canonical recipe: what `runtimes` of a policy lists."""
    return digest(canonical_bytes(recipe))


def parse_recipe(data: bytes, *, source: str = "runtime.yaml") -> Recipe:
    """Read a recipe from YAML.

    Raises:
        RecipeError: with `file:line:col`, or the JSON Pointer, of what is wrong.
    """
    from tappass_host.policy.decode import convert
    from tappass_host.policy.marked import parse_yaml

    try:
        marked = parse_yaml(data, source=source)
    except PolicyError as error:
        raise RecipeError(error.message, source=error.source, remedy=error.remedy) from error
    try:
        return normal(convert(marked.value, Recipe))
    except (PolicyError, RecipeError) as error:
        place = marked.at(_path(error.pointer))
        raise RecipeError(error.message, pointer=error.pointer, source=place, remedy=error.remedy) from None


def normal(recipe: Recipe) -> Recipe:
    """The recipe in its one form, checked as far as that goes without providers.

    Raises:
        RecipeError: a malformed or doubled id, an unknown use, a circle of `inside`, an unknown aspect.
    """
    if not recipe.uses:
        raise RecipeError("uses no provider", pointer="/uses", remedy="list at least one use")
    by_id: dict[str, Use] = {}
    for index, use in enumerate(recipe.uses):
        _check_id(use.id, f"/uses/{index}/id")
        if use.id in by_id:
            raise RecipeError(f"two uses are called {use.id}", pointer=f"/uses/{index}/id")
        by_id[use.id] = use
    for index, use in enumerate(recipe.uses):
        _check_inside(use, by_id, f"/uses/{index}/inside")
    for index, aspect in enumerate(recipe.accept_cooperative):
        if aspect not in ASPECTS:
            raise RecipeError(f"no aspect {aspect}", pointer=f"/accept_cooperative/{index}")
    _check_id(recipe.name, "/name")
    return msgspec.structs.replace(
        recipe,
        uses=tuple(by_id[key] for key in sorted(by_id)),
        accept_cooperative=tuple(sorted(set(recipe.accept_cooperative))),
    )


def _check_id(text: str, pointer: str) -> None:
    if len(text) > _ID_LENGTH or not _ID.fullmatch(text):
        remedy = "use lower-case letters and digits, with single hyphens between"
        raise RecipeError(f"{text!r} is no name", pointer=pointer, remedy=remedy)


def _check_inside(use: Use, by_id: dict[str, Use], pointer: str) -> None:
    seen = [use.id]
    while by_id[seen[-1]].inside:
        outer = by_id[seen[-1]].inside
        if outer not in by_id:
            raise RecipeError(f"{seen[-1]} is inside {outer}, which is no use", pointer=pointer)
        if outer in seen:
            raise RecipeError(f"{' inside '.join([*seen, outer])} is a circle", pointer=pointer)
        seen.append(outer)


def _path(pointer: str) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdigit() else part for part in pointer.split("/")[1:])
