"""`tappass-host status`, `restore`, `rollback`, `uninstall`: what is in force, and how it comes and goes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tappass_host.cli.errors import FINDINGS
from tappass_host.cli.output import Out
from tappass_host.cli.tree import verb
from tappass_host.host.layout import Layout

if TYPE_CHECKING:
    from tappass_host.host.engine import Change

host_option = click.option(
    "--host-root", default="/", show_default=True, metavar="FOLDER", help="Do everything below this folder."
)


def layout_of(host_root: str) -> Layout:
    """The folders of the host that the user means."""
    return Layout(Path(host_root).expanduser().resolve())


@verb("status", "tappass-host status", "tappass-host status --host-root ~/.tappass-host --json")
@host_option
def status(out: Out, *, host_root: str) -> int:
    """Show the generation in force and every file that is not as it should be: then exit code 1."""
    with _opened(host_root) as engine:
        active = engine.store.current("active")
        drifted = engine.drifted()
        files = engine.store.files(active.id) if active else {}

    def text() -> None:
        if active is None or not files:
            out.status("status", "nothing is in force here")
            return
        meta = active.meta
        out.status(
            "active", f"generation {active.id}, policy v{meta.policy_version}, {len(files)} files", "ok"
        )
        out.line(f"          {meta.policy_digest}, since {meta.made_at}", "dim")
        _list(out, "DRIFTED", drifted)

    answer = {
        "generation": None if active is None else {"id": active.id, **active.meta._asdict()},
        "files": {path: entry._asdict() for path, entry in files.items()},
        "drifted": [change.path for change in drifted],
    }
    out.result(lambda: answer, text)
    return FINDINGS if drifted else 0


@verb("restore", "tappass-host restore")
@host_option
def restore(out: Out, *, host_root: str) -> int:
    """Put every drifted file right again."""
    with _opened(host_root) as engine:
        changes = engine.restore()
    return _said(out, "restored", changes)


@verb("rollback", "tappass-host rollback")
@host_option
def rollback(out: Out, *, host_root: str) -> int:
    """Put the rendering before the active one back in force. Content below the floor never comes back."""
    with _opened(host_root) as engine:
        changes = engine.rollback().changes
    return _said(out, "rolled back", changes)


@verb("uninstall", "tappass-host uninstall --host-root ~/.tappass-host")
@host_option
def uninstall(out: Out, *, host_root: str) -> int:
    """Give back every file that was there before us, and take everything else of ours away."""
    with _opened(host_root) as engine:
        changes = engine.uninstall()
    return _said(out, "uninstalled", changes)


def _opened(host_root: str) -> "Any":
    from tappass_host.host.engine import Engine

    return Engine.opened(layout_of(host_root).state)


def _said(out: Out, word: str, changes: "Sequence[Change]") -> int:
    out.result(
        lambda: {"changes": [change._asdict() for change in changes]},
        lambda: _list(out, word, changes) if changes else out.status(word, "nothing to do", "ok"),
    )
    return 0


def _list(out: Out, word: str, changes: "Sequence[Change]") -> None:
    for change in changes:
        out.status(word, f"{change.what:<8} {change.path}")
