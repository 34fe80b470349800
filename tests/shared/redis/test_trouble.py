"""What is wrong with a Redis that answers is named, and logged less and less often."""

import logging

import pytest
from redis import Redis, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError

from scripts.embedded_redis import EmbeddedRedis
from shared.clock import Clock
from shared.redis.scripts import Batch, Script
from shared.redis.trouble import REFUSING, WORDS, Trouble, Troubles, trouble_of, watch
from tests.builders import Clock as Stopwatch

LOG = logging.getLogger("reader")
NAMED = [
    (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), Trouble.MEMORY),
    (ResponseError("OOM command not allowed"), Trouble.MEMORY),
    (ResponseError("Command # 2 (SET a) of pipeline caused error: MISCONF x"), Trouble.NOT_SAVED),
    (ReadOnlyError("You can't write against a read only replica."), Trouble.READ_ONLY),
    (ResponseError("UNBLOCKED force unblock from blocking operation"), Trouble.READ_ONLY),
    (ResponseError("NOREPLICAS Not enough good replicas to write."), Trouble.NO_REPLICAS),
    (ResponseError("WRONGTYPE Operation against a key"), Trouble.DAMAGED),
    (ResponseError("ERR MISCONF is not at the beginning"), None),
    (RedisConnectionError("OOM"), None),
]


@pytest.mark.parametrize(("error", "trouble"), NAMED, ids=lambda one: str(one)[:30])
def test_an_error_is_named(error: Exception, trouble: Trouble | None) -> None:
    assert trouble_of(error) is trouble


def test_each_has_words() -> None:
    assert set(WORDS) == set(Trouble)
    assert set(Trouble) > REFUSING


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch(1000.0)


@pytest.fixture
def troubles(stopwatch: Stopwatch) -> Troubles:
    return Troubles(LOG, Clock(stopwatch, stopwatch, lambda _: None))


def test_it_is_logged_at_once_and_then_less_and_less_often(
    troubles: Troubles, stopwatch: Stopwatch, caplog: pytest.LogCaptureFixture
) -> None:
    at = []
    for _ in range(2 * 3600):
        before = len(caplog.records)
        troubles.note(OutOfMemoryError("x"))
        if len(caplog.records) > before:
            at.append(stopwatch.now - 1000)
        stopwatch.now += 1
    assert at == [0, 60, 180, 420, 900, 1860, 3780]
    assert caplog.records[0].getMessage().startswith("Redis is out of memory: raise maxmemory")
    assert troubles.refusing is not None
    assert (troubles.refusing.trouble, troubles.refusing.since) == (Trouble.MEMORY, 1000.0)


def test_a_write_ends_it_and_the_next_one_is_news(
    troubles: Troubles, caplog: pytest.LogCaptureFixture
) -> None:
    troubles.note(ReadOnlyError("x"))
    troubles.wrote()
    troubles.wrote()
    assert troubles.refusing is None
    troubles.note(ReadOnlyError("x"))
    levels = [record.levelname for record in caplog.records]
    assert levels == ["ERROR", "WARNING", "ERROR"]


def test_a_write_that_was_sent_before_another_one_was_refused_ends_nothing(
    troubles: Troubles, stopwatch: Stopwatch, caplog: pytest.LogCaptureFixture
) -> None:
    sent_at = stopwatch.now
    stopwatch.now += 0.1
    troubles.note(ReadOnlyError("x"))
    troubles.wrote(sent_at)
    assert troubles.refusing is not None
    assert len(caplog.records) == 1
    troubles.wrote(stopwatch.now)
    assert troubles.refusing is None


def test_silence_ends_it_in_a_process_that_writes_all_the_time(
    troubles: Troubles, stopwatch: Stopwatch
) -> None:
    troubles.note(ReadOnlyError("x"))
    stopwatch.now += 10
    troubles.end_if_over()
    assert troubles.refusing is not None
    stopwatch.now += 3
    troubles.end_if_over()
    assert troubles.refusing is None


def test_a_client_tells_of_errors_that_nobody_raises(
    redis: Redis, redis_server: EmbeddedRedis, troubles: Troubles
) -> None:
    """Alone, in a pipeline, and of a script."""
    redis.set("key", "text")
    with Redis.from_url(redis_server.url) as client:
        watch(client, troubles.note)
        with pytest.raises(ResponseError):
            client.hgetall("key")
        assert troubles.take_damage()
        assert not troubles.take_damage()
        batch = Batch(client)
        batch.pipeline.hgetall("key")
        batch.execute_all()
        assert troubles.take_damage()
        with pytest.raises(ResponseError):
            Script("return redis.call('HGETALL', KEYS[1])")(client, ["key"], [])
        assert troubles.take_damage()
    assert troubles.refusing is None
