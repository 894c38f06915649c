"""`tappass-host approvals | approve | deny`, as functions and commands to be mounted."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from tappass_host.host import approvals as desk
from tappass_host.host.layout import Layout
from tappass_host.policy.errors import PolicyError
from tappass_host.sdk.denial import ascii_only

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_SOCKET = click.option("--socket", type=click.Path(path_type=Path), help="Admin socket of one service.")
_ROOT = click.option("--host-root", default="/", show_default=True, type=click.Path(path_type=Path))


def chosen(host_root: Path, named: Path | None) -> list[Path]:
    """The admin sockets that are meant."""
    return desk.sockets(Layout(host_root.expanduser().resolve()), named)


def seconds_of(span: str) -> int:
    """`1h` as seconds.

    Raises:
        PolicyError: not a span of time.
    """
    match = _SPAN.fullmatch(span)
    if match is None:
        raise PolicyError(f"{ascii_only(span)} is not a span of time", remedy="write 30m, 1h or 1d")
    return int(match[1]) * _UNITS[match[2]]


def question_lines(questions: Sequence[dict[str, Any]], *, args: bool = False) -> list[str]:
    """What waits for an answer, for a terminal. Everything an agent wrote is ASCII already, and stays so."""
    if not questions:
        return ["nothing waits for an answer"]
    lines = []
    for one in questions:
        state = "waits" if one["waiting"] else "too late, may be approved for the next try"
        lines.append(ascii_only(f"{one['id']}  {one['sandbox']}  {one['what']}"))
        lines.append(ascii_only(f"  {one['statement']}: {one['reason']}; {state}, until {one['expires']}"))
        lines += [ascii_only(f"  {one['args']}")] if args else []
    return lines


@click.command("approvals")
@_SOCKET
@_ROOT
@click.option("--args", "args", is_flag=True, help="Show the whole arguments of each call.")
def approvals(*, socket: Path | None, host_root: Path, args: bool) -> None:
    """List the calls that wait for an answer."""
    click.echo("\n".join(question_lines(desk.waiting(chosen(host_root, socket)), args=args)))


@click.command("approve")
@click.argument("request")
@_SOCKET
@_ROOT
@click.option("--once", is_flag=True, help="For one call with these very arguments.")
@click.option("--for", "span", default="", metavar="SPAN", help="For the same call again, 30m or 1h long.")
def approve(*, request: str, socket: Path | None, host_root: Path, once: bool, span: str) -> None:
    """Allow a call that waits."""
    if once == bool(span):
        raise click.UsageError("say --once, or --for and how long")
    answer = desk.approve(chosen(host_root, socket), request, seconds=seconds_of(span) if span else 0)
    click.echo(f"approved {answer['id']} {'once' if answer['once'] else 'until ' + answer['until']}")


@click.command("deny")
@click.argument("request")
@_SOCKET
@_ROOT
def deny(*, request: str, socket: Path | None, host_root: Path) -> None:
    """Deny a call that waits, or take an approval back."""
    answer = desk.deny(chosen(host_root, socket), request)
    click.echo(f"{'taken back' if answer['revoked'] else 'denied'} {answer['id']}")
