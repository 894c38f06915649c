"""Run the proxy: `python -m tappass_host.dataplane.egress --config FILE [--ready-fd N]`.

SIGHUP reads the file again; if that fails, everything is denied until it succeeds. SIGTERM and
SIGINT end it. The ready descriptor gets one JSON line with the addresses bound.
"""

import argparse
import asyncio
import importlib
import json
import os
import resource
import signal
import sys
from pathlib import Path

from tappass_host.dataplane.egress.server import EgressProxy
from tappass_host.policy.errors import MissingTargetError, TappassError
from tappass_host.sdk.configs.egress import EgressConfig, decode

_SPARE_DESCRIPTORS = 64


def main(argv: list[str] | None = None) -> int:
    """Run until a signal; gives the exit code."""
    parser = argparse.ArgumentParser(prog="tappass-egress", description="Egress proxy of one sandbox.")
    parser.add_argument("--config", type=Path, required=True, help="rendered configuration")
    parser.add_argument("--ready-fd", type=int, help="gets one JSON line when the proxy listens")
    options = parser.parse_args(argv)
    try:
        config = _read(options.config)
        _raise_descriptor_limit(config.limits.connections)
        _run(config, options.config, options.ready_fd)
    except TappassError as error:
        sys.stderr.write(f"tappass-egress: {error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"tappass-egress: {error}\n")
        return MissingTargetError.exit_code
    return 0


def _read(path: Path) -> EgressConfig:
    return decode(path.read_bytes(), source=str(path))


def _raise_descriptor_limit(connections: int) -> None:
    """Every visit holds two descriptors; running out of them would be an outage that looks like a hang."""
    needed = 2 * connections + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        remedy = "raise the hard limit (ulimit -Hn) or lower limits.connections"
        what = f"{connections} connections need {needed} descriptors, {hard} allowed"
        raise MissingTargetError(what, remedy=remedy)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _run(config: EgressConfig, path: Path, ready_fd: int | None) -> None:
    try:  # optional: the standard loop does the same, slower
        run = importlib.import_module("uvloop").run
    except ImportError:
        run = asyncio.run
    run(_serve(config, path, ready_fd))


async def _serve(config: EgressConfig, path: Path, ready_fd: int | None) -> None:
    proxy = EgressProxy(config)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: _reload(proxy, path))
    bound = await proxy.start()
    if ready_fd is not None:
        os.write(ready_fd, json.dumps(bound).encode() + b"\n")
        os.close(ready_fd)
    try:
        await stop.wait()
    finally:
        await proxy.close()


def _reload(proxy: EgressProxy, path: Path) -> None:
    try:
        config = _read(path)
        _raise_descriptor_limit(config.limits.connections)
        proxy.reload(config)
    except Exception as error:  # noqa: BLE001 - fail closed, whatever it was
        proxy.lock_down("the configuration cannot be read")
        sys.stderr.write(f"tappass-egress: locked down: {error}\n")


def script() -> None:
    """Entry point of the installed program."""
    sys.exit(main())


if __name__ == "__main__":
    script()
