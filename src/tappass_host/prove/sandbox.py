"""Run a program that sees other files at some paths, and leave the machine as it was.

Managed configuration lives below /etc. A private mount namespace shows the target ours there
without touching the real folder, as root or, by a user namespace, as anyone. The program also
gets its own process namespace, so that nothing it starts outlives it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tappass_host.policy.errors import MissingTargetError

_INNER = Path(__file__).with_name("mapped.py")


class Completed(NamedTuple):
    """How a program ended. `rc` is 128 + the signal for a program that was killed."""

    rc: int
    stdout: str
    stderr: str
    timed_out: bool
    seconds: float


def run_mapped(
    argv: Sequence[str],
    *,
    binds: Mapping[str, Path],
    env: Mapping[str, str],
    cwd: Path,
    timeout: float,
    readonly: bool = True,
    network: bool = True,
    forwards: Mapping[int, Path] | None = None,
    addresses: Sequence[str] = (),
    user: tuple[int, int] | None = None,
    stdin: str = "",
) -> Completed:
    """Run `argv` with each source of `binds` shown at its target path.

    Args:
        argv: program and arguments; the program is looked up on the PATH of `env`.
        binds: absolute target path -> existing file or folder. A missing target is made up.
        env: the whole environment.
        cwd: working folder, as the program sees it.
        timeout: seconds, after which the program and all it started are killed.
        readonly: whether the sources can be written through the targets.
        network: false for a network namespace with loopback only.
        forwards: loopback port -> unix socket, for the time of the run; for `network=False`.
        addresses: IPv4 addresses to put on loopback, for `network=False`.
        user: uid and gid to run as; only root can.
        stdin: what the program reads.

    Raises:
        MissingTargetError: this machine does not let us make the namespaces, or the program cannot
            be started.
    """
    with tempfile.TemporaryDirectory(prefix="tappass-map-") as scratch:
        order = {
            "argv": list(argv),
            "env": dict(env),
            "cwd": str(cwd),
            "binds": [(t, str(s.resolve()), readonly) for t, s in binds.items()],
            "overlays": _skeletons(binds, Path(scratch)),
            "network": network,
            "forwards": [(port, str(path)) for port, path in (forwards or {}).items()],
            "addresses": list(addresses),
            "user": user,
        }
        return _run(order, stdin, timeout)


def _skeletons(binds: Mapping[str, Path], scratch: Path) -> list[tuple[str, str]]:
    """Mount points that do not exist, grouped by the deepest folder that does."""
    made: dict[str, Path] = {}
    for target, source in binds.items():
        if Path(target).exists():
            continue
        folder = next(p for p in Path(target).parents if p.is_dir())
        root = made.setdefault(str(folder.resolve()), scratch / str(len(made)))
        place = root / Path(target).relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir(exist_ok=True) if source.is_dir() else place.touch()
    # The program may be another user than the one whose scratch folder this is.
    for folder in [scratch, *scratch.rglob("*")] if made else []:
        folder.chmod(0o755 if folder.is_dir() else 0o644)
    return [(folder, str(root)) for folder, root in made.items()]


def _run(order: dict[str, object], stdin: str, timeout: float) -> Completed:
    status_r, status_w = os.pipe()
    os.set_inheritable(status_w, True)
    text = json.dumps({**order, "status_fd": status_w})
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_INNER), text],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[status_w],
        env={},
        start_new_session=True,
    )
    os.close(status_w)
    with os.fdopen(status_r, "rb") as status:
        out, err, timed_out = _finish(process, stdin, timeout)
        failed = status.read().decode(errors="replace")
    if failed:
        program = order["argv"][0]  # type: ignore[index]
        remedy = "run as root, or allow unprivileged user namespaces (bubblewrap needs them as well)"
        raise MissingTargetError(f"cannot start {program} in namespaces: {failed}", remedy=remedy)
    seconds = time.monotonic() - started
    return Completed(process.returncode, out, err, timed_out, seconds)


def _finish(process: "subprocess.Popen[bytes]", stdin: str, timeout: float) -> tuple[str, str, bool]:
    timed_out = False
    try:
        out, err = process.communicate(stdin.encode(), timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
        # The process namespace dies with its first process, which dies with this one.
        process.kill()
        out, err = process.communicate()
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return out.decode(errors="replace"), err.decode(errors="replace"), timed_out
