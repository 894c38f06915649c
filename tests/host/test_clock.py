"""Trusted time: set back, set ahead, asleep, switched off."""

import time

import pytest

from tappass_host.host.clock import Mark, Reading, advanced, passed, read, trusted, vouched

START = 1_800_000_000
DAY = 86_400
MARK = Mark(START, 1000.0, "boot-a")

# Wall clock and boot clock relative to the mark, boot, and the trusted now that comes of it.
TIMES = {
    "an hour later": (3600, 3600, "boot-a", 3600),
    "the wall clock set back a year": (-365 * DAY, 3600, "boot-a", 3600),
    "the wall clock standing still": (0, 3600, "boot-a", 3600),
    "asleep for a week, the wall clock lost": (0, 7 * DAY, "boot-a", 7 * DAY),
    "the wall clock set ahead": (30 * DAY, 60, "boot-a", 30 * DAY),
    "off for a month": (30 * DAY, -990, "boot-b", 30 * DAY),
    "off, and the battery of the clock is dead": (-START, -990, "boot-b", 10),
    "a boot clock behind the mark": (5, -500, "boot-a", 5),
}


def at(wall, boot, boot_id):
    return Reading(START + wall, 1000.0 + boot, boot_id)


@pytest.mark.parametrize("name", TIMES)
def test_trusted_now(name):
    wall, boot, boot_id, expected = TIMES[name]
    assert trusted(at(wall, boot, boot_id), MARK) == START + expected


@pytest.mark.parametrize("name", TIMES)
def test_a_mark_never_goes_back(name):
    wall, boot, boot_id, _ = TIMES[name]
    reading = at(wall, boot, boot_id)
    assert advanced(reading, MARK).instant >= MARK.instant
    assert passed(reading, advanced(reading, MARK)) >= passed(reading, MARK)


def test_a_clock_set_ahead_leaves_no_more_than_it_lasted():
    mark = MARK
    for second in range(1, 61):
        mark = advanced(at(30 * DAY, second, "boot-a"), mark)
    corrected = at(61, 61, "boot-a")
    assert trusted(corrected, mark) <= START + 2 * 60 + 1


def test_it_keeps_up_with_a_clock_that_is_right():
    mark = MARK
    for second in range(0, 3600, 60):
        mark = advanced(at(second, second, "boot-a"), mark)
    assert mark.instant == START + 3540


def test_after_a_month_off_the_mark_catches_up_while_the_machine_is_on():
    mark = advanced(Reading(START + 30 * DAY, 10.0, "boot-b"), MARK)
    assert mark.instant == START + 20
    mark = advanced(Reading(START + 61 * DAY, 10.0 + 31 * DAY, "boot-b"), mark)
    assert mark.instant == START + 61 * DAY


def test_what_was_accepted_vouches_for_the_wall_clock_up_to_its_end():
    assert vouched(at(DAY, 60, "boot-a"), MARK, not_after=START + 90 * DAY).instant == START + DAY
    assert vouched(at(999 * DAY, 60, "boot-a"), MARK, not_after=START + 90 * DAY).instant == START + 90 * DAY
    assert vouched(at(-DAY, 60, "boot-a"), MARK, not_after=START + 90 * DAY).instant == START + 60
    assert vouched(at(5, 0, "boot-a"), None, not_after=START + DAY).instant == START + 5


def test_without_a_mark_the_wall_clock_is_all_there_is():
    assert trusted(at(5, 0, "boot-a"), None) == START + 5


def test_the_clocks_of_this_machine():
    one = read()
    two = read()
    assert abs(one.wall - time.time()) < 60
    assert one.boot_id == two.boot_id != ""
    assert 0 < one.boot <= two.boot
