"""The current time, and spans of time as people write them. The one module of the CLI that reads a clock."""

import os
import re
import time
from typing import Any, Final

import click

from tappass_host.policy.errors import GrammarError
from tappass_host.policy.times import format_instant, parse_instant

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 365 * 86400}
_SPAN: Final = re.compile(r"([1-9][0-9]{0,8})([smhdwy])")


def now() -> int:
    """Unix seconds. Trust is judged by it, so nothing but the clock may set it."""
    return int(time.time())


def issue_time() -> int:
    """The time written into new documents: SOURCE_DATE_EPOCH where it is set, else now.

    One input then gives one output: https://reproducible-builds.org/specs/source-date-epoch/
    """
    pinned = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(pinned) if pinned.isascii() and pinned.isdigit() else now()


def span_of(text: str) -> int | None:
    """Seconds of `90d`, `12h`, `30m`; None if it is no span."""
    found = _SPAN.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found else None


def distance(seconds: int) -> str:
    """About how long, in one word: `90 days`, `5 hours`."""
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if abs(seconds) >= 2 * size or size == 1:
            count = abs(seconds) // size
            return f"{count} {name}{'' if count == 1 else 's'}"
    raise AssertionError


def until(instant: int, *, at: int) -> str:
    """An instant and how far away it is."""
    away = distance(instant - at)
    return f"{format_instant(instant)} ({f'in {away}' if instant > at else f'{away} ago'})"


class SpanType(click.ParamType):  # type: ignore[type-arg]  # a class without parameters before click 8.4
    """A span of time, `90d`, in seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        seconds = value if isinstance(value, int) else span_of(value)
        if seconds is None:
            self.fail(f"{value!r} is no span of time: write 90d, 12h or 30m", param, ctx)
        return seconds


class InstantType(click.ParamType):  # type: ignore[type-arg]  # a class without parameters before click 8.4
    """An instant, `2026-01-31T09:00:00Z`, in Unix seconds."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        if isinstance(value, int):
            return value
        try:
            return parse_instant(value)
        except GrammarError as error:
            self.fail(f"{error.message}: {error.remedy}", param, ctx)


SPAN: Final = SpanType()
INSTANT: Final = InstantType()
