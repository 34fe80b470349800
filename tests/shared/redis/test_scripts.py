"""Scripts are sent by their digest; a Redis that does not know one gets its text."""

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import Redis, ResponseError

from scripts.embedded_redis import EmbeddedRedis
from shared.redis.scripts import Batch, Script
from tests.builders import absent_redis
from tests.reader.bench import commands
from tests.round_trips import round_trips

APPEND = Script("return redis.call('APPEND', KEYS[1], ARGV[1])")
COUNT = Script("return redis.call('INCR', KEYS[1])")
BROKEN = Script("return redis.call('INCR', KEYS[1], 'too much')")


@pytest.fixture(autouse=True)
def _unknown(redis: Redis) -> None:
    """Redis knows no script."""
    redis.script_flush()


def test_a_script_that_redis_does_not_know_runs_once(redis: Redis) -> None:
    assert COUNT(redis, ["n"], []) == 1
    assert redis.get("n") == b"1"


def test_a_script_that_redis_knows_is_not_sent_again(
    redis: Redis, redis_server: EmbeddedRedis
) -> None:
    COUNT(redis, ["n"], [])
    before = commands(redis, "eval")
    with round_trips(redis_server.url) as counted:
        assert COUNT(counted.client, ["n"], []) == 2
    assert counted.sent == 1
    assert commands(redis, "eval") == before


def test_a_redis_that_has_forgotten_its_scripts_gets_them_again(redis: Redis) -> None:
    for expected in (1, 2, 3):
        assert COUNT(redis, ["n"], []) == expected
        redis.script_flush()


def test_a_batch_is_one_round_trip_and_replies_in_order(
    redis: Redis, redis_server: EmbeddedRedis
) -> None:
    COUNT(redis, ["n"], [])
    with round_trips(redis_server.url) as counted:
        batch = Batch(counted.client)
        batch.pipeline.set("a", "x")
        batch.run(COUNT, ["n"], [])
        batch.pipeline.get("a")
        batch.run(COUNT, ["n"], [])
        assert batch.execute() == [True, 2, b"x", 3]
    assert counted.sent == 1


def test_in_a_batch_unknown_scripts_run_once_each_in_their_order(redis: Redis) -> None:
    batch = Batch(redis)
    batch.pipeline.set("t", "0")
    for letter in "abc":
        batch.run(APPEND, ["t"], [letter])
    batch.run(COUNT, ["n"], [])
    batch.pipeline.set("last", "1")
    assert batch.execute() == [True, 2, 3, 4, 1, True]
    assert redis.get("t") == b"0abc"
    assert redis.get("n") == b"1"


def test_after_a_script_flush_a_batch_still_works(redis: Redis) -> None:
    for expected in (1, 2, 3):
        batch = Batch(redis)
        batch.run(COUNT, ["n"], [])
        assert batch.execute() == [expected]
        redis.script_flush()


def test_an_empty_batch_is_no_error(redis: Redis) -> None:
    assert Batch(redis).execute() == []


@pytest.mark.parametrize("is_known", [True, False])
def test_an_error_in_a_batch_is_raised_after_everything_else_is_done(
    redis: Redis, *, is_known: bool
) -> None:
    if is_known:
        for script in (BROKEN, COUNT):
            redis.script_load(script.text)
    batch = Batch(redis)
    batch.run(BROKEN, ["n"], [])
    batch.pipeline.set("a", "x")
    batch.run(COUNT, ["n"], [])
    with pytest.raises(ResponseError):
        batch.execute()
    assert (redis.get("a"), redis.get("n")) == (b"x", b"1")


def test_without_redis_a_script_and_a_batch_raise() -> None:
    away = absent_redis()
    with pytest.raises(RedisConnectionError):
        COUNT(away, ["n"], [])
    batch = Batch(away)
    batch.run(COUNT, ["n"], [])
    with pytest.raises(RedisConnectionError):
        batch.execute()
