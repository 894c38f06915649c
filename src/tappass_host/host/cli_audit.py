"""`tappass-host audit verify | tail | show | export` and `why`, as functions and a group to be mounted.

Each function gives what the verb is to say; the group below is the thinnest way to say it.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from tappass_host import __version__
from tappass_host.audit.record import Record
from tappass_host.host import audits
from tappass_host.host.layout import Layout
from tappass_host.sdk.denial import readable

_LOGS = click.option(
    "--log",
    "logs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A log, or a folder of logs; all of this host if none is named.",
)
_ROOT = click.option("--host-root", default="/", show_default=True, type=click.Path(path_type=Path))


def chosen(host_root: Path, logs: Sequence[Path]) -> list[Path]:
    """The logs that are meant."""
    return audits.folders(Layout(host_root.expanduser().resolve()), logs)


def verify_lines(
    logs: Sequence[Path], *, witness: Path | None = None, first_key: str = ""
) -> tuple[list[str], bool]:
    """What verification says, and whether all is well."""
    kept = audits.witnesses(witness)
    checked = audits.verify(logs, kept, first_key=first_key)
    lost = audits.strangers(checked, kept)
    lines = [line for one in checked for line in _said(one)]
    lines += [f"FAILED   a witness knows log {name}, which is not here" for name in lost]
    return lines, not lost and all(one.report.ok for one in checked)


def _said(one: audits.Checked) -> Iterable[str]:
    report = one.report
    word = "ok" if report.ok else "FAILED"
    yield f"{word:<8} {one.folder}: records {report.first} to {report.last}, epoch {report.epoch}"
    yield from (f"         {place}: {readable(what)}" for place, what in report.findings)
    yield from (f"         note: {note}" for note in report.notes)


def record_line(record: Record) -> str:
    """A record in one line for a terminal."""
    event = {key: value for key, value in record.event.items() if key != "type" and value not in ("", [], {})}
    first = " ".join(str(event[key]) for key in ("request", "effect", "answer", "what") if key in event)
    reason = f": {event['reason']}" if event.get("reason") else ""
    return readable(f"{record.at} {record.kind:<14} {first}{reason}")


def why_lines(logs: Sequence[Path], request: str) -> list[str]:
    """What was decided about one request, by which statement, of which level and line."""
    lines = []
    for record in audits.about(logs, request):
        lines.append(record_line(record))
        event: dict[str, Any] = record.event
        said = [
            (key, event.get(key)) for key in ("statement", "level", "source", "tags", "tainted", "approval")
        ]
        lines += [readable(f"  {key:<10} {_flat(value)}") for key, value in said if value]
        if record.kind == "decision":
            lines.append(f"  policy     v{event['policy']['version']} {event['policy']['digest']}")
    return lines


def _flat(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@click.group("audit")
def audit() -> None:
    """Check, show and export what was recorded."""


@audit.command()
@_LOGS
@_ROOT
@click.option("--witness", type=click.Path(path_type=Path), help="Folder of checkpoints kept elsewhere.")
@click.option("--first-key", default="", help="Public key that the log has to begin with.")
@click.pass_context
def verify(
    ctx: click.Context, *, logs: tuple[Path, ...], host_root: Path, witness: Path | None, first_key: str
) -> None:
    """Find every edit, cut, reorder and replay. Exit code 1: something is wrong."""
    lines, ok = verify_lines(chosen(host_root, logs), witness=witness, first_key=first_key)
    click.echo("\n".join(lines))
    ctx.exit(0 if ok else 1)


@audit.command()
@_LOGS
@_ROOT
@click.option("--count", "-n", default=20, show_default=True, help="How many records.")
def tail(*, logs: tuple[Path, ...], host_root: Path, count: int) -> None:
    """Show the newest records."""
    for record in audits.tail(chosen(host_root, logs), count):
        click.echo(record_line(record))


@audit.command()
@click.argument("request")
@_LOGS
@_ROOT
def show(*, request: str, logs: tuple[Path, ...], host_root: Path) -> None:
    """Show every record of one request, whole."""
    for record in audits.about(chosen(host_root, logs), request):
        click.echo(json.dumps(msgspec.to_builtins(record), indent=2, sort_keys=True))


@audit.command("export")
@_LOGS
@_ROOT
@click.option("--format", "form", type=click.Choice(["jsonl", "ocsf"]), default="jsonl", show_default=True)
def export_(*, logs: tuple[Path, ...], host_root: Path, form: str) -> None:
    """Write every record to standard output, one line each."""
    write = sys.stdout.buffer.write
    for line in audits.exported(chosen(host_root, logs), form, product=__version__):  # type: ignore[arg-type]
        write(line)


@click.command("why")
@click.argument("request")
@_LOGS
@_ROOT
def why_(*, request: str, logs: tuple[Path, ...], host_root: Path) -> None:
    """Say why a request was decided as it was: statement, level, source line, policy."""
    click.echo("\n".join(why_lines(chosen(host_root, logs), request)))
