"""Instants on the wire: RFC 3339, UTC, whole seconds, one spelling each.

`2026-01-31T09:00:00Z` is the only accepted form: no offset, no fraction, no lower
case, no leap second. One spelling per instant keeps equal policies equal byte by byte.
Nothing here reads a clock: the current time is always a parameter of its user.
"""

import datetime as dt
import re

from tappass_host.policy.errors import GrammarError

_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SECOND = dt.timedelta(seconds=1)
_LATEST = (dt.datetime.max.replace(tzinfo=dt.UTC) - _EPOCH) // _SECOND
_REMEDY = "write it as 2026-01-31T09:00:00Z"


def parse_instant(text: str) -> int:
    """Read an instant as Unix seconds.

    Raises:
        GrammarError: any other form, a date that does not exist, or a year before 1970.
    """
    if not isinstance(text, str) or not _FORM.fullmatch(text):
        raise GrammarError("not an instant in RFC 3339 UTC form", remedy=_REMEDY)
    try:
        seconds = (dt.datetime.fromisoformat(text) - _EPOCH) // _SECOND
    except ValueError as error:
        raise GrammarError(f"not an instant that exists: {text}", remedy=_REMEDY) from error
    if seconds < 0:
        raise GrammarError(f"instant before 1970: {text}", remedy=_REMEDY)
    return seconds


def format_instant(seconds: int) -> str:
    """Write Unix seconds as an instant; the inverse of `parse_instant`.

    Raises:
        GrammarError: outside the years 1970 to 9999.
    """
    if not 0 <= seconds <= _LATEST:
        raise GrammarError(f"{seconds} is outside the years 1970 to 9999")
    return (_EPOCH + seconds * _SECOND).strftime("%Y-%m-%dT%H:%M:%SZ")
