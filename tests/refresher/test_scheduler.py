"""The scheduler requests refreshes ahead, once for all schedulers, and survives a Redis outage."""

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest
from redis import Redis
from redis.client import Pipeline
from rq import Queue
from rq.cron import CronScheduler
from rq.serializers import JSONSerializer

from refresher.scheduler import RefreshAhead, Scheduler
from scripts.embedded_redis import free_port
from shared.clock import SYSTEM, Clock, FleetClock
from shared.queueing import QUEUE
from shared.redis import keys
from shared.redis.connection import connect
from shared.settings import load
from tests.builders import make_entry, order_of, queued_names, store_entry
from tests.refresher.workbench import CATALOGUE, ManualClock, at, make_settings

NAMES = [resource.name for resource in CATALOGUE.tracked]
URL = "http://github.invalid"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def scheduled(redis: Redis, clock: ManualClock) -> RefreshAhead:
    settings = make_settings(URL, orgs="Netflix", cache_ttl=1000, refresh_ahead=0.1)
    return RefreshAhead(settings, redis, clock=at(clock))


def all_fresh(redis: Redis, *, until: float) -> None:
    for resource in CATALOGUE.tracked:
        store_entry(redis, resource, make_entry(fresh_until=until))


def test_nothing_is_asked_for_while_everything_is_fresh_for_long(
    redis: Redis, clock: ManualClock
) -> None:
    all_fresh(redis, until=clock.now + 101)
    scheduled(redis, clock).ask()
    assert queued_names(redis) == []


def test_everything_is_asked_for_before_it_is_stale(redis: Redis, clock: ManualClock) -> None:
    all_fresh(redis, until=clock.now + 50)
    scheduled(redis, clock).ask()
    assert sorted(queued_names(redis)) == sorted(NAMES)


def test_two_schedulers_ask_once(redis: Redis, clock: ManualClock) -> None:
    all_fresh(redis, until=clock.now + 50)
    for _ in range(2):
        scheduled(redis, clock).ask()
    for resource in CATALOGUE.tracked:
        redis.delete(keys.asked(resource))
    scheduled(redis, clock).ask()
    assert sorted(queued_names(redis)) == sorted(NAMES)


def test_no_moment_of_freshness_is_asked_for_twice(redis: Redis, clock: ManualClock) -> None:
    all_fresh(redis, until=clock.now + 50)
    scheduled(redis, clock).ask()
    for _ in range(3):  # the jobs are done, and have changed nothing
        redis.delete("rq:queue:refresh", *map(keys.asked, CATALOGUE.tracked))
        scheduled(redis, clock).ask()
        assert queued_names(redis) == []
    all_fresh(redis, until=clock.now + 51)
    scheduled(redis, clock).ask()
    assert sorted(queued_names(redis)) == sorted(NAMES)


def test_what_has_become_stale_is_asked_for_again(redis: Redis, clock: ManualClock) -> None:
    all_fresh(redis, until=clock.now + 50)
    scheduled(redis, clock).ask()
    redis.delete("rq:queue:refresh", *map(keys.asked, CATALOGUE.tracked))
    clock.now += 50
    scheduled(redis, clock).ask()
    assert sorted(queued_names(redis)) == sorted(NAMES)


def test_what_is_under_way_already_is_asked_for_when_that_has_ended(
    redis: Redis, clock: ManualClock
) -> None:
    all_fresh(redis, until=clock.now + 50)
    for resource in CATALOGUE.tracked:
        redis.set(keys.running(resource), 1)
    scheduled(redis, clock).ask()
    for resource in CATALOGUE.tracked:
        redis.delete(keys.running(resource), keys.asked(resource))
    scheduled(redis, clock).ask()
    assert sorted(queued_names(redis)) == sorted(NAMES)


def test_what_is_missing_is_asked_for_even_without_readers(
    redis: Redis, clock: ManualClock
) -> None:
    scheduled(redis, clock).ask()
    assert sorted(queued_names(redis)) == sorted(NAMES)


def test_what_an_older_refresher_cannot_complete_costs_no_requests_to_github(
    redis: Redis, clock: ManualClock
) -> None:
    # Fresh for long, but without what this release derives: a refresher of an older release
    # finds it fresh, unless it is told that this is not enough.
    all_fresh(redis, until=clock.now + 500)
    for resource in CATALOGUE.tracked:
        meta = json.loads(redis.hget(keys.entry(resource), "meta") or b"")
        redis.hset(keys.entry(resource), "meta", json.dumps({**meta, "derived": {}}))
    scheduled(redis, clock).ask()
    assert sorted(queued_names(redis)) == sorted(NAMES)
    jobs = Queue(QUEUE, connection=redis, serializer=JSONSerializer).jobs
    assert [job.kwargs for job in jobs] == [{}] * len(NAMES)


def test_reported_changes_are_asked_for_in_the_order_of_the_requests(
    redis: Redis, clock: ManualClock
) -> None:
    first, second, *_ = CATALOGUE.tracked
    ahead = scheduled(redis, clock)
    all_fresh(redis, until=4e9)  # long after the second change was reported
    redis.set(keys.invalidated_by(first), "x")
    ahead.ask()
    store_entry(redis, second, make_entry(fresh_until=clock.now))
    redis.set(keys.invalidated_by(second), "y")
    ahead.ask()
    assert order_of(redis) == [first.name, second.name]


