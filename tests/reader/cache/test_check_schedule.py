import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.cache.check_schedule import STALE_CHECK_INTERVAL, CheckSchedule
from tests.builders import NOW, make_metadata

times = st.floats(0, 4e9)
spans = st.floats(1e-3, 365 * 24 * 3600)


@given(spans, times, times)
def test_the_next_look_is_in_the_future(local_ttl: float, fresh_until: float, now: float) -> None:
    assert CheckSchedule(local_ttl).next_check(make_metadata(fresh_until=fresh_until), now) > now


@given(spans, times, times)
def test_no_copy_goes_longer_than_local_ttl_without_a_look(
    local_ttl: float, fresh_until: float, now: float
) -> None:
    check_at = CheckSchedule(local_ttl).next_check(make_metadata(fresh_until=fresh_until), now)
    assert check_at <= now + local_ttl


@given(spans, times, times)
def test_a_fresh_copy_is_looked_at_by_the_time_it_becomes_stale_or_within_a_second(
    local_ttl: float, fresh_until: float, now: float
) -> None:
    check_at = CheckSchedule(local_ttl).next_check(make_metadata(fresh_until=fresh_until), now)
    assert check_at <= max(fresh_until, now + STALE_CHECK_INTERVAL)


@given(spans, times, times)
def test_no_copy_is_looked_at_more_often_than_it_must_be(
    local_ttl: float, fresh_until: float, now: float
) -> None:
    check_at = CheckSchedule(local_ttl).next_check(make_metadata(fresh_until=fresh_until), now)
    assert check_at >= now + min(local_ttl, STALE_CHECK_INTERVAL)


@pytest.mark.parametrize(
    ("fresh_for", "local_ttl", "expected"),
    [
        (1000, 50, 50),  # fresh for long: LOCAL_TTL is first
        (30, 50, 30),  # becomes stale first
        (0.2, 50, 1),  # no more often than once a second
        (0, 50, 1),  # stale
        (-500, 50, 1),  # stale for long
        (-1, 0.5, 0.5),  # LOCAL_TTL is below a second
    ],
)
def test_golden_looks(fresh_for: float, local_ttl: float, expected: float) -> None:
    metadata = make_metadata(fresh_until=NOW + fresh_for)
    assert CheckSchedule(local_ttl).next_check(metadata, NOW) == pytest.approx(
        NOW + expected, abs=1e-6
    )
