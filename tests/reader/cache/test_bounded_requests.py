"""Clients that bound the age of content on demand wait for newer content, together."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from rq.suspension import suspend

from reader.cache.age_bound import ANY_AGE, AgeBound
from reader.cache.refresh_requests import Requester
from reader.cache.wanted import Found
from reader.errors import NotHeld, Unavailable
from shared.entry import Entry
from shared.outcomes import FailureKind, Served
from shared.queue_order import Lane, Priority
from shared.queueing import QUEUE, QueueLimits
from shared.redis import keys
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
from tests.reader.bench import CLIENT, PATIENCE, Bench

USER = on_demand("/users/mona")
REPOS = tracked("/orgs/Netflix/repos")
REQUESTER = Requester(CLIENT)
NO_CACHE = AgeBound(0, 0, floor=5)
HOUR = AgeBound(3600, 0, floor=5)
ONLY = AgeBound(only_if_cached=True)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(110) as threads:
        yield threads


def hold(bench: Bench, *, age: float = 20, left: float = 40) -> Entry:
    """Content of some age in memory and in Redis."""
    entry = make_entry(validated_at=NOW - age, fresh_until=NOW + left)
    return bench.local.put(USER, store_entry(bench.redis, USER, entry), NOW)


def arrive(bench: Bench, *, at: float = NOW, version: int = 2) -> Entry:
    """A refresher stores content, and this process hears of it."""
    entry = make_entry(b"{}", validated_at=at, fresh_until=at + 60, version=version)
    stored = store_entry(bench.redis, USER, entry)
    bench.synchronizer.announced(USER, version)
    return stored


def asked(
    bench: Bench, pool: ThreadPoolExecutor, bound: AgeBound, client: str = CLIENT
) -> Future[Found]:
    """A request that waits by now."""
    future = pool.submit(bench.lookup.get, USER, Requester(client), bound)
    bench.let_wait(USER, client)
    return future


def test_too_old_content_is_waited_for_in_turns_as_a_miss(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    held = hold(bench)
    waiting = asked(bench, pool, NO_CACHE)
    assert bench.redis.zcard(keys.order(Lane.ON_DEMAND, Priority.WAITING)) == 1
    (job,) = Queue(QUEUE, connection=bench.redis, serializer=JSONSerializer).jobs
    assert job.kwargs == {"fresh_after": held.metadata.fresh_until}
    entry = arrive(bench)
    assert waiting.result(PATIENCE) == Found(entry, Served.BOUNDED)
    assert bench.lookup.get(USER, REQUESTER, NO_CACHE) == Found(entry, Served.LOCAL)


def test_others_get_what_is_held_meanwhile(bench: Bench, pool: ThreadPoolExecutor) -> None:
    held = hold(bench)
    waiting = asked(bench, pool, NO_CACHE)
    for bound in (ANY_AGE, HOUR, AgeBound(20, 0), ONLY):
        assert bench.lookup.get(USER, REQUESTER, bound) == Found(held, Served.LOCAL)
    arrive(bench)
    assert waiting.result(PATIENCE).served is Served.BOUNDED


@pytest.mark.parametrize("age", [0, 3, 5])
def test_below_the_floor_what_is_held_is_fresh_enough(bench: Bench, age: float) -> None:
    held = hold(bench, age=age)
    assert bench.lookup.get(USER, REQUESTER, NO_CACHE) == Found(held, Served.LOCAL)
    assert queued_names(bench.redis) == []


def test_what_another_process_has_renewed_is_read_from_redis(bench: Bench) -> None:
    hold(bench)
    newer = make_entry(validated_at=NOW - 1, fresh_until=NOW + 59, confirmed_by=2)
    entry = store_entry(bench.redis, USER, newer)
    assert bench.lookup.get(USER, REQUESTER, NO_CACHE) == Found(entry, Served.REDIS)
    assert queued_names(bench.redis) == []


def test_a_hundred_who_ask_share_one_refresh(bench: Bench, pool: ThreadPoolExecutor) -> None:
    hold(bench)
    waiting = [pool.submit(bench.lookup.get, USER, REQUESTER, NO_CACHE) for _ in range(70)]
    bench.let_wait(USER)
    assert queued_names(bench.redis) == [USER.name]
    entry = arrive(bench)
    assert {one.result(PATIENCE).entry.metadata.version for one in waiting} == {2}
    assert all(one.result().entry.metadata == entry.metadata for one in waiting)


def test_who_wants_newer_content_than_the_one_it_waits_with_goes_on_to_wait(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    hold(bench, age=7200)
    loose = asked(bench, pool, HOUR)
    strict = asked(bench, pool, NO_CACHE, "192.0.2.2")
    middling = arrive(bench, at=NOW - 60)
    assert loose.result(PATIENCE) == Found(middling, Served.BOUNDED)
    bench.let_wait(USER, "192.0.2.2")
    assert not strict.done()
    entry = arrive(bench, version=3)
    assert strict.result(PATIENCE) == Found(entry, Served.BOUNDED)


def test_a_miss_that_was_waited_for_is_new_enough(bench: Bench, pool: ThreadPoolExecutor) -> None:
    waiting = asked(bench, pool, NO_CACHE)
    entry = arrive(bench)
    assert waiting.result(PATIENCE) == Found(entry, Served.WAITED)
    assert len(queued_names(bench.redis)) == 1


def test_what_an_event_has_touched_is_waited_for_whatever_a_client_takes(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    repo = on_demand("/repos/Netflix/Hystrix")
    seconds, _ = bench.redis.time()  # by which events are judged
    bench.clock.now = at = float(seconds)
    entry = make_entry(validated_at=at - 1, fresh_until=at + 40)
    bench.local.put(repo, store_entry(bench.redis, repo, entry), at)
    bench.local.touch(repo.event_scopes, at)
    bench.redis.zadd(keys.EVENTS, dict.fromkeys(repo.event_scopes, at))
    with pytest.raises(NotHeld):
        bench.lookup.get(repo, REQUESTER, ONLY)
    waiting = pool.submit(bench.lookup.get, repo, REQUESTER, AgeBound(60))
    bench.let_wait(repo)
    newer = make_entry(b"{}", validated_at=at + 1, fresh_until=at + 60, version=2)
    store_entry(bench.redis, repo, newer)
    bench.synchronizer.announced(repo, 2)
    found = waiting.result(PATIENCE)
    assert (found.entry.metadata.version, found.served) == (2, Served.RENEWED)


class TestIfGitHubCannotBeAsked:
    """What is held is served, and the outcome says so."""

    def test_what_is_held_is_served_at_once_while_it_fails(self, bench: Bench) -> None:
        held = hold(bench)
        failure = make_failure(kind=FailureKind.TIMEOUT, at=NOW, retry_at=NOW + 300)
        store_failure(bench.redis, USER, failure)
        assert bench.lookup.get(USER, REQUESTER, NO_CACHE) == Found(held, Served.TOO_OLD)

    def test_what_is_held_is_served_at_the_end_of_the_wait(self, redis: Redis) -> None:
        bench = Bench(redis, miss_wait=0.2, stopwatch=time.monotonic)
        held = hold(bench)
        assert bench.lookup.get(USER, REQUESTER, NO_CACHE) == Found(held, Served.UNANSWERED)

    def test_what_is_too_large_for_memory_is_served_too(self, redis: Redis) -> None:
        bench = Bench(redis, queue_limits=QueueLimits(waiting=0), max_bytes=1)
        held = hold(bench)
        assert bench.local.peek(USER) is None
        assert bench.lookup.get(USER, REQUESTER, NO_CACHE) == Found(held, Served.TOO_OLD)

    def test_what_was_removed_during_the_wait_is_not_served(
        self, redis: Redis, pool: ThreadPoolExecutor
    ) -> None:
        bench = Bench(redis, miss_wait=1, stopwatch=time.monotonic)
        version = hold(bench).metadata.version
        waiting = asked(bench, pool, NO_CACHE)
        redis.delete(keys.entry(USER))
        bench.local.forget(USER, version)
        with pytest.raises(Unavailable):
            waiting.result(PATIENCE)

    @pytest.mark.parametrize("where", ["memory", "Redis"])
    def test_too_many_who_wait_do_not_keep_it_back(self, redis: Redis, where: str) -> None:
        bench = Bench(redis, queue_limits=QueueLimits(waiting=0))
        held = hold(bench)
        if where == "Redis":
            bench.local.forget(USER, held.metadata.version)
        assert bench.lookup.get(USER, REQUESTER, NO_CACHE).served is Served.TOO_OLD
        assert queued_names(redis) == []

    def test_nor_do_threads(self, redis: Redis) -> None:
        bench = Bench(redis, max_waiting=0)
        hold(bench)
        assert bench.lookup.get(USER, REQUESTER, NO_CACHE).served is Served.TOO_OLD

    def test_nor_does_a_pause(self, bench: Bench) -> None:
        held = hold(bench)
        suspend(bench.redis)
        assert bench.lookup.get(USER, REQUESTER, NO_CACHE) == Found(held, Served.TOO_OLD)

    def test_nor_does_an_absent_redis(self) -> None:
        bench = Bench(absent_redis())
        entry = make_entry(validated_at=NOW - 20, fresh_until=NOW + 40)
        bench.local.put(USER, entry, NOW)
        assert bench.lookup.get(USER, REQUESTER, NO_CACHE) == Found(entry, Served.TOO_OLD)
        bench.synchronizer.guarded_tick()
        assert bench.synchronizer.away_since is not None
        assert bench.lookup.get(USER, REQUESTER, NO_CACHE) == Found(entry, Served.TOO_OLD)


class TestOnlyIfCached:
    """A client that waits for nothing."""

    @pytest.mark.parametrize("resource", [USER, REPOS])
    def test_what_is_not_held_is_a_504_and_is_not_asked_for(
        self, bench: Bench, resource: Resource
    ) -> None:
        with pytest.raises(NotHeld) as refused:
            bench.lookup.get(resource, REQUESTER, ONLY)
        assert refused.value.status == 504
        assert queued_names(bench.redis) == []

    def test_what_is_held_is_served_from_memory_or_redis(self, bench: Bench) -> None:
        entry = store_entry(bench.redis, USER, make_entry(fresh_until=NOW - 10))
        assert bench.lookup.get(USER, REQUESTER, ONLY) == Found(entry, Served.REDIS)
        assert bench.lookup.get(USER, REQUESTER, ONLY) == Found(entry, Served.LOCAL)

    def test_the_other_bounds_count(self, bench: Bench) -> None:
        held = hold(bench)
        bound = AgeBound(20, 0, only_if_cached=True)
        assert bench.lookup.get(USER, REQUESTER, bound) == Found(held, Served.LOCAL)
        with pytest.raises(NotHeld):
            bench.lookup.get(USER, REQUESTER, AgeBound(19, 0, only_if_cached=True))
        assert queued_names(bench.redis) == []

    def test_an_absent_redis_is_a_503(self) -> None:
        with pytest.raises(Unavailable):
            Bench(absent_redis()).lookup.get(USER, REQUESTER, ONLY)


@pytest.mark.parametrize("bound", [NO_CACHE, AgeBound(least_left=1e6)])
def test_no_bound_makes_anybody_ask_for_tracked_content(bench: Bench, bound: AgeBound) -> None:
    entry = make_entry(validated_at=NOW - 500, fresh_until=NOW + 10)
    held = bench.local.put(REPOS, store_entry(bench.redis, REPOS, entry), NOW)
    assert bench.lookup.get(REPOS, REQUESTER, bound) == Found(held, Served.LOCAL)
    assert bench.synchronizer.wanted.empty()
    assert queued_names(bench.redis) == []
