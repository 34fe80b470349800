from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Semaphore

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from rq.suspension import suspend

from reader.cache.check_schedule import CheckSchedule
from reader.cache.local_cache import Held, LocalCache
from reader.cache.lookup import Found
from reader.errors import Unavailable
from shared.entry import Entry
from shared.outcomes import Served
from shared.queueing import QUEUE, REQUEST_ID
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.builders import (
    NOW,
    absent_redis,
    make_entry,
    make_failure,
    on_demand,
    queued_names,
    store_entry,
    store_failure,
    tracked,
)
from tests.reader.bench import KEEP, LOCAL_TTL, PATIENCE, Bench, commands

ORG = tracked("/orgs/Netflix")
USER = on_demand("/users/mona")
OTHER = on_demand("/users/hubot")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(60) as threads:
        yield threads


def refused(waiting: "Future[Found]") -> tuple[str, dict[str, str]]:
    """What a request that got no content was told."""
    error = waiting.exception(PATIENCE)
    assert isinstance(error, Unavailable)
    return error.message, error.headers


def test_what_is_held_is_served_without_redis() -> None:
    bench = Bench(absent_redis())
    entry = make_entry()
    bench.local.put(ORG, entry, NOW)
    found = bench.lookup.get(ORG)
    assert found == Found(entry, Served.LOCAL)
    assert found.entry is entry
    assert bench.synchronizer.wanted.empty()


def test_what_is_held_is_served_whatever_its_age() -> None:
    bench = Bench(absent_redis())
    bench.local.put(ORG, make_entry(fresh_until=NOW - 1e6), NOW - 1e6)
    assert bench.lookup.get(ORG).served is Served.LOCAL


def test_what_is_due_is_served_and_a_look_is_scheduled(bench: Bench) -> None:
    bench.local.put(USER, make_entry(), NOW)
    bench.clock.now = NOW + LOCAL_TTL
    assert bench.lookup.get(USER).served is Served.LOCAL
    assert bench.synchronizer.wanted.get_nowait() == USER


def test_a_miss_is_read_from_redis_and_held(bench: Bench) -> None:
    entry = store_entry(bench.redis, USER, make_entry())
    assert bench.lookup.get(USER) == Found(entry, Served.REDIS)
    assert bench.lookup.get(USER) == Found(entry, Served.LOCAL)
    assert bench.synchronizer.wanted.empty()


def test_what_is_stale_in_redis_is_served_and_a_refresh_is_asked_for(bench: Bench) -> None:
    entry = store_entry(bench.redis, USER, make_entry(fresh_until=NOW))
    assert bench.lookup.get(USER) == Found(entry, Served.REDIS)
    bench.synchronizer.check_due()
    assert queued_names(bench.redis) == [USER.name]


class Key(str):
    """A string that tells when another is compared with it."""

    compared = Semaphore(0)

    def __eq__(self, other: object) -> bool:
        Key.compared.release()
        return str.__eq__(self, other)  # not `==`, which would ask the other key, too

    def __hash__(self) -> int:
        return str.__hash__(self)


class Wanted(Resource):
    """A resource whose every look-up, in a dict that holds it, is counted."""

    @property
    def id(self) -> str:
        return Key("wanted")


class GatedStore(Store):
    """Reads once all others have joined the reader: each finds its flight, and so compares keys."""

    others = 49

    def read(self, resource: Resource) -> Entry | None:
        for _ in range(self.others):
            assert Key.compared.acquire(timeout=PATIENCE)
        return super().read(resource)


def test_fifty_threads_that_miss_make_one_read(bench: Bench, pool: ThreadPoolExecutor) -> None:
    Key.compared = Semaphore(0)
    resource = Wanted("/users/mona")
    entry = store_entry(bench.redis, resource, make_entry())
    lookup = bench.make_lookup(GatedStore(bench.redis))
    before = commands(bench.redis, "hgetall")
    waiting = [pool.submit(lookup.get, resource) for _ in range(50)]
    found = [one.result(PATIENCE) for one in waiting]
    assert found == [Found(entry, Served.REDIS)] * 50
    assert len({id(one.entry) for one in found}) == 1
    assert commands(bench.redis, "hgetall") == before + 1


class SlowLocal(LocalCache):
    """Holds up who finds nothing until it is told to go on."""

    def __init__(self) -> None:
        super().__init__(10_000_000, keep=KEEP, next_check=CheckSchedule(LOCAL_TTL).next_check)
        self.missed, self.go_on = Event(), Event()

    def get(self, resource: Resource, now: float) -> Held | None:
        held = super().get(resource, now)
        if held is None and not self.missed.is_set():
            self.missed.set()
            assert self.go_on.wait(PATIENCE)
        return held


