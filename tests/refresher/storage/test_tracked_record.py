"""What is no longer tracked leaves nothing in Redis."""

import time
from dataclasses import replace
from typing import cast

import pytest
from redis import Redis

from refresher.storage.tracked_record import KEEP_S, TrackedRecord
from shared.marking import mark
from shared.redis import keys
from shared.resources.catalogue import Catalogue

BOTH = Catalogue(("Netflix",), track=("/users/a", "/repos/a/b/issues?state=open"))
ONE = replace(BOTH, track=("/users/a",))
KEPT, FORMER = BOTH.tracked[-2:]


def stored(redis: Redis, resource_id: str) -> set[str]:
    return {key.decode() for key in redis.scan_iter(f"*{resource_id}*")}


def age(redis: Redis, seconds: float) -> None:
    """Let everything have been noted some time ago."""
    for name in cast(list[bytes], redis.zrange(keys.TRACKED, 0, -1)):
        redis.zadd(keys.TRACKED, {name.decode(): time.time() - seconds})


@pytest.fixture
def _both(redis: Redis) -> None:
    for resource in (KEPT, FORMER):
        for key in (keys.entry, keys.pages, keys.segments, keys.record):
            redis.hset(key(resource), "x", "y")
        redis.set(keys.failure(resource), "x")
        mark(redis, resource, item=7)
    redis.sadd(keys.LARGE, KEPT.id, FORMER.id)
    TrackedRecord(redis, BOTH).note()


@pytest.mark.usefixtures("_both")
def test_what_no_refresher_tracks_any_more_is_gone_after_a_day(redis: Redis) -> None:
    before = stored(redis, KEPT.id)
    age(redis, KEEP_S - 60)
    TrackedRecord(redis, ONE).note()
    assert stored(redis, FORMER.id)
    age(redis, KEEP_S + 1)
    TrackedRecord(redis, ONE).note()
    assert stored(redis, FORMER.id) == set()
    assert stored(redis, KEPT.id) == before
    assert redis.smembers(keys.LARGE) == {KEPT.id.encode()}
    assert redis.zscore(keys.TRACKED, FORMER.id) is None


@pytest.mark.usefixtures("_both")
def test_a_fleet_that_was_away_for_a_week_keeps_what_it_tracks(redis: Redis) -> None:
    age(redis, 7 * KEEP_S)
    TrackedRecord(redis, BOTH).note()
    assert stored(redis, FORMER.id)
    assert stored(redis, KEPT.id)


@pytest.mark.usefixtures("_both")
def test_a_clock_that_was_set_back_keeps_nothing_for_ever(redis: Redis) -> None:
    age(redis, -1_000_000)
    TrackedRecord(redis, ONE).note()
    at = redis.zscore(keys.TRACKED, FORMER.id)
    assert at is not None
    assert at < time.time() + 60


def test_a_damaged_record_is_made_anew(redis: Redis) -> None:
    redis.set(keys.TRACKED, "x")
    TrackedRecord(redis, BOTH).note()
    assert redis.zcard(keys.TRACKED) == len(BOTH.tracked)


def test_it_is_noted_from_time_to_time(redis: Redis) -> None:
    record = TrackedRecord(redis, BOTH)
    record.keep_up(5.0)
    redis.delete(keys.TRACKED)
    record.keep_up(604.0)
    assert redis.zcard(keys.TRACKED) == 0
    record.keep_up(605.0)
    assert redis.zcard(keys.TRACKED) == len(BOTH.tracked)
