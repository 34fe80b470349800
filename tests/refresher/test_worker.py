"""The worker does many jobs at once, and survives a Redis outage; also tested end to end."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Connection, ConnectionPool, Redis
from redis import ConnectionError as RedisConnectionError
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue, Worker
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.suspension import resume, suspend

from refresher import process
from refresher.worker import RefreshWorker
from scripts.embedded_redis import EmbeddedRedis, free_port
from shared import measures
from shared.measures import Measure
from shared.queueing import QUEUE, QueueLimits, RefreshQueue
from shared.redis.connection import connect
from shared.redis.store import Store
from shared.refresh_report import timeline
from shared.resources.resource import Resource
from shared.settings import load
from tests.builders import on_demand, queued_names, stale
from tests.fakegithub.client import FakeGitHub
from tests.refresher.workbench import ORG, REPOS, USER_VIEW
from tests.waiting import eventually


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


def test_maintenance_survives_what_nobody_can_read(redis: Redis) -> None:
    worker = make_worker(redis)
    worker.register_birth()
    redis.sadd("rq:workers:refresh", b"\xff\xfe damage")
    worker.run_maintenance_tasks()


def test_a_connection_that_says_nothing_is_given_up_in_seconds(redis: Redis) -> None:
    worker = make_worker(redis)
    worker.worker_ttl = 420
    assert worker.dequeue_timeout < worker.connection_timeout <= 5


class Interruptible:
    """A Redis that goes away once, in the middle of what a client of it does.

    Args:
        url: of the Redis.
    """

    def __init__(self, url: str) -> None:
        self.left: int | None = None  # commands until it goes away
        away = self

        class Cut(Connection):
            def send_packed_command(self, command: Any, check_health: bool = True) -> None:
                if away.left is not None:
                    away.left -= 1
                    if away.left == 0:
                        raise RedisConnectionError("the previous master is now a replica")
                super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]

        no_retry = Retry(NoBackoff(), 0)
        pool = ConnectionPool.from_url(url, connection_class=Cut, retry=no_retry)
        self.client = Redis.from_pool(pool)


class TestAtWork:
    """The worker does jobs of a real queue, in this process."""

    @pytest.fixture(autouse=True)
    def _environment(
        self, monkeypatch: pytest.MonkeyPatch, github: FakeGitHub, redis_server: EmbeddedRedis
    ) -> Iterator[None]:
        monkeypatch.setenv("REDIS_URL", redis_server.url)
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        monkeypatch.setattr(process._process, "server", None)  # restored afterwards
        handlers = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
        yield
        for one, handler in handlers.items():
            signal.signal(one, handler)
        github.clear_faults()
        process.close()

    @pytest.fixture
    def beside(self) -> Iterator[ThreadPoolExecutor]:
        """A thread for what happens while the worker works in this one."""
        with ThreadPoolExecutor(1) as threads:
            yield threads

    def test_does_everything_that_is_queued_and_leaves_nothing_of_it(self, redis: Redis) -> None:
        resources = (ORG, REPOS, USER_VIEW)
        ask(redis, *resources)
        worker = make_worker(redis)
        assert worker.work(burst=True)
        assert all(Store(redis).state(one).metadata for one in resources)
        assert [list(redis.scan_iter(f"rq:{what}:*")) for what in ("job", "queue")] == [[], []]
        assert int(redis.hget(worker.key, "successful_job_count") or 0) == 3
        assert {one.resource for one in timeline(redis)} == {one.name for one in resources}
        counted = measures.read(redis).of(Measure.REFRESHES)
        assert counted == {("tracked", "updated"): 2, ("on-demand", "updated"): 1}
        assert measures.read(redis).of(Measure.QUEUE_SECONDS)

    def test_does_many_at_once(
        self, redis: Redis, github: FakeGitHub, beside: ThreadPoolExecutor
    ) -> None:
        users = [on_demand(f"/users/u{number}") for number in range(20)]
        ask(redis, *users)
        github.fault("hang", path="/users/.*")

        def watch() -> bool:
            try:
                return bool(eventually(lambda: github.counters()["hanging"] == len(users)))
            finally:
                github.clear_faults()

        watching = beside.submit(watch)
        make_worker(redis).work(burst=True)
        assert watching.result()

    @pytest.mark.parametrize("at", range(1, 12))
    def test_a_redis_that_goes_away_between_two_steps_does_not_end_it(
        self, redis: Redis, redis_server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch, at: int
    ) -> None:
        monkeypatch.setattr("refresher.worker.TICK", 0.01)
        ask(redis, ORG)
        away = Interruptible(redis_server.url)
        worker = make_worker(away.client)
        away.left = at
        assert worker.work(burst=True)
        assert away.left <= 0
        assert Store(redis).state(ORG).metadata is not None
        away.client.close()

    def test_a_job_that_raises_is_kept_for_rq_s_tools_and_ends_no_other(self, redis: Redis) -> None:
        queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        broken = queue.enqueue("refresher.jobs.nothing")
        ask(redis, ORG)
        worker = make_worker(redis)
        worker.work(burst=True)
        assert FailedJobRegistry(queue=queue).get_job_ids() == [broken.id]
        assert int(redis.hget(worker.key, "failed_job_count") or 0) == 1
        assert Store(redis).state(ORG).metadata is not None

    def test_a_signal_lets_it_finish_what_runs_and_take_nothing_more(
        self,
        redis: Redis,
        github: FakeGitHub,
        monkeypatch: pytest.MonkeyPatch,
        beside: ThreadPoolExecutor,
    ) -> None:
        monkeypatch.setenv("REFRESH_CONCURRENCY", "1")
        ask(redis, ORG)
        github.fault("slow", path="/orgs/.*", delay=60)

        worker = make_worker(redis)

        def stop() -> None:
            try:
                eventually(lambda: github.counters()["in_flight"] == 1)
                ask(redis, REPOS)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                eventually(lambda: worker._stop_requested)
                github.clear_faults()

        stopping = beside.submit(stop)
        worker.work()
        stopping.result()
        assert Store(redis).state(ORG).metadata is not None
        assert queued_names(redis) == [REPOS.name]
        assert Worker.all(connection=redis) == []

    def test_a_long_job_is_shown_to_rq_s_tools_as_long_as_it_runs(
        self, redis: Redis, github: FakeGitHub, beside: ThreadPoolExecutor
    ) -> None:
        queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        ask(redis, ORG)
        (job_id,) = queue.job_ids
        github.fault("hang", path="/orgs/.*")

        def watch() -> tuple[list[str], str]:
            try:
                running = eventually(StartedJobRegistry(queue=queue).get_job_ids)
                (known,) = Worker.all(connection=redis)
                return running, known.get_state()
            finally:
                github.clear_faults()

        watching = beside.submit(watch)
        make_worker(redis).work(burst=True)
        assert watching.result() == ([job_id], "busy")
        assert StartedJobRegistry(queue=queue).get_job_ids() == []

    def test_while_refreshing_is_paused_it_takes_nothing_and_says_so(
        self, redis: Redis, beside: ThreadPoolExecutor
    ) -> None:
        suspend(redis)
        ask(redis, ORG)

        def watch() -> str:
            try:
                return str(eventually(lambda: state_of(redis) == "suspended" and "suspended"))
            finally:
                resume(redis)
                eventually(lambda: Store(redis).state(ORG).metadata)
                os.kill(os.getpid(), signal.SIGTERM)

        watching = beside.submit(watch)
        make_worker(redis).work()
        assert watching.result() == "suspended"


def ask(redis: Redis, *resources: Resource) -> None:
    """Queue refreshes of resources."""
    RefreshQueue(redis, QueueLimits()).ask_all([stale(resource) for resource in resources])


def state_of(redis: Redis) -> str | None:
    """What RQ's tools show of the worker's state."""
    return next((one.get_state() for one in Worker.all(connection=redis)), None)
