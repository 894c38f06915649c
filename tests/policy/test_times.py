"""Instants: one spelling, no clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tappass_host.policy.errors import GrammarError
from tappass_host.policy.times import format_instant, parse_instant

KNOWN = {
    "1970-01-01T00:00:00Z": 0,
    "2001-09-09T01:46:40Z": 1_000_000_000,
    "2024-02-29T12:00:00Z": 1_709_208_000,
    "2038-01-19T03:14:08Z": 2**31,
    "9999-12-31T23:59:59Z": 253_402_300_799,
}

REFUSED = {
    "offset": "2026-01-31T09:00:00+00:00",
    "fraction": "2026-01-31T09:00:00.0Z",
    "lower case": "2026-01-31t09:00:00z",
    "blank for T": "2026-01-31 09:00:00Z",
    "no zone": "2026-01-31T09:00:00",
    "date only": "2026-01-31",
    "leap second": "2016-12-31T23:59:60Z",
    "hour 24": "2026-01-31T24:00:00Z",
    "30 February": "2026-02-30T09:00:00Z",
    "29 February of a common year": "2026-02-29T09:00:00Z",
    "month 13": "2026-13-01T09:00:00Z",
    "year 0": "0000-01-01T00:00:00Z",
    "before 1970": "1969-12-31T23:59:59Z",
    "non-ASCII digit": "\uff12026-01-31T09:00:00Z",
    "trailing newline": "2026-01-31T09:00:00Z\n",
    "number": 1_000_000_000,
    "empty": "",
}


@pytest.mark.parametrize("text", KNOWN)
def test_known_instants(text):
    assert parse_instant(text) == KNOWN[text]
    assert format_instant(KNOWN[text]) == text


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    with pytest.raises(GrammarError):
        parse_instant(REFUSED[name])


@pytest.mark.parametrize("seconds", [-1, 253_402_300_800, 10**30])
def test_outside_the_years_that_have_a_form(seconds):
    with pytest.raises(GrammarError):
        format_instant(seconds)


@given(st.integers(0, 253_402_300_799))
def test_round_trip(seconds):
    assert parse_instant(format_instant(seconds)) == seconds
