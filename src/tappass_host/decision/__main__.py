"""Run the service: `python -m tappass_host.decision --config FILE [--ready-fd N]`.

SIGHUP reads the file again; if that fails, everything is denied until it succeeds. SIGTERM and SIGINT end it.
The ready descriptor gets one JSON line with the sockets.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Final

from tappass_host import __version__
from tappass_host.audit.events import PolicyLabel, Reloaded, Started, Stopped
from tappass_host.audit.files import read
from tappass_host.audit.witness import folder_witness
from tappass_host.audit.write import Log, LogSettings
from tappass_host.decision.decider import Decider, check_same_place
from tappass_host.decision.server import Server
from tappass_host.decision.state import State
from tappass_host.policy.canonical import digest
from tappass_host.policy.errors import AuditError, MissingTargetError, TappassError
from tappass_host.sdk.configs.decision import MAX_BYTES, DecisionConfig, decode

COMPONENT: Final = "decision-service"
_TICK_S: Final = 2.0


def main(argv: list[str] | None = None) -> int:
    """Run until a signal; gives the exit code."""
    parser = argparse.ArgumentParser(prog="tappass-decision", description="Decision service of one sandbox.")
    parser.add_argument("--config", type=Path, required=True, help="rendered configuration")
    parser.add_argument("--ready-fd", type=int, help="gets one JSON line when the service listens")
    options = parser.parse_args(argv)
    try:
        asyncio.run(_serve(options.config, options.ready_fd))
    except TappassError as error:
        sys.stderr.write(f"tappass-decision: {error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"tappass-decision: {error}\n")
        return MissingTargetError.exit_code
    return 0


def load(path: Path) -> tuple[DecisionConfig, str]:
    """The configuration and the digest of its bytes."""
    data = read(path, max_bytes=MAX_BYTES)
    return decode(data, source=str(path)), digest(data)


async def _serve(path: Path, ready_fd: int | None) -> None:
    config, config_digest = load(path)
    with contextlib.ExitStack() as held:
        log = held.enter_context(contextlib.closing(_log(config)))
        state = held.enter_context(contextlib.closing(State(Path(config.state))))
        decider = held.enter_context(contextlib.closing(Decider(config, state, log.append)))
        server = Server(decider, log.append)
        log.append(
            Started(
                component=COMPONENT,
                version=__version__,
                policy=_label(config),
                config=config_digest,
                mode=config.mode,
            )
        )
        bound = await server.start()
        try:
            await _until_stopped(path, decider, log, ready_fd, bound)
        finally:
            await server.close()
            log.append(Stopped(component=COMPONENT))


async def _until_stopped(
    path: Path, decider: Decider, log: Log, ready_fd: int | None, bound: dict[str, str]
) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: _reload(path, decider, log))
    if ready_fd is not None:
        os.write(ready_fd, json.dumps(bound).encode() + b"\n")
        os.close(ready_fd)
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _TICK_S)
        try:
            log.tick()
        except AuditError as error:
            # The next verdict fails on the same, and is a denial.
            sys.stderr.write(f"tappass-decision: {error}\n")


def _log(config: DecisionConfig) -> Log:
    witness = folder_witness(Path(config.audit.witness)) if config.audit.witness else None
    settings = LogSettings(fsync=config.audit.fsync)
    return Log.open(
        Path(config.audit.folder),
        component=COMPONENT,
        sandbox=config.sandbox,
        settings=settings,
        witness=witness,
    )


def _label(config: DecisionConfig) -> PolicyLabel:
    return PolicyLabel(digest=config.policy.digest, version=config.policy.version)


def _reload(path: Path, decider: Decider, log: Log) -> None:
    try:
        config, config_digest = load(path)
        check_same_place(decider.config, config)
        log.append(Reloaded(policy=_label(config), config=config_digest))
        decider.load(config)
    except Exception as error:  # noqa: BLE001 - fail closed, whatever it was
        decider.lock_down("the configuration cannot be read")
        sys.stderr.write(f"tappass-decision: locked down: {error}\n")
        with contextlib.suppress(AuditError):
            log.append(Reloaded(policy=_label(decider.config), error=str(error)[:200]))


def script() -> None:
    """Entry point of the installed program."""
    sys.exit(main())


if __name__ == "__main__":
    script()
