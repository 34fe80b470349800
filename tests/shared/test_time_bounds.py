from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.time_bounds import TOLERANCE, is_past, showable
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
