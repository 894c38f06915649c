"""Time that an agent's machine cannot be talked into: anchored once, then counted, sleep included.

A wall clock that jumps forward ends what it must end, and opens nothing: minutes of a budget are counted from
the anchor. A wall clock that is set back revives nothing.
"""

import time
from collections.abc import Callable
from typing import Final

_MINUTE: Final = 60


def since_boot() -> float:
    """Seconds of a clock that counts sleep and cannot be set."""
    # CLOCK_MONOTONIC stops while Linux sleeps; macOS has no BOOTTIME and its MONOTONIC counts sleep.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Clock:
    """The anchored clock.

    Args:
        wall: Unix seconds, as the system has them.
        steady: seconds that pass whatever happens to the wall clock.
    """

    def __init__(
        self, *, wall: Callable[[], float] = time.time, steady: Callable[[], float] = since_boot
    ) -> None:
        self._wall, self.steady = wall, steady
        self._offset = wall() - steady()

    def now(self) -> float:
        """Unix seconds by the anchor."""
        return self.steady() + self._offset

    def latest(self) -> float:
        """Unix seconds by the anchor or by the wall clock, whichever is later: for what must end."""
        return max(self.now(), self._wall())

    def minute(self) -> int:
        """Number of the minute, by the anchor."""
        return int(self.now() // _MINUTE)


class Deadline:
    """Latches once `expires` (Unix seconds) has passed on either clock."""

    def __init__(self, expires: int, clock: Clock) -> None:
        self._expires, self._clock = expires, clock
        self._over = False

    def over(self) -> bool:
        """Whether it has passed; it stays so."""
        self._over = self._over or self._clock.latest() >= self._expires
        return self._over
