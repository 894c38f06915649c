"""Waiting until something in a set of folders changes, or a span of time is over."""

from collections.abc import Collection, Iterator
from pathlib import Path
from threading import Event
from typing import Final

# Long enough to take the steps of one write together, short beside the 100 ms that a restore may take. The
# watcher wakes up once a step, so a shorter one costs time although nothing happens.
_DEBOUNCE_MS: Final = 30
_STEP_MS: Final = 15


def watches() -> bool:
    """Whether changes are seen as they happen; else only when the time is over."""
    from importlib.util import find_spec

    return find_spec("watchfiles") is not None


def ticks(folders: Collection[Path], stop: Event, *, period_s: float) -> Iterator[bool]:
    """Yield at every change below folders (True), and whenever nothing changed for a period (False).

    Folders that are not there are left out: it is the caller who makes them again, and then asks again. It
    ends when `stop` is set. The first yield is always True: what changed before the watch began is told by
    no event.
    """
    there = sorted(str(folder) for folder in folders if folder.is_dir())
    if not watches() or not there:
        yield True
        while not stop.wait(period_s):
            yield False
        return
    from watchfiles import watch

    seen = watch(
        *there,
        watch_filter=None,
        debounce=_DEBOUNCE_MS,
        step=_STEP_MS,
        stop_event=stop,
        rust_timeout=int(period_s * 1000),
        yield_on_timeout=True,
        raise_interrupt=False,
        recursive=False,
        ignore_permission_denied=True,
    )
    for number, changes in enumerate(seen):
        if stop.is_set():
            return
        yield bool(changes) or number == 0
