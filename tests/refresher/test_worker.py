"""The worker survives a Redis outage; the process itself is tested end to end."""

from collections.abc import Iterator

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import Redis
from redis.client import Pipeline
from rq import Queue, Worker

from refresher.worker import RefreshWorker
from scripts.embedded_redis import free_port
from shared.queueing import QUEUE
from shared.redis.connection import connect
from shared.settings import load


def make_worker(redis: Redis) -> RefreshWorker:
    """A worker without a job."""
    return RefreshWorker([Queue(QUEUE, connection=redis)], connection=redis, name="tested")


@pytest.fixture
def absent() -> Iterator[Redis]:
    """A client of a Redis that does not run."""
    client = connect(load(redis_url=f"redis://127.0.0.1:{free_port()}"))
    yield client
    client.close()


def test_a_redis_that_lost_its_data_learns_of_the_worker_at_its_next_heartbeat(
    redis: Redis,
) -> None:
    worker = make_worker(redis)
    worker.register_birth()
    redis.flushall()
    worker.heartbeat()
    assert [one.name for one in Worker.all(connection=redis)] == ["tested"]
    assert redis.hexists(worker.key, "birth")


def test_a_heartbeat_leaves_a_worker_that_is_known_as_it_was(redis: Redis) -> None:
    worker = make_worker(redis)
    worker.register_birth()
    birth = redis.hget(worker.key, "birth")
    worker.heartbeat()
    assert redis.hget(worker.key, "birth") == birth
    assert redis.ttl(worker.key) > 0


def test_a_heartbeat_without_redis_is_no_error(redis: Redis, absent: Redis) -> None:
    worker = make_worker(redis)
    worker.connection = absent
    worker.heartbeat()


def test_signing_off_without_redis_is_no_error(redis: Redis, absent: Redis) -> None:
    worker = make_worker(redis)
    worker.register_birth()
    worker.connection = absent
    worker.teardown()


def test_signing_off_takes_the_worker_off_the_list(redis: Redis) -> None:
    worker = make_worker(redis)
    worker.register_birth()
    worker.teardown()
    assert Worker.all(connection=redis) == []


class Interrupted(RefreshWorker):
    """A worker whose Redis goes away once between two of RQ's steps, and which then ends."""

    away = 1

    def set_state(self, state: str, pipeline: Pipeline | None = None) -> None:
        if self.away:
            self.away -= 1
            raise RedisConnectionError("the previous master is now a replica")
        super().set_state(state, pipeline)


@pytest.mark.timeout(30)
def test_a_redis_that_goes_away_between_two_steps_does_not_end_the_worker(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("refresher.worker._PAUSE", 0)
    worker = Interrupted([Queue(QUEUE, connection=redis)], connection=redis, name="tested")
    assert worker.dequeue_job_and_maintain_ttl(1, max_idle_time=1) is None
    assert worker.away == 0


def test_a_connection_that_says_nothing_is_given_up_in_seconds(redis: Redis) -> None:
    worker = make_worker(redis)
    worker.worker_ttl = 420
    assert worker.dequeue_timeout < worker.connection_timeout <= 5
