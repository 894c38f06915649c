"""Recipes from one line, and recipes as YAML."""

from typing import TYPE_CHECKING, Any

from tappass_host.cli.registered import Registered

if TYPE_CHECKING:
    from tappass_host.compiler.recipe import Recipe, Use


def recipe_of(text: str, *, name: str = "", platform: str = "linux") -> "Recipe":
    """Make a recipe of `harness=claude-code,kernel=bubblewrap`; the positions may be left out.

    Raises:
        RecipeError: an unknown position or provider, or they do not go together.
    """
    from tappass_host.compiler.oneline import parse_oneline

    providers = Registered()
    pairs = [_positioned(word.strip(), providers) for word in text.split(",")]
    return parse_oneline(",".join(pairs), providers, name=name, platform=platform)


def _positioned(word: str, providers: Registered) -> str:
    return word if "=" in word else f"{providers[word].info.position}={word}"


def recipe_yaml(recipe: "Recipe") -> bytes:
    """A recipe as a person would write it."""
    import yaml

    head: dict[str, Any] = {"schema": recipe.schema, "name": recipe.name, "platform": recipe.platform}
    if recipe.on_gap:
        head["on_gap"] = dict(recipe.on_gap)
    lines = [yaml.safe_dump(head, sort_keys=False), "uses:\n"]
    lines += [
        f"  - {yaml.safe_dump(_use(use), default_flow_style=True, sort_keys=False, width=1000)}"
        for use in recipe.uses
    ]
    return "".join(lines).encode()


def _use(use: "Use") -> dict[str, Any]:
    fields: dict[str, Any] = {"id": use.id, "provider": use.provider}
    if use.inside:
        fields["inside"] = use.inside
    if use.options:
        fields["options"] = use.options
    return fields
