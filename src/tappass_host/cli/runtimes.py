"""Runtimes that a person names: a recipe file, or the name of one in the current folder."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tappass_host.cli.files import FileError, read
from tappass_host.policy.errors import RecipeError
from tappass_host.policy.model import Policy

if TYPE_CHECKING:
    from tappass_host.compiler.recipe import Recipe

_SUFFIXES = (".runtime.yaml", ".yaml", ".yml")


class Runtime(NamedTuple):
    """A recipe and where it was read."""

    recipe: "Recipe"
    digest: str
    file: str


def runtime_of(name: str) -> Runtime:
    """Read a Runtime by file, by name, or from one line of providers.

    The name `laptop` is that of `laptop.runtime.yaml` or `laptop.yaml`, here or in `runtimes`.

    Raises:
        FileError: there is none.
        RecipeError: it cannot be used, at its place.
    """
    from tappass_host.compiler.recipe import parse_recipe, runtime_digest

    if "=" in name:
        from tappass_host.cli.recipes import recipe_of

        inline = recipe_of(name)
        return Runtime(inline, runtime_digest(inline), "")
    path = _find(name)
    recipe = parse_recipe(read(path), source=str(path))
    return Runtime(recipe, runtime_digest(recipe), str(path))


def _find(name: str) -> Path:
    path = Path(name)
    if path.is_file() or path.suffix in (".yaml", ".yml") or "/" in name:
        return path
    for folder in (Path(), Path("runtimes")):
        for suffix in _SUFFIXES:
            found = folder / f"{name}{suffix}"
            if found.is_file():
                return found
    here = {runtime.recipe.name: runtime.file for runtime in runtimes_in(Path())}
    if name in here:
        return Path(here[name])
    known = list(here)
    there = (
        f"there is {', '.join(known)}"
        if known
        else f"make one: tappass runtime create {name} --providers ..."
    )
    raise FileError(f"no Runtime {name} here", remedy=there)


def runtimes_in(folder: Path) -> list[Runtime]:
    """Every Runtime of a folder and of `runtimes` in it, sorted by name. Other YAML files are passed over."""
    from tappass_host.compiler.recipe import parse_recipe, runtime_digest

    found = []
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("runtimes/*.yaml")]):
        try:
            recipe = parse_recipe(read(path), source=str(path))
        except (RecipeError, FileError):
            continue
        found.append(Runtime(recipe, runtime_digest(recipe), str(path)))
    return sorted(found, key=lambda runtime: runtime.recipe.name)


def only_runtime(policy: Policy) -> Runtime:
    """The Runtime of this folder that a policy lists, if there is exactly one.

    Raises:
        FileError: there is none, or there are several.
    """
    listed = set(policy.runtimes.values())
    found = [runtime for runtime in runtimes_in(Path()) if runtime.digest in listed]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(runtime.recipe.name for runtime in found)
        raise FileError(
            f"the policy is for several Runtimes here: {names}", remedy="choose with --runtime NAME"
        )
    what = "none of the Runtimes that the policy lists is here" if listed else "the policy lists no Runtime"
    raise FileError(what, remedy="say which with --runtime NAME|FILE|harness=...,kernel=...")
