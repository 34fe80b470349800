from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.time_bounds import TOLERANCE, end_of_pause, is_past, showable, time_of
from tests.builders import NOW


@given(st.floats(allow_nan=False))
def test_every_time_can_be_shown(time: float) -> None:
    assert datetime.fromtimestamp(showable(time), UTC).year <= 9999


@given(st.floats(0, 253402300799))
def test_a_possible_time_stays_as_it_is(time: float) -> None:
    assert showable(time) == time


@pytest.mark.parametrize(
    ("time", "past"), [(-1e9, True), (0, True), (TOLERANCE, True), (TOLERANCE + 0.01, False)]
)
def test_what_is_ahead_by_more_than_clocks_differ_is_in_the_future(time: float, past: bool) -> None:
    assert is_past(NOW + time, NOW) is past


@pytest.mark.parametrize("damage", [None, b"", b"soon", b"nan", b"inf", b"-5", b"-1e300"])
def test_a_damaged_time_is_none(damage: bytes | None) -> None:
    assert time_of(damage) == 0


@pytest.mark.parametrize("huge", [b"1e300", b"9" * 300, b"4102444800"])
def test_a_pause_ends_within_an_hour_whatever_is_stored(huge: bytes) -> None:
    assert end_of_pause(huge, NOW) == NOW + 3600
    assert end_of_pause(str(NOW + 60).encode(), NOW) == NOW + 60
