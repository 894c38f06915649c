"""The child as the runner holds it: start, deadline, end. Nothing the child does can keep it alive.

The whole process group dies by SIGKILL: an engine may ignore or never reach any other signal.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from tappass_host.policy.errors import MissingTargetError
from tappass_host.runners.frames import Channel
from tappass_host.runners.result import Usage

# Arguments for the Python that runs us; the number of the child's socket follows.
COMMAND = ("-I", "-B", "-m", "tappass_host.runners.child")

_STDERR_KEPT = 2000
# How long a child that has reported may take to leave by itself, so that its usage is counted whole.
_LEAVE_S = 1.0


class End(NamedTuple):
    """What is left of a child. A negative exit code is a signal; last words are the end of its stderr."""

    usage: Usage
    exit_code: int
    last_words: str


class Child:
    """A confined child process in its own session, with an empty environment.

    Args:
        wall_s: seconds after which the group is killed, whatever anyone is doing.

    Raises:
        MissingTargetError: no process can be started here.
    """

    def __init__(self, wall_s: float) -> None:
        self._started = time.monotonic()
        self._process, self._socket = _spawn()
        self._alive = threading.Lock()
        self._reaped = False
        self.channel = Channel(self._socket)
        # Called when the group is killed: what the runner waits for on behalf of the child ends with it.
        self.on_kill: list[Callable[[], object]] = []
        self.timed_out = self.killed = False
        self._watchdog = threading.Timer(wall_s, self._expire)
        self._watchdog.daemon = True
        self._watchdog.start()

    @property
    def pid(self) -> int:
        """Process id, and process group id."""
        return self._process.pid

    def kill(self) -> None:
        """Kill the whole group. The leader is not reaped before this, so its number cannot be another's."""
        with self._alive:
            if not self._reaped:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)
        self.killed = True
        for each in tuple(self.on_kill):
            each()

    def finish(self) -> End:
        """End and reap the child."""
        self._socket.settimeout(_LEAVE_S)
        with contextlib.suppress(OSError):
            self._socket.recv(1)
        self.kill()
        self._watchdog.cancel()
        stderr = self._last_words()
        with self._alive:
            _, status, used = os.wait4(self.pid, 0)
            self._reaped = True
            code = self._process.returncode = os.waitstatus_to_exitcode(status)
        self._socket.close()
        wall_ms = int((time.monotonic() - self._started) * 1000)
        usage = Usage(wall_ms, int((used.ru_utime + used.ru_stime) * 1000), _kib(used.ru_maxrss))
        return End(usage, code, stderr)

    def _expire(self) -> None:
        self.timed_out = True
        self.kill()

    def _last_words(self) -> str:
        assert self._process.stderr is not None
        with self._process.stderr as pipe:
            os.set_blocking(pipe.fileno(), False)
            return (pipe.read(1 << 16) or b"")[-_STDERR_KEPT:].decode("utf-8", "replace")


def _spawn() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the child with one end of a new socket.

    Raises:
        MissingTargetError: this system cannot.
    """
    if not sys.executable or not hasattr(os, "killpg"):
        raise MissingTargetError(
            "runners need a POSIX system and a Python to start", remedy="run on Linux or macOS"
        )
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(
                [sys.executable, *COMMAND, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise MissingTargetError(f"the child cannot be started: {error.strerror}") from error
    return process, ours


def _kib(maxrss: int) -> int:
    # Linux counts KiB, macOS bytes (getrusage(2) of each).
    return maxrss // 1024 if sys.platform == "darwin" else maxrss
