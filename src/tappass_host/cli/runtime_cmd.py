"""`tappass runtime create`, `list` and `show`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tappass_host.cli.files import make_folder, write
from tappass_host.cli.output import Out
from tappass_host.cli.recipes import recipe_of, recipe_yaml
from tappass_host.cli.registered import Registered
from tappass_host.cli.runtimes import Runtime, runtime_of, runtimes_in
from tappass_host.cli.tree import verb

if TYPE_CHECKING:
    from tappass_host.compiler.recipe import Recipe
    from tappass_host.compiler.topology import Topology


@verb(
    "create",
    "tappass runtime create --providers harness=claude-code,kernel=bubblewrap,interpreter=monty",
    "tappass runtime create laptop --providers claude-code,bubblewrap --out laptop.runtime.yaml",
)
@click.argument("name", required=False)
@click.option(
    "--providers",
    required=True,
    metavar="LIST",
    help="Pairs position=provider, separated by commas; a position may be left out.",
)
@click.option("--platform", default="linux", show_default=True, help="The platform that it is for.")
@click.option(
    "--out", "-o", "target", metavar="FILE", help="Write it there; default: NAME.runtime.yaml here."
)
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
def create(
    out: Out, *, name: str | None, providers: str, platform: str, target: str | None, force: bool
) -> None:
    """Write a Runtime from providers in one line.

    The first kernel encloses every harness and interpreter; services that a provider wants are added. The
    file is a recipe: edit it to set options, or what is to happen about gaps.
    """
    recipe = recipe_of(providers, name=name or "", platform=platform)
    path = Path(target or f"{recipe.name}.runtime.yaml")
    make_folder(path.parent)
    write(path, recipe_yaml(recipe), replace=force)
    _show(out, _runtime(recipe, path))


def _runtime(recipe: "Recipe", path: Path) -> Runtime:
    from tappass_host.compiler.recipe import runtime_digest

    return Runtime(recipe, runtime_digest(recipe), str(path))


@verb("list", "tappass runtime list", "tappass runtime list deploy/ --json")
@click.argument("folder", default=".", metavar="[FOLDER]")
def list_(out: Out, *, folder: str) -> None:
    """List the Runtimes of a folder, and of `runtimes` in it."""
    found = runtimes_in(Path(folder))

    def text() -> None:
        rows = [
            (r.recipe.name, r.recipe.platform, ", ".join(u.provider for u in r.recipe.uses), r.file)
            for r in found
        ]
        out.table(rows, ("RUNTIME", "PLATFORM", "PROVIDERS", "FILE"))
        if not found:
            out.note("No Runtimes here: tappass runtime create --providers harness=...,kernel=...")

    out.result(lambda: {"runtimes": [_document(runtime) for runtime in found]}, text)


@verb(
    "show", "tappass runtime show laptop", "tappass runtime show harness=claude-code,kernel=bubblewrap --json"
)
@click.argument("name", metavar="NAME|FILE|LIST")
def show(out: Out, *, name: str) -> None:
    """Show who encloses whom, and the digest that policies name.

    NAME is a Runtime here, a recipe file, or a list of providers as for `runtime create`.
    """
    _show(out, runtime_of(name))


def _show(out: Out, runtime: Runtime) -> None:
    from tappass_host.compiler.topology import Topology

    topology = Topology(runtime.recipe, Registered())
    rows = [
        ("  " * len(topology.enclosers(use)) + use, info.position, f"{info.target}{_tried(info.versions)}")
        for use in _nested(topology)
        for info in (topology.infos[use],)
    ]

    def text() -> None:
        out.status("runtime", f"{runtime.recipe.name} on {runtime.recipe.platform}  {runtime.file}", "ok")
        out.table(rows, ("USE", "POSITION", "TARGET"), indent=2)
        out.line(f"  {runtime.digest}", "dim")

    out.result(lambda: _document(runtime), text)


def _tried(versions: tuple[str, ...]) -> str:
    return f" (tried: {', '.join(versions)})" if versions else ""


def _nested(topology: "Topology") -> list[str]:
    """Uses from the outside in."""

    def below(outer: str) -> list[str]:
        inside = [use for use in topology.order if topology.uses[use].inside == outer]
        return [found for use in inside for found in (use, *below(use))]

    return below("")


def _document(runtime: Runtime) -> dict[str, object]:
    recipe = runtime.recipe
    return {"name": recipe.name, "file": runtime.file, "digest": runtime.digest, "recipe": recipe}
