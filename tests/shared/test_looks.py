"""After an event a resource is looked at again, about 1, 2, 4, 7 and 10 s after it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from shared.looks import LAST_S, LOOKS_S, Looks
from shared.marking import mark
from shared.redis import keys
from shared.redis.store import Store
from tests.builders import CATALOGUE, on_demand

EVENT = 1000.0
TRACKED = CATALOGUE.tracked[0]


def looks_of(
    *, is_anonymous: bool = False, is_tracked: bool = True, takes: float = 0
) -> list[float]:
    """When a resource is looked at after an event, in seconds; each look takes some time."""
    found, looks, at = [0.0], Looks(EVENT, EVENT), EVENT
    while left := looks.after(at, at + takes, is_anonymous=is_anonymous, is_tracked=is_tracked):
        looks, at = left, left.next_at
        found.append(at - EVENT)
    return found


def test_looks_come_when_they_are_planned() -> None:
    assert looks_of() == [0, *LOOKS_S]


def test_slow_looks_are_fewer_and_the_last_one_is_not_missing() -> None:
    assert looks_of(takes=2) == [0, 3, 6, 9, 12]


def test_what_is_asked_anonymously_is_looked_at_again_once() -> None:
    assert looks_of(is_anonymous=True) == [0, LAST_S]


def test_what_is_not_tracked_is_stale_at_any_time_until_the_last_look() -> None:
    assert looks_of(is_tracked=False) == [float(one) for one in range(11)]


@given(
    event=st.floats(0, 4e9),
    looked=st.floats(0, 4e9),
    takes=st.floats(0, 1e4),
    anonymous=st.booleans(),
    tracked=st.booleans(),
)
def test_looks_end_and_are_a_second_apart(
    event: float, looked: float, takes: float, anonymous: bool, tracked: bool
) -> None:
    now = looked + takes
    left = Looks(event, event).after(looked, now, is_anonymous=anonymous, is_tracked=tracked)
    if left is None:
        assert looked >= min(event, now) + LAST_S
        return
    assert left.next_at >= now + 1
    assert left.next_at <= now + max(LAST_S, 1) + 1e-3
    assert left.event_at <= now
    assert left.is_due(left.next_at)
    assert not left.is_due(now + 0.5)


def test_a_look_that_is_far_away_is_due_for_the_clock_was_set_back() -> None:
    assert Looks(EVENT, EVENT).is_due(EVENT - LAST_S - 1)


@pytest.mark.parametrize("text", [b"", b"1", b"a b c d"])
def test_a_damaged_record_is_none(text: bytes) -> None:
    assert Looks.from_text(text) is None


def test_a_record_is_read_as_it_was_written() -> None:
    for looks in (Looks(1_800_000_000.125, 1_800_000_001.5), Looks(1.0, 2.0, 1_800_000_010.5)):
        assert Looks.from_text(looks.to_text().encode()) == looks


class TestEvents:
    def test_an_event_makes_looks_due_by_redis_clock(self, redis: Redis) -> None:
        mark(redis, TRACKED)
        state = Store(redis).state(TRACKED)
        seconds, micros = redis.time()
        now = seconds + micros / 1e6
        assert state.looks is not None
        # The record is rounded to milliseconds, so it may be ahead of a quick test.
        assert now - 30 < state.looks.event_at == state.looks.next_at < now + 1e-3
        assert state.is_invalidated(now + 1e-3)
        assert redis.zcard(keys.LOOKS) == 1

    def test_what_is_not_tracked_is_not_looked_at_by_itself(self, redis: Redis) -> None:
        mark(redis, on_demand("/users/a"))
        assert Store(redis).state(on_demand("/users/a")).looks is not None
        assert redis.zcard(keys.LOOKS) == 0

    def test_an_operators_refresh_is_followed_by_no_look(self, redis: Redis) -> None:
        mark(redis, TRACKED, anew=True)
        assert Store(redis).state(TRACKED).looks is None
        assert redis.zcard(keys.LOOKS) == 0

    def test_an_operators_refresh_is_due_although_the_next_look_is_not(self, redis: Redis) -> None:
        mark(redis, TRACKED)
        seconds, _ = redis.time()
        redis.set(keys.looks(TRACKED), Looks(seconds, seconds + 4).to_text())
        assert not Store(redis).state(TRACKED).is_invalidated(seconds + 1)
        mark(redis, TRACKED, anew=True)
        assert Store(redis).state(TRACKED).is_invalidated(seconds + 1)

    def test_looks_without_a_mark_count_for_nothing(self, redis: Redis) -> None:
        """A refresher of an older release removes the mark alone."""
        mark(redis, TRACKED)
        redis.delete(keys.invalidated_by(TRACKED))
        state = Store(redis).state(TRACKED)
        assert state.looks is None
        assert not state.is_invalidated(1e12)
