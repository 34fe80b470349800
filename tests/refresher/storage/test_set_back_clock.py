"""After Redis's clock was set back, nothing lives longer than it was to live."""

import time
from typing import Any

import pytest
from redis import Redis

from refresher.errors import OriginError
from refresher.github.budget import Share
from refresher.storage.mending import Mender
from refresher.storage.set_back_clock import watch_clock
from shared.redis import keys
from tests.refresher.workbench import ORG, REPOS, USER_VIEW, make_budget, make_settings

HOUR = 3600.0


def as_if_set_back(redis: Redis, seconds: float) -> None:
    """What Redis holds after its clock, which a refresher has seen, was set back."""
    redis.set(keys.CLOCK, time.time() + seconds)
    redis.set(keys.asked(REPOS), 1, px=int(1000 * (seconds + 0.5)))
    redis.set(keys.running(REPOS), 1, px=int(1000 * (seconds + 10)))
    redis.set(f"redlock:{keys.PREFIX}:lock:{ORG.id}", 1, px=int(1000 * (seconds + 10)))
    redis.hset(keys.entry(USER_VIEW), "a", "b")
    redis.expire(keys.entry(USER_VIEW), int(seconds) + 600)


def test_what_was_to_expire_soon_does_so(redis: Redis) -> None:
    as_if_set_back(redis, HOUR)
    redis.set("elsewhere", 1, ex=2 * 3600)
    assert watch_clock(redis) == pytest.approx(HOUR, abs=5)
    assert redis.pttl(keys.asked(REPOS)) <= 5000
    for key in (keys.running(REPOS), f"redlock:{keys.PREFIX}:lock:{ORG.id}"):
        assert 0 < redis.pttl(key) <= 15_000
    assert 0 < redis.ttl(keys.entry(USER_VIEW)) <= 605
    assert redis.ttl("elsewhere") > 3600 + 600  # of others


def test_what_was_written_since_lives_as_long_as_it_is_to(redis: Redis) -> None:
    as_if_set_back(redis, HOUR)
    redis.set(keys.asked(ORG), 1, px=60_000)
    redis.set(keys.QUEUED + ORG.id, 1)
    watch_clock(redis)
    assert redis.pttl(keys.asked(ORG)) > 30_000
    assert redis.ttl(keys.QUEUED + ORG.id) == -1


def test_what_would_have_expired_before_its_turn_expires_then(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_if_set_back(redis, HOUR)
    scan, pauses = redis.scan_iter, [0.0, 0.0, 1.2, 0.0, 0.0, 0.3]

    def slow(**known: Any) -> Any:
        time.sleep(pauses.pop())
        return scan(**known)

    monkeypatch.setattr(redis, "scan_iter", slow)
    redis.set(keys.asked(REPOS), 1, px=int(1000 * HOUR + 100))
    watch_clock(redis)
    assert redis.pttl(keys.asked(REPOS)) <= 1
    redis.set(keys.CLOCK, time.time() + 1.1)  # what was noted is over before the end
    redis.set(keys.LOOKS, "never expires")
    assert watch_clock(redis) > 1
    assert redis.ttl(keys.LOOKS) == -1


def test_a_resume_of_the_future_ends_no_pause_of_now(redis: Redis) -> None:
    as_if_set_back(redis, HOUR)
    budget = make_budget(redis, make_settings("https://api.github.com"))
    redis.set(keys.RESUMED, time.time() + HOUR - 60, ex=7200)  # a minute before
    watch_clock(redis)
    budget.pause(30.0)
    with pytest.raises(OriginError) as raised:
        budget.reserve(Share.TRACKED, "/orgs/Netflix", among=None)
    assert 20 < (raised.value.retry_after or 0) <= 30
    redis.set(keys.RESUMED, time.time(), ex=7200)
    as_if_set_back(redis, 5)
    watch_clock(redis)
    assert redis.exists(keys.RESUMED)  # of the past
    redis.delete(keys.RESUMED)
    redis.lpush(keys.RESUMED, "damaged")
    as_if_set_back(redis, 5)
    assert watch_clock(redis) > 0


def test_it_is_done_once(redis: Redis) -> None:
    as_if_set_back(redis, HOUR)
    watch_clock(redis)
    redis.set(keys.running(REPOS), 1, ex=2 * 3600)
    assert watch_clock(redis) == 0
    assert redis.ttl(keys.running(REPOS)) > 3600


def test_another_process_does_it_if_one_dies_meanwhile(redis: Redis) -> None:
    as_if_set_back(redis, HOUR)
    redis.set(keys.CLOCK_TURN, 1, px=200)
    assert watch_clock(redis) == 0
    assert redis.pttl(keys.running(REPOS)) > 1000 * HOUR
    redis.delete(keys.CLOCK_TURN)  # it has expired
    assert watch_clock(redis) > 0
    as_if_set_back(redis, HOUR)  # the turn itself is one of the keys that live too long
    redis.set(keys.CLOCK_TURN, 1, px=int(1000 * HOUR))
    assert watch_clock(redis) > 0


def test_a_clock_that_goes_on_or_was_set_ahead_changes_nothing(redis: Redis) -> None:
    redis.set(keys.running(REPOS), 1, ex=2 * 3600)
    for seen in (None, "damaged", "nan", time.time() - HOUR, time.time() + 0.2):
        redis.delete(keys.CLOCK)
        if seen is not None:
            redis.set(keys.CLOCK, seen)
        assert watch_clock(redis) == 0
    assert redis.ttl(keys.running(REPOS)) > 3600
    assert float(redis.get(keys.CLOCK) or 0) == pytest.approx(time.time(), abs=5)


def test_the_mender_watches_it(redis: Redis) -> None:
    as_if_set_back(redis, HOUR)
    mender = Mender(redis, keep=660, now=time.time)
    mender.step(is_met=False)
    assert redis.pttl(keys.running(REPOS)) <= 15_000
