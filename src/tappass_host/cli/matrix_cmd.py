"""`tappass provider matrix`: providers side by side, aspect by aspect, with the proof of each cell."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tappass_host.cli.files import FileError, write
from tappass_host.cli.output import Out, clean, paint
from tappass_host.cli.tree import verb

if TYPE_CHECKING:
    from tappass_host.prove.matrix.model import Matrix, Stack
    from tappass_host.prove.matrix.table import Line
    from tappass_host.prove.record import Recorded

_STYLES: Final[dict[str, tuple[str, ...]]] = {
    "good": ("green",),
    "fair": ("yellow",),
    "poor": ("red",),
    "none": ("dim",),
    "dim": ("dim",),
    "bold": ("bold",),
}


@verb(
    "matrix",
    "tappass provider matrix",
    "tappass provider matrix --stack claude-code,bubblewrap,monty",
    "tappass provider matrix --format html --out matrix.html",
    "tappass provider matrix --recordings recordings/ --json",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown", "json", "html"]),
    default="table",
    show_default=True,
    help="How to show it. html is one page that needs nothing else.",
)
@click.option("--stack", metavar="LIST", help="Only these providers, and what they hold together.")
@click.option(
    "--recordings",
    "folders",
    multiple=True,
    metavar="FOLDER",
    help="Count these recordings too, besides those that ship. Repeat it.",
)
@click.option("--excuses", is_flag=True, help="Count what the conformance kit excuses; takes a while.")
@click.option("--out", "-o", "target", metavar="FILE", help="Write it there; default: standard output.")
def matrix(
    out: Out, *, form: str, stack: str | None, folders: tuple[str, ...], excuses: bool, target: str | None
) -> None:
    """Compare providers: aspect, verdict, proof.

    Everything is computed: the verdicts on the conformance kit's reference policy, as it is rendered today,
    the proofs from recordings of real targets, judged again. A recording that was edited is refused.
    """
    made = _matrix(out, stack, folders, excuses=excuses)
    form = "json" if out.as_json else form
    if form == "table" and target is None:
        _show(out, made)
        return
    data = _encoded(form, made)
    if target is None:
        out.raw(data)
    else:
        write(target, data)
        out.note(f"written   {target}")


def _matrix(out: Out, stack: str | None, folders: tuple[str, ...], *, excuses: bool) -> "Matrix":
    import msgspec

    from tappass_host import registry
    from tappass_host.prove.matrix.build import Source, build

    entries = registry.all()
    recorded = _recorded(folders)
    joined = _stack(stack) if stack else None
    if joined is not None:
        entries = tuple(entry for entry in entries if entry.id in joined.uses)
        recorded = [each for each in recorded if each.provider in joined.uses]
    with out.progress("matrix", len(entries)) as progress:
        made = build(Source(entries, registry.get), recorded, excuses=excuses, progress=progress.step)
    return msgspec.structs.replace(made, stack=joined)


def _stack(named: str) -> "Stack":
    from tappass_host import registry
    from tappass_host.prove.matrix.stack import stack

    return stack([word.strip() for word in named.split(",") if word.strip()], registry.get)


def _recorded(folders: tuple[str, ...]) -> "list[Recorded]":
    from tappass_host.prove.record import SHIPPED, recordings

    for name in folders:
        if not Path(name).is_dir():
            raise FileError("no such folder", source=name, remedy="tappass prove --record FOLDER makes one")
    return [each for folder in (SHIPPED, *map(Path, folders)) for each in recordings(folder)]


def _show(out: Out, made: "Matrix") -> None:
    from tappass_host.prove.matrix.table import table

    for line in table(made, out.width):
        out.painted(_painted(line, on=out.colour))


def _painted(line: "Line", *, on: bool) -> str:
    return "".join(paint(clean(span.text), *_STYLES.get(span.tone, ()), on=on) for span in line)


def _encoded(form: str, made: "Matrix") -> bytes:
    if form == "json":
        from tappass_host.prove.matrix.document import encoded

        return encoded(made)
    if form == "html":
        from tappass_host.prove.matrix.html import page

        return page(made).encode()
    if form == "markdown":
        from tappass_host.prove.matrix.markdown import markdown

        return markdown(made).encode()
    from tappass_host.prove.matrix.table import table

    return "".join(f"{_painted(line, on=False)}\n" for line in table(made)).encode()
