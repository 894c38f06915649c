"""`tappass provider matrix`: providers side by side."""

import click

from tappass_host import __version__
from tappass_host.cli.files import write
from tappass_host.cli.matrix.cells import Row, checked_recordings, document, rows_of
from tappass_host.cli.output import Out
from tappass_host.cli.registered import Registered
from tappass_host.cli.tree import verb


@verb(
    "matrix",
    "tappass provider matrix",
    "tappass provider matrix --stack claude-code,bubblewrap,monty",
    "tappass provider matrix --format html --out matrix.html",
    "tappass provider matrix --format markdown",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown", "json", "html"]),
    default="table",
    show_default=True,
    help="How to show it; html is one page that needs nothing else.",
)
@click.option("--stack", metavar="LIST", help="Only these providers, and what they hold together.")
@click.option("--out", "-o", "target", metavar="FILE", help="Write it there; default: standard output.")
def matrix(out: Out, *, form: str, stack: str | None, target: str | None) -> None:
    """Compare providers: aspect, verdict, proof.

    Computed on the conformance kit's reference policy, with the recordings of proofs that came with this
    version. A verdict is enforced if all of the aspect is, and partial if some of it is.
    """
    providers = Registered()
    ids = [word.strip() for word in stack.split(",") if word.strip()] if stack else list(providers)
    loaded = {found.id: found for found in (providers[name] for name in ids)}
    rows, failed = rows_of(loaded.values(), checked_recordings(loaded, loaded))
    for name, why in failed.items():
        out.note(f"left out  {name}: {why}")
    together = _together(list(loaded), providers) if stack else None
    form = "json" if out.as_json else form
    if form == "table" and target is None:
        from tappass_host.cli.matrix.text import show

        show(out, rows, together)
        return
    data = _rendered(form, rows, together).encode()
    if target is None:
        out.raw(data)
    else:
        write(target, data)
        out.note(f"written   {target}")


def _together(ids: list[str], providers: Registered) -> dict[str, object]:
    from tappass_host.cli.matrix.stack import stack_of

    return stack_of(ids, providers)


def _rendered(form: str, rows: tuple[Row, ...], together: dict[str, object] | None) -> str:
    if form == "html":
        from tappass_host.cli.matrix.page import page

        return page(rows, together, version=__version__)
    if form == "json":
        import json

        extra = {} if together is None else {"stack": together}
        return json.dumps({**document(rows), **extra}, indent=2) + "\n"
    from tappass_host.cli.matrix.text import markdown

    return markdown(rows, together)