@pytest.mark.parametrize(("ttl", "interval"), [(1, 1), (1000, 6), (1_000_000, 60)])
def test_a_window_is_looked_into_several_times(redis: Redis, ttl: float, interval: int) -> None:
    settings = make_settings(URL, cache_ttl=ttl, refresh_ahead=0.1)
    assert RefreshAhead(settings, redis, clock=SYSTEM).interval == interval


class TestSignals:
    """Whenever one comes, the scheduler ends by itself, and is not told of as one that has died."""

    @pytest.fixture(autouse=True)
    def _handlers_as_before(self) -> Iterator[None]:
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        yield
        for number, handler in before.items():
            signal.signal(number, handler)

    @pytest.fixture
    def scheduler(self, redis: Redis) -> Scheduler:
        scheduler = Scheduler(redis, clock=FleetClock(), name="tested")
        scheduler.register(_end_me, QUEUE, interval=60)
        return scheduler

    def test_one_that_comes_while_it_runs(self, redis: Redis, scheduler: Scheduler) -> None:
        scheduler.start()
        assert CronScheduler.all(redis) == []

    def test_one_that_comes_while_it_registers(
        self, redis: Redis, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scheduler, "_stamp", _end_me)
        scheduler.start()
        assert CronScheduler.all(redis) == []

    def test_a_second_one_while_it_unregisters(
        self, redis: Redis, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unregister = CronScheduler.register_death

        def interrupted(known: CronScheduler, pipeline: Pipeline | None = None) -> None:
            _end_me()
            unregister(known, pipeline)

        monkeypatch.setattr(CronScheduler, "register_death", interrupted)
        scheduler.start()
        assert CronScheduler.all(redis) == []


def _end_me() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


class TestOutages:
    @pytest.fixture
    def absent(self) -> Iterator[Redis]:
        """A client of a Redis that does not run."""
        client = connect(load(redis_url=f"redis://127.0.0.1:{free_port()}"))
        yield client
        client.close()

    def test_the_scheduler_lives_through_an_absent_redis(
        self, absent: Redis, clock: ManualClock
    ) -> None:
        scheduler = Scheduler(absent, clock=FleetClock())
        scheduler.register(scheduled(absent, clock).ask, QUEUE, interval=1)
        scheduler.register_birth()
        assert len(scheduler.enqueue_jobs()) == 1
        scheduler.save()
        scheduler.heartbeat()
        scheduler.register_death()

    def test_it_is_known_to_rq(self, redis: Redis, clock: ManualClock) -> None:
        scheduler = Scheduler(redis, clock=FleetClock(), name="tested")
        scheduler.register(scheduled(redis, clock).ask, QUEUE, interval=60)
        scheduler.register_birth()
        assert [known.name for known in CronScheduler.all(redis)] == ["tested"]
        redis.flushall()
        scheduler.heartbeat()
        assert [known.name for known in CronScheduler.all(redis)] == ["tested"]
        scheduler.register_death()
        scheduler.register_death()
        assert CronScheduler.all(redis) == []

    @pytest.mark.parametrize("error", [-3600, 3600])
    def test_readers_find_it_alive_whatever_its_machine_s_clock_shows(
        self, redis: Redis, error: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right = time.time
        clock = FleetClock(Clock(lambda: right() + error, time.monotonic, time.sleep))
        monkeypatch.setattr(time, "time", lambda: right() + error)
        scheduler = Scheduler(redis, clock=clock, name="tested")
        for step in (scheduler.register_birth, scheduler.heartbeat):
            step()
            assert redis.zscore("rq:cron_schedulers", "tested") == pytest.approx(right(), abs=60)

    def test_those_that_were_killed_long_ago_leave_the_registry(self, redis: Redis) -> None:
        now, registry = time.time(), "rq:cron_schedulers"
        redis.zadd(registry, {"yesterday": now - 90_000, "long ago": now - 300_000})
        scheduler = Scheduler(redis, clock=FleetClock(), name="tested")
        scheduler.register_birth()
        assert redis.zrange(registry, 0, -1) == [b"yesterday", b"tested"]

    def test_its_interval_is_no_matter_of_the_time_of_day(
        self, redis: Redis, caplog: pytest.LogCaptureFixture
    ) -> None:
        calls: list[float] = []
        up, now = [0.0], [1e9]
        clock = FleetClock(Clock(lambda: now[0], lambda: up[0], time.sleep))
        scheduler = Scheduler(redis, clock=clock, name="tested")
        scheduler.register(lambda: calls.append(up[0]), QUEUE, interval=10)
        for up[0], now[0] in ((0, 1e9), (9, 2e9), (10, 0), (15, 3e9), (20, 1e9)):
            scheduler.enqueue_jobs()
            assert 0 <= scheduler.calculate_sleep_interval() <= 10
            scheduler.heartbeat()
        assert calls == [0, 10, 20]
        warnings = [one for one in caplog.messages if "the clock of this machine is" in one]
        assert len(warnings) == 1

    def test_it_asks_again_when_its_interval_has_passed(self, redis: Redis) -> None:
        calls: list[float] = []

        def note() -> None:
            calls.append(time.time())

        scheduler = Scheduler(redis, clock=FleetClock())
        scheduler.register(note, QUEUE, interval=3600)
        assert len(scheduler.enqueue_jobs()) == 1
        assert scheduler.enqueue_jobs() == []
        assert len(calls) == 1
        assert redis.keys("rq:queue*") == []
