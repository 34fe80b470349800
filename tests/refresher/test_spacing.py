"""A resource rests after a refresh, for as long as that one cost."""

from hypothesis import given
from hypothesis import strategies as st

from refresher.spacing import Spacing


def test_a_slow_refresh_is_followed_by_a_rest_of_the_same_length() -> None:
    assert Spacing(400).pause(30.0, 1) == 30.0


def test_a_refresh_of_many_requests_leaves_half_of_the_minute() -> None:
    # 70 of 400 requests a minute: one refresh in 21 s uses half of them.
    assert Spacing(400).pause(14.0, 70) == 14.0
    assert Spacing(400).pause(1.0, 70) == 20.0


@given(st.floats(0, 1000), st.integers(1, 10_000), st.integers(1, 1_000_000))
def test_the_refreshes_of_one_resource_never_use_more_than_half(
    seconds: float, requests: int, points: int
) -> None:
    period = seconds + Spacing(points).pause(seconds, requests)
    assert period >= 2 * seconds * (1 - 1e-9)
    assert requests / period <= points / 60 / 2 * (1 + 1e-9)
