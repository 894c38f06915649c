"""The time that a host trusts: it counts sleep, never runs backwards, and survives a clock set ahead.

Three sources are weighed. The wall clock can be set by whoever may set it. The boot clock
(`CLOCK_BOOTTIME`, https://man7.org/linux/man-pages/man2/clock_gettime.2.html, 2026-01) counts seconds since
the start of this boot, sleep included, and nobody can set it. The mark is the latest instant that is known to
have passed, kept in the store. Trusted now is the latest of the wall clock and mark plus boot clock:

- the wall clock set back: the mark and the boot clock carry on, nothing that ended comes back;
- asleep: the boot clock has counted it;
- the wall clock set ahead: what ends then is shut at once. But a mark rises only by the boot clock and at
  most once more as much, so that a false time leaves in it no more than it lasted.

A mark that lags (the machine was off) catches up with the wall clock at that rate, or at once when a policy
is accepted: an operator acts then, and the policy's own window bounds what is believed.
"""

import time
from pathlib import Path
from typing import Final, NamedTuple

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Reading(NamedTuple):
    """What the clocks show: Unix seconds, seconds since boot, and which boot it is."""

    wall: float
    boot: float
    boot_id: str


class Mark(NamedTuple):
    """An instant that has passed for sure, and where the boot clock stood then."""

    instant: float
    boot: float
    boot_id: str


def read() -> Reading:
    """Read the clocks of this machine."""
    return Reading(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), _BOOT_ID.read_text().strip())


def passed(reading: Reading, mark: Mark | None) -> float:
    """The latest instant that has passed for sure, whatever the wall clock shows; 0 without a mark."""
    if mark is None:
        return 0.0
    return mark.instant + _elapsed(reading, mark)


def trusted(reading: Reading, mark: Mark | None) -> int:
    """Trusted now, in Unix seconds."""
    return int(max(reading.wall, passed(reading, mark)))


def advanced(reading: Reading, mark: Mark) -> Mark:
    """The mark to keep now; see above for how far it follows the wall clock."""
    sure = passed(reading, mark)
    raised = min(max(reading.wall, sure), sure + _elapsed(reading, mark))
    return Mark(raised, reading.boot, reading.boot_id)


def vouched(reading: Reading, mark: Mark | None, *, not_after: float) -> Mark:
    """The mark to keep when something was accepted: the wall clock is believed up to its end.

    Args:
        reading: of the clocks.
        mark: the one before.
        not_after: end of what was accepted, Unix seconds.
    """
    instant = max(passed(reading, mark), min(reading.wall, not_after))
    return Mark(instant, reading.boot, reading.boot_id)


def _elapsed(reading: Reading, mark: Mark) -> float:
    """Seconds since the mark that the boot clock vouches for: after another boot, those since it began."""
    since = mark.boot if reading.boot_id == mark.boot_id else 0.0
    return max(0.0, reading.boot - since)
