"""Which wrong tokens get a response, and how soon."""

from redis import Redis

from reader.fleet.hold_facts import AT_ONCE
from reader.status.guesses import ANSWERED, LONGEST, Guesses, Throttling, throttling
from shared.redis import keys
from tests.builders import absent_redis

NOW = 1_800_000_030.0  # in the middle of a minute
MINUTE = int(NOW // 60)


def counted_at(now: float) -> Guesses:
    return Guesses(clock=lambda: now)


def test_a_few_get_a_response_at_once_further_ones_later_and_the_rest_none() -> None:
    assert {throttling(lately) for lately in range(1, AT_ONCE + 1)} == {
        Throttling(0, is_answered=True)
    }
    assert throttling(AT_ONCE + 1) == Throttling(0.5, is_answered=True)
    assert throttling(ANSWERED) == Throttling(LONGEST, is_answered=True)
    assert throttling(ANSWERED + 1) == Throttling(LONGEST, is_answered=False)
    waits = [throttling(lately).seconds for lately in range(1, 10_000)]
    assert waits == sorted(waits)
    assert max(waits) == LONGEST


def test_all_readers_count_together(redis: Redis) -> None:
    readers = [counted_at(NOW) for _ in range(3)]
    assert [one.count(redis) for one in (*readers, *readers)] == [1, 2, 3, 4, 5, 6]


def test_those_of_the_previous_minute_count_and_earlier_ones_do_not(redis: Redis) -> None:
    for _ in range(3):
        counted_at(NOW).count(redis)
    one = counted_at(NOW + 60)
    assert [one.count(redis), one.count(redis)] == [4, 5]
    assert counted_at(NOW + 120).count(redis) == 3
    assert counted_at(NOW + 240).count(redis) == 1


def test_they_expire(redis: Redis) -> None:
    counted_at(NOW).count(redis)
    assert 120 < redis.ttl(keys.guesses(MINUTE)) <= 180


def test_without_redis_each_process_counts_by_itself() -> None:
    now = [NOW]
    guesses = Guesses(clock=lambda: now[0])
    assert [guesses.count(None), guesses.count(absent_redis()), guesses.count(None)] == [1, 2, 3]
    now[0] += 60
    assert guesses.count(None) == 4
    now[0] += 600
    assert guesses.count(None) == 1


def test_what_was_counted_without_redis_counts_when_it_is_back(redis: Redis) -> None:
    guesses = counted_at(NOW)
    for _ in range(10):
        guesses.count(None)
    assert guesses.count(redis) == 11
