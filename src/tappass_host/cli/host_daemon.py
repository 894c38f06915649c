"""`tappass-host daemon` and `unit`: keeping what was applied in force, and starting that with the machine."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tappass_host.cli.errors import FINDINGS
from tappass_host.cli.host_state import host_option, layout_of
from tappass_host.cli.output import Out
from tappass_host.cli.tree import verb

if TYPE_CHECKING:
    from tappass_host.host.daemon import Daemon

_UNIT: Final = Path(__file__).parents[1] / "host" / "units" / "tappass-host.service"


@verb(
    "daemon",
    "tappass-host daemon",
    "tappass-host daemon --host-root ~/.tappass-host",
    "tappass-host daemon --once --json",
)
@host_option
@click.option("--once", is_flag=True, help="Do what is due now and end: for cron.")
def daemon(out: Out, *, host_root: str, once: bool) -> int:
    """Put drifted files right as they drift, and lock down when the policy's time is over.

    Runs until SIGTERM. With --once, exit code 1 says that a file could not be put right. With --json each
    event is one line.
    """
    from tappass_host.host.daemon import Daemon

    said: list[dict[str, str]] = []

    def say(word: str, text: str) -> None:
        said.append({"event": word, "text": text})
        if not once:
            _line(out, word, text)

    keeper = Daemon(layout_of(host_root).state, say)
    if not once:
        return _run(keeper)
    try:
        mended = keeper.once()
    finally:
        keeper.close()

    def text() -> None:
        for event in said:
            out.status(event["event"], event["text"])

    out.result(lambda: {"events": said}, text)
    return FINDINGS if any(m.error for m in mended) else 0


def _line(out: Out, word: str, text: str) -> None:
    import json

    if out.as_json:
        sys.stdout.write(json.dumps({"event": word, "text": text}) + "\n")
    else:
        out.status(word, text)
    sys.stdout.flush()


def _run(keeper: "Daemon") -> int:
    import signal
    from threading import Event

    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    keeper.run(stop)
    return 0


@verb("unit", "tappass-host unit > /etc/systemd/system/tappass-host.service")
def unit(out: Out) -> None:
    """Print a systemd unit that runs the daemon of this installation."""
    program = f"{sys.executable} -I -m tappass_host.cli.host_main"
    text = _UNIT.read_text().replace("@PROGRAM@", program)
    out.result(lambda: {"unit": text}, lambda: out.raw(text.encode()))
