"""A negative answer past its lifetime is asked for anew and waited for, if GitHub can be asked."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis
from rq.suspension import suspend

from reader.cache.refresh_requests import Requester
from reader.cache.wanted import Found
from reader.errors import ApiError, Unavailable
from shared.entry import Entry
from shared.outcomes import FailureKind, Refusal, Served
from shared.queue_order import Lane, Priority
from shared.queueing import QueueLimits
from shared.redis import keys
from tests.builders import (
    NOW,
    absent_redis,
    make_entry,
    make_failure,
    on_demand,
    order_of,
    queued_names,
    store_entry,
    store_failure,
)
from tests.reader.bench import CLIENT, PATIENCE, Bench

GHOST = on_demand("/users/ghost")
REQUESTER = Requester(CLIENT)
OUTLIVED = make_entry(b'{"message":"Not Found"}', status=404, etag="no", fresh_until=NOW)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(60) as threads:
        yield threads


def asked(bench: Bench, pool: ThreadPoolExecutor) -> Future[Found]:
    """A request that waits by now."""
    future = pool.submit(bench.lookup.get, GHOST, REQUESTER)
    bench.let_wait(GHOST)
    return future


def arrive(bench: Bench, entry: Entry) -> Entry:
    """Content is stored, and announced to this process."""
    stored = store_entry(bench.redis, GHOST, entry)
    bench.synchronizer.announced(GHOST, 1)
    return stored


@pytest.mark.parametrize("where", ["memory", "Redis"])
@pytest.mark.parametrize("status", [400, 403, 404, 410, 422, 451])
def test_what_exists_by_now_is_waited_for(
    bench: Bench, pool: ThreadPoolExecutor, where: str, status: int
) -> None:
    outlived = store_entry(bench.redis, GHOST, make_entry(status=status, fresh_until=NOW))
    if where == "memory":
        bench.local.put(GHOST, outlived, NOW)
    waiting = asked(bench, pool)
    assert queued_names(bench.redis) == [GHOST.name]
    assert not waiting.done()
    entry = arrive(bench, make_entry(b'{"login":"ghost"}', version=2))
    assert waiting.result(PATIENCE) == Found(entry, Served.RENEWED)
    assert bench.lookup.get(GHOST, REQUESTER) == Found(entry, Served.LOCAL)


def test_what_is_missing_still_is_served_as_soon_as_that_is_confirmed(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    bench.local.put(GHOST, store_entry(bench.redis, GHOST, OUTLIVED), NOW)
    waiting = asked(bench, pool)
    confirmed = make_entry(bytes(OUTLIVED.body), status=404, etag="no", confirmed_by=2)
    stored = arrive(bench, confirmed)
    assert waiting.result(PATIENCE) == Found(stored, Served.RENEWED)


def test_what_another_process_had_renewed_is_read_from_redis(bench: Bench) -> None:
    bench.local.put(GHOST, OUTLIVED, NOW)
    entry = store_entry(bench.redis, GHOST, make_entry(version=2))
    assert bench.lookup.get(GHOST, REQUESTER) == Found(entry, Served.REDIS)
    assert queued_names(bench.redis) == []


def test_within_its_lifetime_it_is_served_like_any_content(bench: Bench) -> None:
    entry = make_entry(status=404, fresh_until=NOW + 1)
    bench.local.put(GHOST, entry, NOW)
    assert bench.lookup.get(GHOST, REQUESTER) == Found(entry, Served.LOCAL)


def test_stale_content_is_not_waited_for(bench: Bench) -> None:
    entry = make_entry(status=200, fresh_until=NOW)
    bench.local.put(GHOST, entry, NOW)
    assert bench.lookup.get(GHOST, REQUESTER) == Found(entry, Served.LOCAL)


def test_many_who_wait_make_one_job(bench: Bench, pool: ThreadPoolExecutor) -> None:
    bench.local.put(GHOST, store_entry(bench.redis, GHOST, OUTLIVED), NOW)
    waiting = [pool.submit(bench.lookup.get, GHOST, REQUESTER) for _ in range(30)]
    bench.let_wait(GHOST)
    assert order_of(bench.redis) == [GHOST.name]
    assert bench.redis.zcard(keys.order(Lane.ON_DEMAND, Priority.WAITING)) == 1
    entry = arrive(bench, make_entry(version=2))
    assert {one.result(PATIENCE).entry.metadata.etag for one in waiting} == {entry.metadata.etag}


class TestIsServedNevertheless:
    """No newer answer can come."""

    def served(self, bench: Bench) -> Entry:
        """What a request gets without a refresher."""
        bench.local.put(GHOST, OUTLIVED, NOW)
        found = bench.lookup.get(GHOST, REQUESTER)
        assert found.served is Served.LOCAL
        return found.entry

    def test_while_redis_is_away(self) -> None:
        assert self.served(Bench(absent_redis())) is OUTLIVED

    def test_from_memory_once_it_is_known_that_redis_is_away(self) -> None:
        bench = Bench(absent_redis())
        bench.synchronizer.guarded_tick()
        bench.local.put(GHOST, OUTLIVED, NOW)
        assert bench.lookup.in_memory(GHOST, request_id=None) is OUTLIVED

    def test_while_refreshing_is_paused(self, bench: Bench) -> None:
        store_entry(bench.redis, GHOST, OUTLIVED)
        suspend(bench.redis)
        assert self.served(bench).body == OUTLIVED.body
        assert queued_names(bench.redis) == []

    def test_while_github_fails_for_longer_than_the_wait(self, bench: Bench) -> None:
        store_entry(bench.redis, GHOST, OUTLIVED)
        store_failure(bench.redis, GHOST, make_failure(retry_at=NOW + 2 * PATIENCE))
        assert self.served(bench).body == OUTLIVED.body

    def test_while_githubs_rate_limit_is_spent(self, bench: Bench) -> None:
        store_entry(bench.redis, GHOST, OUTLIVED)
        spent = make_failure(kind=FailureKind.RATE_LIMITED, retry_at=NOW + 2 * PATIENCE)
        store_failure(bench.redis, GHOST, spent)
        assert self.served(bench).body == OUTLIVED.body

    def test_if_nothing_comes_within_the_wait(self, redis: Redis) -> None:
        store_entry(redis, GHOST, OUTLIVED)
        bench = Bench(redis, miss_wait=0.2, stopwatch=time.monotonic)
        assert self.served(bench).body == OUTLIVED.body
        assert queued_names(redis) == [GHOST.name], "its refresh goes on"


@pytest.mark.parametrize(
    ("refusal", "limits"),
    [
        (Refusal.CLIENT_WAITS, {"queue_limits": QueueLimits(waiting=0)}),
        (Refusal.QUEUE_FULL, {"queue_limits": QueueLimits(queued=0)}),
        (Refusal.THREADS, {"max_waiting": 0}),
    ],
)
def test_if_too_many_ask_a_client_is_refused(
    redis: Redis, refusal: Refusal, limits: Mapping[str, Any]
) -> None:
    """It has only to ask again, and a wrong 404 would be worse."""
    store_entry(redis, GHOST, OUTLIVED)
    bench = Bench(redis, **limits)
    bench.local.put(GHOST, OUTLIVED, NOW)
    with pytest.raises(ApiError) as raised:
        bench.lookup.get(GHOST, REQUESTER)
    assert raised.value.refusal is refusal


def test_what_is_nowhere_is_refused_as_ever(redis: Redis) -> None:
    suspend(redis)
    with pytest.raises(Unavailable):
        Bench(redis).lookup.get(GHOST, REQUESTER)
