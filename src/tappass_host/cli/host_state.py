"""What is in force, and how it comes and goes: status, restore, rollback, lockdown, release, uninstall."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tappass_host.cli.errors import FINDINGS
from tappass_host.cli.output import Out
from tappass_host.cli.tree import verb
from tappass_host.host.layout import Layout

if TYPE_CHECKING:
    from tappass_host.host.engine import Change, Engine

# A daemon holds the state for moments only; whoever holds it for longer is stuck.
_WAIT_S: Final = 10.0
host_option = click.option(
    "--host-root", default="/", show_default=True, metavar="FOLDER", help="Do everything below this folder."
)


def layout_of(host_root: str) -> Layout:
    """The folders of the host that the user means."""
    return Layout(Path(host_root).expanduser().resolve())


def opened(host_root: str) -> "AbstractContextManager[Engine]":
    """The engine of that host."""
    from tappass_host.host.engine import Engine

    return Engine.opened(layout_of(host_root).state, wait_s=_WAIT_S)


@verb("status", "tappass-host status", "tappass-host status --host-root ~/.tappass-host --json")
@host_option
def status(out: Out, *, host_root: str) -> int:
    """Show the generation in force and every file that is not as it should be.

    Exit code 1: a file has drifted, or the host is locked down.
    """
    with opened(host_root) as engine:
        active = engine.store.current("active")
        drifted = engine.drifted()
        force = engine.store.force()
        files = engine.store.files(active.id, force.rendering) if active else {}
        validity = engine.validity(engine.now())
    locked = force.rendering == "lockdown"

    def text() -> None:
        if active is None or validity == "none":
            out.status("status", "nothing is in force here")
            return
        meta = active.meta
        what = f"generation {active.id}, policy v{meta.policy_version}, {validity}, {len(files)} files"
        out.status("active", what, "ok")
        out.line(f"          {meta.policy_digest}, since {meta.made_at}", "dim")
        if locked:
            out.status("LOCKED", f"by {force.cause}: {force.why}")
        _list(out, "DRIFTED", drifted)

    answer = {
        "generation": None if active is None else {"id": active.id, **active.meta._asdict()},
        "validity": validity,
        "force": force._asdict(),
        "files": {path: entry._asdict() for path, entry in files.items()},
        "drifted": [change.path for change in drifted],
    }
    out.result(lambda: answer, text)
    return FINDINGS if drifted or locked else 0


@verb("restore", "tappass-host restore")
@host_option
def restore(out: Out, *, host_root: str) -> int:
    """Put every drifted file right again. Exit code 1: one of them could not be."""
    with opened(host_root) as engine:
        mended = engine.restore()
    failed = [m for m in mended if m.error]

    def text() -> None:
        for one in mended:
            out.status("FAILED" if one.error else "restored", one.error or one.change.path)
        if not mended:
            out.status("restored", "nothing to do", "ok")

    answer = {
        "changes": [m.change._asdict() for m in mended if not m.error],
        "failed": [{"path": m.change.path, "error": m.error} for m in failed],
    }
    out.result(lambda: answer, text)
    return FINDINGS if failed else 0


@verb("rollback", "tappass-host rollback")
@host_option
def rollback(out: Out, *, host_root: str) -> int:
    """Put the rendering before the active one back in force. Content below the floor never comes back."""
    with opened(host_root) as engine:
        changes = engine.rollback(engine.now()).changes
    return _said(out, "rolled back", changes)


@verb("lockdown", 'tappass-host lockdown --why "token leaked"')
@host_option
@click.option("--why", default="", metavar="TEXT", help="Shown by `status` and kept with the state.")
def lockdown(out: Out, *, host_root: str, why: str) -> int:
    """Put the lock-down of the policy in force: everything is denied until `release`."""
    with opened(host_root) as engine:
        changes = engine.lock_down(why or "an operator asked for it").changes
    return _said(out, "locked", changes)


@verb("release", "tappass-host release")
@host_option
def release(out: Out, *, host_root: str) -> int:
    """End a lock-down: the active policy is in force again, if its time is not over."""
    with opened(host_root) as engine:
        changes = engine.release(engine.now()).changes
    return _said(out, "released", changes)


@verb("uninstall", "tappass-host uninstall --host-root ~/.tappass-host")
@host_option
def uninstall(out: Out, *, host_root: str) -> int:
    """Give back every file that was there before us, and take everything else of ours away."""
    with opened(host_root) as engine:
        changes = engine.uninstall()
    return _said(out, "uninstalled", changes)


def _said(out: Out, word: str, changes: "Sequence[Change]") -> int:
    out.result(
        lambda: {"changes": [change._asdict() for change in changes]},
        lambda: _list(out, word, changes) if changes else out.status(word, "nothing to do", "ok"),
    )
    return 0


def _list(out: Out, word: str, changes: "Sequence[Change]") -> None:
    for change in changes:
        out.status(word, f"{change.what:<8} {change.path}")
