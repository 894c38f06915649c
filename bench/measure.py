"""Measuring on a machine that is never quiet: CPU time, medians of many runs, and what the machine was."""

import gc
import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Timing(NamedTuple):
    """Milliseconds of CPU: the median of all runs, and the quickest."""

    p50: float
    best: float


def of_call(call: Callable[[], object], *, runs: int = 31, warm: bool = True) -> Timing:
    """CPU time of a call in this process, the collector apart. `warm`: one call before is not counted."""
    times = []
    if warm:
        call()
    gc.collect()
    gc.disable()
    try:
        for _ in range(runs):
            began = time.process_time_ns()
            call()
            times.append((time.process_time_ns() - began) / 1e6)
    finally:
        gc.enable()
    return Timing(statistics.median(times), min(times))


def of_process(
    argv: Sequence[str], *, runs: int = 9, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Timing:
    """CPU time of a whole process with its children, user and system together; one run before is not counted.

    Raises:
        CalledProcessError: it did not end with 0.
    """
    times = []
    for _ in range(runs + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(argv, cwd=cwd, env=env, check=True, capture_output=True, timeout=120)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return Timing(statistics.median(times[1:]), min(times[1:]))


def machine() -> str:
    """What this ran on, in one line."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0]
    return (
        f"{_processor()}, {cpus} CPUs, load {load:.1f}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a terminal: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, *rows)
    ]
    return "\n".join([title, lines[0], "-" * len(lines[0]), *lines[1:], ""])


def ms(value: float) -> str:
    """Milliseconds, with as many digits as mean something."""
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def times(value: float) -> str:
    """A ratio."""
    return f"{value:.2f}x" if value < 10 else f"{value:.0f}x"
