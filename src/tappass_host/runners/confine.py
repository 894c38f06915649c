"""What the child does to itself before any engine is loaded. Nothing here can be undone later.

Standard library only. Linux does all of it, other POSIX systems the resource limits.
"""

import os
import resource
import signal
import sys
from typing import TypedDict

# include/uapi/linux/prctl.h, stable since Linux 2.1.57 and 3.5.
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


class ResourceCaps(TypedDict):
    """Hard limits of the child and of every process the engine starts."""

    cpu_s: int
    file_bytes: int
    open_files: int
    address_space: int | None


def confine(caps: ResourceCaps, parent: int) -> None:
    """Give up what the engine never needs.

    Raises:
        OSError: the system refused; nothing may run then.
    """
    os.umask(0o077)
    _cap(resource.RLIMIT_CORE, 0)
    # At the soft limit SIGXCPU says why; at the hard one, a second later, SIGKILL ends whoever ignored it.
    _cap(resource.RLIMIT_CPU, caps["cpu_s"], spare=1)
    _cap(resource.RLIMIT_FSIZE, caps["file_bytes"])
    _cap(resource.RLIMIT_NOFILE, caps["open_files"])
    if caps["address_space"] is not None:
        _cap(resource.RLIMIT_AS, caps["address_space"])
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the signal was set; then nobody would end this child.
    if os.getppid() != parent:
        raise OSError("the runner is gone")


def _cap(kind: int, value: int, *, spare: int = 0) -> None:
    _, hard = resource.getrlimit(kind)
    limit = value + spare if hard == resource.RLIM_INFINITY else min(value + spare, hard)
    resource.setrlimit(kind, (min(value, limit), limit))


def _prctl(option: int, value: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    # Variadic arguments of prctl are unsigned long; a plain int would leave the upper half undefined.
    if libc.prctl(option, *(ctypes.c_ulong(each) for each in (value, 0, 0, 0))) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
