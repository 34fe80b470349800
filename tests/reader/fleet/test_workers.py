"""Refreshers as RQ registers them."""

import os
import socket
import time
from collections.abc import Callable

import pytest
from redis import Redis
from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from reader.fleet.workers import workers
from shared.queue_order import Lane
from shared.queueing import QUEUE, QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.connection import connect
from shared.settings import load
from tests.builders import on_demand, stale

MakeWorker = Callable[..., Worker]


@pytest.fixture
def make_worker(redis: Redis) -> MakeWorker:
    """Registered RQ workers that do nothing."""

    def make(name: str, queue: str = QUEUE) -> Worker:
        of = Queue(queue, connection=redis, serializer=JSONSerializer)
        worker = Worker([of], connection=redis, name=name, serializer=JSONSerializer)
        worker.register_birth()  # type: ignore[no-untyped-call]
        worker.set_state(WorkerStatus.IDLE)
        return worker

    return make


def test_there_are_none_at_first(redis: Redis) -> None:
    assert workers(redis) == []


def test_a_whole_view(redis: Redis, make_worker: MakeWorker) -> None:
    before = time.time()
    make_worker("one")
    (found,) = workers(redis)
    assert (found.name, found.hostname, found.pid) == ("one", socket.gethostname(), os.getpid())
    assert (found.state, found.job, found.done, found.failed) == ("idle", None, 0, 0)
    assert before - 2 < (found.started_at or 0) < time.time() + 2
    assert before - 2 < (found.heard_at or 0) < time.time() + 2


def test_each_has_its_current_job(redis: Redis, make_worker: MakeWorker) -> None:
    busy = make_worker("busy")
    make_worker("asleep").set_state(WorkerStatus.SUSPENDED)
    RefreshQueue(redis, QueueLimits(queued=10)).ask(stale(on_demand("/users/mona")))
    job_id = Queue(QUEUE, connection=redis).job_ids[0]
    job = Job.fetch(job_id, connection=redis, serializer=JSONSerializer)
    busy.prepare_execution(job)
    busy.set_state(WorkerStatus.BUSY)
    found = [(one.name, one.state, one.job) for one in workers(redis)]
    assert found == [("asleep", "suspended", None), ("busy", "busy", "refresh /users/mona")]


def test_each_has_its_number_of_jobs(redis: Redis, make_worker: MakeWorker) -> None:
    worker = make_worker("one")
    redis.hset(worker.key, mapping={"successful_job_count": 12, "failed_job_count": 3})
    assert [(one.done, one.failed) for one in workers(redis)] == [(12, 3)]


def test_a_worker_that_ended_is_gone(redis: Redis, make_worker: MakeWorker) -> None:
    make_worker("one").register_death()  # type: ignore[no-untyped-call]
    make_worker("two")
    assert [one.name for one in workers(redis)] == ["two"]


def test_a_killed_worker_is_gone_when_its_heartbeat_expires(
    redis: Redis, make_worker: MakeWorker
) -> None:
    redis.delete(make_worker("one").key)
    make_worker("two")
    assert [one.name for one in workers(redis)] == ["two"]


def test_workers_of_other_queues_are_left_out(redis: Redis, make_worker: MakeWorker) -> None:
    make_worker("one", "somebody-elses-queue")
    assert workers(redis) == []


def test_a_worker_of_which_little_is_known_is_shown(redis: Redis, make_worker: MakeWorker) -> None:
    worker = make_worker("one")
    redis.delete(worker.key)
    redis.hset(worker.key, "shutdown_requested_date", "x")
    (found,) = workers(redis)
    assert (found.name, found.hostname, found.pid, found.state) == ("one", "?", 0, "?")
    assert (found.heard_at, found.started_at, found.job) == (None, None, None)


def test_reading_them_leaves_the_connections_timeouts_unchanged(
    redis: Redis, make_worker: MakeWorker
) -> None:
    make_worker("one")
    url = "redis://127.0.0.1:{port}/0".format(**redis.connection_pool.connection_kwargs)
    client = connect(load(redis_url=url))
    before = dict(client.connection_pool.connection_kwargs)
    assert len(workers(client)) == 1
    assert client.connection_pool.connection_kwargs == before
    client.close()


def test_a_worker_says_how_wrong_its_clock_is_and_its_times_are_put_right(
    redis: Redis, make_worker: MakeWorker
) -> None:
    before = time.time()
    make_worker("one")
    redis.hset(keys.refresher("one"), "skew", "600.0")
    (found,) = workers(redis)
    assert found.skew == 600
    assert before - 2 < (found.heard_at or 0) + 600 < time.time() + 2
    assert before - 2 < (found.started_at or 0) + 600 < time.time() + 2


def test_a_refresher_reports_its_refreshes_at_work(redis: Redis, make_worker: MakeWorker) -> None:
    make_worker("one")
    report = [
        "slots",
        "50",
        "running:tracked",
        "2",
        "running:large",
        "0",
        "running:on-demand",
        "30",
    ]
    redis.hset(keys.refresher("one"), items=report)
    (found,) = workers(redis)
    assert (found.slots, found.at_work) == (50, 32)
    assert found.running == {Lane.TRACKED: 2, Lane.ON_DEMAND: 30}


def test_a_plain_worker_does_one_job_at_a_time(redis: Redis, make_worker: MakeWorker) -> None:
    make_worker("idle")
    make_worker("busy").set_state(WorkerStatus.BUSY)
    assert [(one.name, one.slots, one.at_work) for one in workers(redis)] == [
        ("busy", None, 1),
        ("idle", None, 0),
    ]


def test_a_damaged_report_counts_as_none(redis: Redis, make_worker: MakeWorker) -> None:
    make_worker("one")
    redis.hset(keys.refresher("one"), items=["slots", "many", "running:tracked", "x"])
    (found,) = workers(redis)
    assert (found.slots, found.running) == (None, {})


@pytest.mark.parametrize("damage", ["", "soon", "nan", "inf"])
def test_a_damaged_skew_is_none(redis: Redis, make_worker: MakeWorker, damage: str) -> None:
    make_worker("one")
    redis.hset(keys.refresher("one"), "skew", damage)
    assert workers(redis)[0].skew == 0
