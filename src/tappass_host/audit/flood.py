"""A limit on what an agent can make us write, with a count of what was left out. Pure.

Evidence must not be pushed out by noise, so events an agent can cause at will come from a bucket of tokens.
What is over the limit is counted by kind and chained into one digest, and becomes one summary record.
"""

import hashlib
from typing import Any, Final

from tappass_host.audit.events import Suppressed
from tappass_host.audit.record import instant
from tappass_host.policy.canonical import canonical_bytes

# More kinds than there are; only a bound on what one summary can hold.
_KINDS: Final = 32


class Flood:
    """The bucket and the count.

    Args:
        rate: events a second that are written in the long run.
        burst: events that may come at once.
        now: seconds of a clock that is never set back.
    """

    def __init__(self, rate: float, burst: int, *, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._last = float(burst), now
        self._count = 0
        self._kinds: dict[str, int] = {}
        self._digest = b""
        self._since = self._until = 0.0

    def admits(self, now: float) -> bool:
        """Take a token if there is one."""
        self._tokens = min(float(self._burst), self._tokens + max(0.0, now - self._last) * self._rate)
        self._last = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def leave_out(self, event: dict[str, Any], wall: float) -> None:
        """Count an event that is not written."""
        kind = f"{event.get('type', '')}/{event.get('effect', '')}".rstrip("/")
        if kind in self._kinds or len(self._kinds) < _KINDS:
            self._kinds[kind] = self._kinds.get(kind, 0) + 1
        self._since = self._since or wall
        self._until = wall
        self._count += 1
        self._digest = hashlib.sha256(self._digest + canonical_bytes(event)).digest()

    def summary(self) -> Suppressed | None:
        """What was left out since the last summary, or None."""
        if not self._count:
            return None
        return Suppressed(
            since=instant(self._since),
            until=instant(self._until),
            count=self._count,
            kinds=dict(sorted(self._kinds.items())),
            digest=self._digest.hex(),
        )

    def summarised(self) -> None:
        """The summary is in the log; begin a new one."""
        self._count, self._kinds, self._digest, self._since = 0, {}, b"", 0.0