def test_who_misses_just_before_another_read_does_not_read_again(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    # A: misses | B: misses, reads, holds, lands | A: takes off, and should find what B holds
    store_entry(bench.redis, USER, make_entry())
    local = SlowLocal()
    lookup = bench.make_lookup(bench.store, local)
    before = commands(bench.redis, "hgetall")
    late = pool.submit(lookup.get, USER)
    assert local.missed.wait(PATIENCE)
    lookup.get(USER)
    local.go_on.set()
    late.result(PATIENCE)
    assert commands(bench.redis, "hgetall") == before + 1


@pytest.mark.parametrize("resource", [ORG, USER], ids=["tracked", "on demand"])
def test_what_is_nowhere_is_asked_for_and_waited_for(
    bench: Bench, pool: ThreadPoolExecutor, resource: Resource
) -> None:
    waiting = pool.submit(bench.lookup.get, resource)
    bench.look_until_waited_for(resource)
    bench.synchronizer.check_due()
    assert queued_names(bench.redis) == [resource.name]
    assert not waiting.done()
    entry = store_entry(bench.redis, resource, make_entry())
    bench.synchronizer.announced(resource, 1)
    bench.synchronizer.check_due()
    assert waiting.result(PATIENCE) == Found(entry, Served.WAITED)


def test_content_that_came_without_an_announcement_is_found_all_the_same(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    waiting = pool.submit(bench.lookup.get, USER)
    bench.look_until_waited_for(USER)
    store_entry(bench.redis, USER, make_entry())
    bench.synchronizer.check_due()
    assert waiting.result(PATIENCE).served is Served.WAITED


def test_many_who_wait_make_one_job_and_get_one_answer(
    redis: Redis, pool: ThreadPoolExecutor
) -> None:
    bench = Bench(redis)
    waiting = [pool.submit(bench.lookup.get, USER) for _ in range(20)]
    bench.look_until_waited_for(USER)
    bench.synchronizer.check_due()
    assert queued_names(redis) == [USER.name]
    entry = store_entry(redis, USER, make_entry())
    bench.synchronizer.announced(USER, 1)
    bench.synchronizer.check_due()
    assert all(one.result(PATIENCE).entry == entry for one in waiting)


def test_what_is_too_large_to_be_held_is_served_all_the_same(
    redis: Redis, pool: ThreadPoolExecutor
) -> None:
    bench = Bench(redis, max_bytes=1)
    waiting = pool.submit(bench.lookup.get, USER)
    bench.look_until_waited_for(USER)
    entry = store_entry(redis, USER, make_entry())
    bench.synchronizer.check_due()
    assert waiting.result(PATIENCE) == Found(entry, Served.WAITED)
    assert bench.lookup.get(USER) == Found(entry, Served.REDIS)
    assert bench.local.resources() == []


def test_who_waited_long_enough_is_sent_away(redis: Redis) -> None:
    # The wait begins, may go on, and then its time is up.
    seconds = iter([0.0, 0.0, 11.0, 11.0])
    bench = Bench(redis, miss_wait=10, stopwatch=lambda: next(seconds))
    with pytest.raises(Unavailable) as caught:
        bench.lookup.get(USER)
    assert caught.value.status == 503
    assert caught.value.headers == {"Retry-After": "1"}


def test_a_failure_that_outlasts_the_wait_ends_it_at_once(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    failure = make_failure(reason="GitHub answered 502", retry_at=NOW + PATIENCE + 30)
    store_failure(bench.redis, USER, failure)
    waiting = pool.submit(bench.lookup.get, USER)
    bench.look_until_waited_for(USER)
    bench.synchronizer.check_due()
    assert refused(waiting) == (
        "GitHub could not be read: GitHub answered 502",
        {"Retry-After": "60"},
    )
    assert queued_names(bench.redis) == []


def test_a_failure_that_ends_before_the_wait_does_is_waited_out(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    store_failure(bench.redis, USER, make_failure(retry_at=NOW + PATIENCE - 1))
    waiting = pool.submit(bench.lookup.get, USER)
    bench.look_until_waited_for(USER)
    bench.synchronizer.check_due()
    bench.look_until_waited_for(USER)  # it heard of the failure, and asks again
    assert not waiting.done()
    store_entry(bench.redis, USER, make_entry())
    bench.synchronizer.check_due()
    assert waiting.result(PATIENCE).served is Served.WAITED


def test_a_full_queue_ends_the_wait_at_once(redis: Redis, pool: ThreadPoolExecutor) -> None:
    bench = Bench(redis, queue_limit=1)
    bench.synchronizer.schedule_check(OTHER)
    bench.synchronizer.check_due()
    waiting = pool.submit(bench.lookup.get, USER)
    bench.look_until_waited_for(USER)
    bench.synchronizer.check_due()
    assert refused(waiting) == ("Too many refreshes are queued.", {"Retry-After": "5"})


def test_where_too_many_wait_the_next_is_refused_and_hits_are_not(
    redis: Redis, pool: ThreadPoolExecutor
) -> None:
    bench = Bench(redis, max_waiting=1)
    held = make_entry()
    bench.local.put(ORG, held, NOW)
    waiting = pool.submit(bench.lookup.get, USER)
    bench.look_until_waited_for(USER)
    with pytest.raises(Unavailable) as caught:
        bench.lookup.get(OTHER)
    assert caught.value.headers == {"Retry-After": "1"}
    assert bench.lookup.get(ORG).entry is held
    for resource in (USER, OTHER):
        store_entry(redis, resource, make_entry())
    bench.synchronizer.check_due()
    waiting.result(PATIENCE)
    assert bench.lookup.get(OTHER).served is Served.REDIS


def test_every_way_out_gives_its_place_back(redis: Redis) -> None:
    bench = Bench(redis, max_waiting=1, miss_wait=0)
    for _ in range(3):
        with pytest.raises(Unavailable, match="still being fetched"):
            bench.lookup.get(USER)


def test_without_redis_a_miss_is_refused_at_once() -> None:
    bench = Bench(absent_redis())
    with pytest.raises(Unavailable) as caught:
        bench.lookup.get(USER)
    assert caught.value.message == "The cache's store cannot be reached."
    assert caught.value.headers == {"Retry-After": "1"}
    assert not bench.waiters.has_waiter(USER)


class TestPaused:
    """While an operator has refreshing paused."""

    @pytest.fixture
    def paused(self, bench: Bench) -> Bench:
        suspend(bench.redis)
        bench.synchronizer.tick()
        return bench

    def test_a_miss_is_refused_at_once(self, paused: Bench, pool: ThreadPoolExecutor) -> None:
        waiting = pool.submit(paused.lookup.get, USER)
        paused.look_until_waited_for(USER)
        paused.synchronizer.check_due()
        assert refused(waiting) == (
            "Refreshing is paused by an operator.",
            {"Retry-After": "60"},
        )
        assert paused.lookup.waiting == 0

    def test_what_is_in_redis_is_served_however_stale(self, paused: Bench) -> None:
        entry = store_entry(paused.redis, USER, make_entry(fresh_until=NOW - 1e6))
        assert paused.lookup.get(USER) == Found(entry, Served.REDIS)

    def test_what_arrives_meanwhile_is_served(
        self, paused: Bench, pool: ThreadPoolExecutor
    ) -> None:
        """A refresh that was under way when it was paused."""
        waiting = pool.submit(paused.lookup.get, USER)
        paused.look_until_waited_for(USER)
        store_entry(paused.redis, USER, make_entry())
        paused.synchronizer.check_due()
        assert waiting.result(PATIENCE).served is Served.WAITED


def test_a_refresh_is_asked_for_in_the_name_of_the_request(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    store_entry(bench.redis, OTHER, make_entry(fresh_until=NOW))
    bench.lookup.get(OTHER, request_id="stale-1")
    bench.clock.now += LOCAL_TTL
    bench.local.put(ORG, make_entry(fresh_until=NOW), NOW)
    bench.lookup.get(ORG, request_id="due-1")
    waiting = pool.submit(bench.lookup.get, USER, request_id="miss-1")
    bench.look_until_waited_for(USER)
    bench.synchronizer.check_due()
    jobs = Queue(QUEUE, connection=bench.redis, serializer=JSONSerializer).jobs
    assert {str(job.args[0]): job.meta.get(REQUEST_ID) for job in jobs} == {
        OTHER.name: "stale-1",
        ORG.name: "due-1",
        USER.name: "miss-1",
    }
    store_entry(bench.redis, USER, make_entry(fresh_until=NOW + 1e6))
    bench.synchronizer.announced(USER, 1)
    bench.synchronizer.check_due()
    waiting.result(PATIENCE)


def test_who_waits_is_counted_for_as_long_as_it_waits(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    assert bench.lookup.waiting == 0
    waiting = pool.submit(bench.lookup.get, USER)
    bench.look_until_waited_for(USER)
    assert bench.lookup.waiting == 1
    store_entry(bench.redis, USER, make_entry())
    bench.synchronizer.check_due()
    waiting.result(PATIENCE)
    assert bench.lookup.waiting == 0
