"""When a policy ends, on two clocks: the wall, and one that also counts sleep and cannot be set back.

Whichever says "over" first wins, and over stays over: a wall clock set back revives nothing.
"""

import time
from collections.abc import Callable


def _since_boot() -> float:
    # CLOCK_MONOTONIC stops while Linux sleeps; macOS has no BOOTTIME and its MONOTONIC counts sleep.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Deadline:
    """Latches once `expires` (Unix seconds) has passed."""

    def __init__(
        self,
        expires: int,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = _since_boot,
    ) -> None:
        self._expires = expires
        self._wall = wall
        self._steady = steady
        self._steady_end = steady() + expires - wall()
        self._over = False

    def over(self) -> bool:
        self._over = self._over or self._wall() >= self._expires or self._steady() >= self._steady_end
        return self._over
