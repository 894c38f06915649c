"""When a policy applies, judged at the trusted now.

What is trusted is the caller's business; the rule kept here is that time never runs
backwards: a clock that was set back revives nothing.
"""

from typing import Literal

from tappass_host.policy.errors import ExpiredError, NotYetValidError
from tappass_host.policy.times import format_instant
from tappass_host.policy.trust.head import Head

Phase = Literal["early", "valid", "retained", "expired"]


def trusted_now(clock: int, *, not_before: int) -> int:
    """Give the clock's time, but never one before an instant that is known to have passed.

    Args:
        clock: Unix seconds that the machine shows.
        not_before: latest instant vouched for: the `issued_at` of an accepted statement, or
            the last time written down. A forward jump must not be written down by the caller.
    """
    return max(clock, not_before)


def phase(head: Head, now: int) -> Phase:
    """Tell where in a policy's life `now` lies; the start is inclusive, the ends are not."""
    if now < head.not_before:
        return "early"
    if now < head.expires_at:
        return "valid"
    return "retained" if head.retain_until is not None and now < head.retain_until else "expired"


def check_window(head: Head, *, now: int, active: bool = False) -> None:
    """Refuse a policy outside its window.

    Args:
        head: of the policy.
        now: trusted Unix seconds.
        active: the policy is already in force here. Only then `on_expiry: retain` keeps it;
            an expired policy is never adopted.

    Raises:
        NotYetValidError: `not_before` has not come.
        ExpiredError: `expires_at`, or for an active retained policy `retain_until`, has passed.
    """
    stage = phase(head, now)
    if stage == "early":
        message = f"not valid before {format_instant(head.not_before)}"
        raise NotYetValidError(message, pointer="/not_before", remedy="check this machine's clock")
    if stage == "expired" or (stage == "retained" and not active):
        message = f"expired at {format_instant(head.expires_at)}"
        raise ExpiredError(message, pointer="/expires_at", remedy="renew it with `tappass policy renew`")
