"""Becomes a program: descriptors, limits and environment exactly as ordered, nothing inherited.

Run by path with `python -I -S`; the order is one JSON argument.
"""

import json
import os
import resource
import sys


def main() -> None:
    """Open, limit, exec."""
    order = json.loads(sys.argv[1])
    opened = {int(number): os.open(path, os.O_RDONLY) for number, path in order["fds"].items()}
    # Two steps, because a wanted number may be in use by one that is still to be placed.
    high = {number: os.dup(descriptor) for number, descriptor in opened.items()}
    for number, descriptor in high.items():
        if descriptor != number:
            os.dup2(descriptor, number, inheritable=True)
        else:
            os.set_inheritable(number, True)
    for name, limit in order["rlimits"].items():
        _limit(getattr(resource, f"RLIMIT_{name.upper()}"), limit)
    os.chdir(order["cwd"])
    os.execve(order["argv"][0], order["argv"], order["env"])  # noqa: S606 - no shell is the point


def _limit(kind: int, limit: int) -> None:
    """Set a limit, or keep the machine's own where that is lower: raising it takes rights we do not need."""
    _, hard = resource.getrlimit(kind)
    real = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (real, real))


main()
