"""`tappass provider list` and `provider show`."""

from typing import TYPE_CHECKING, get_args

import click

from tappass_host.cli.locks import lock_for
from tappass_host.cli.output import Out
from tappass_host.cli.registered import Registered
from tappass_host.cli.tree import verb

if TYPE_CHECKING:
    from tappass_host.registry import LoadedProvider
    from tappass_host.sdk.contract import ProviderInfo


@verb("list", "tappass provider list", "tappass provider list --position kernel --json")
@click.option("--position", metavar="NAME", help="Only providers of this position.")
def list_(out: Out, *, position: str | None) -> None:
    """List every provider there is, broken ones too.

    Built-in ones come with this package; others are packages with an entry point `tappass.providers`.
    """
    from tappass_host import registry
    from tappass_host.sdk.contract import Position

    if position not in (None, *get_args(Position)):
        names = ", ".join(get_args(Position))
        raise click.UsageError(f"no position {position!r}: there is {names}", click.get_current_context())
    found = [entry for entry in registry.all() if position in (None, entry.position)]

    def text() -> None:
        rows = [(e.id, e.position, e.version, e.status, e.source) for e in found]
        out.table(rows, ("ID", "POSITION", "VERSION", "STATUS", "SOURCE"))
        for entry in found:
            if entry.reason:
                out.note(f"{entry.id}: {entry.reason}")

    out.result(lambda: {"providers": [entry._asdict() for entry in found]}, text)


@verb("show", "tappass provider show bubblewrap", "tappass provider show anthropic-gateway --json")
@click.argument("provider_id", metavar="ID")
@click.option("--lock", metavar="FILE", help="Refuse it if it differs from this lock.")
def show(out: Out, *, provider_id: str, lock: str | None) -> None:
    """Show what one provider can and cannot hold.

    ID may be an alias. What it cannot hold comes with the reason that every report gives.
    """
    loaded = Registered(lock_for(lock, None) if lock else None)[provider_id]

    def answer() -> object:
        info = loaded.info
        fields = {name: getattr(info, name) for name in info.__struct_fields__ if name != "options"}
        return {**fields, "source": loaded.source, "digest": loaded.digest, "options": _options(info)}

    out.result(answer, lambda: _text(out, loaded))


def _options(info: "ProviderInfo") -> dict[str, str]:
    import msgspec

    defaults = msgspec.to_builtins(info.options())
    return {name: msgspec.json.encode(value).decode() for name, value in defaults.items()}


def _text(out: Out, loaded: "LoadedProvider") -> None:
    info = loaded.info
    out.line(f"{info.id} {info.version}, {info.position} provider for {info.target}", "bold")
    rows = [
        ("status", "preview: listed, never counted" if info.preview else "ok"),
        ("source", loaded.source),
        ("aliases", ", ".join(info.aliases)),
        ("tried on", ", ".join(info.versions)),
        ("platforms", ", ".join(info.platforms)),
        ("brings", ", ".join(info.brings)),
        ("wants", ", ".join(info.wants)),
        ("digest", loaded.digest),
    ]
    out.table([row for row in rows if row[1]], indent=2)
    _section(out, "speaks of", {aspect: ", ".join(surfaces) for aspect, surfaces in info.covers.items()})
    _section(out, "cannot", info.cannot)
    _section(out, "takes effect", dict(info.effects))
    _section(out, "options", _options(info))


def _section(out: Out, title: str, rows: dict[str, str]) -> None:
    if rows:
        out.line()
        out.line(title, "bold")
        out.table(sorted(rows.items()), indent=2)
