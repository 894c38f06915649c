"""One at a time: a lock that the system gives back when its holder ends, however it ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tappass_host.policy.errors import TappassError

_PAUSE_S: Final = 0.005


class QuarantineError(TappassError):
    """The state on the disk is not one that we made; nothing is touched until a person looks."""

    exit_code = 4


class BusyError(QuarantineError):
    """Somebody else is at work."""


@contextmanager
def held(path: Path, *, what: str, wait_s: float = 0) -> Iterator[None]:
    """Hold the lock of a file.

    Args:
        path: the file; it is made, in a folder that is there.
        what: who else is at work then, for the message.
        wait_s: for how long to wait for it, in seconds.

    Raises:
        BusyError: somebody else holds it.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _take(lock, path, what, time.monotonic() + wait_s)
        yield
    finally:
        os.close(lock)


def _take(lock: int, path: Path, what: str, until: float) -> None:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise BusyError(f"{what} is at work", source=str(path.parent)) from None
            time.sleep(_PAUSE_S)
        else:
            return
