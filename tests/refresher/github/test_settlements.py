"""Settlements reach Redis soon, in order, and without their refreshes waiting."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest
from redis import Redis

from refresher.github.auth.credentials import Token
from refresher.github.budget import Budget, Share
from refresher.github.rate_limit_class import CORE
from shared.clock import seconds_of
from shared.redis import keys
from tests.refresher.workbench import TOKEN, make_budget, make_settings

LIMIT = {"X-RateLimit-Limit": "5000", "X-RateLimit-Reset": str(int(time.time()) + 3000)}
CREDENTIAL = Token(TOKEN).id


@pytest.fixture
def budget(redis: Redis) -> Iterator[Budget]:
    settings = make_settings("http://github.invalid", github_api_token=TOKEN, origin_concurrency=5)
    budget = make_budget(redis, settings)
    budget.start()
    yield budget
    budget.close()


def left(redis: Redis) -> int:
    return int(cast(bytes, redis.hget(keys.budget(CREDENTIAL, CORE), "remaining")))


def test_all_are_settled_at_the_end(budget: Budget, redis: Redis) -> None:
    limiter = budget.limiter(Share.ON_DEMAND)

    def take(_: int) -> None:
        # A 304 is free: what was reserved for it is given back.
        limiter.settle(limiter.reserve(), 304, LIMIT | {"X-RateLimit-Remaining": "4000"})

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(take, range(100)))
    budget.close()
    assert redis.zcard(keys.IN_FLIGHT) == 0
    # Each is spent, although each response says that it was the first.
    assert 3900 <= left(redis) <= 4000


def test_places_of_requests_under_way_are_renewed_and_others_expire(redis: Redis) -> None:
    settings = make_settings("http://github.invalid", github_api_token=TOKEN, lock_ttl=300)
    budget, dead = make_budget(redis, settings), make_budget(redis, settings)
    for one in (budget, dead):
        one.start()
    limiter = budget.limiter(Share.TRACKED)
    settled, under_way = limiter.reserve(), limiter.reserve()
    of_dead = dead.limiter(Share.TRACKED).reserve()  # its process dies: nothing renews it
    limiter.settle(settled, 200, LIMIT)
    for _ in range(3):
        for place in (settled, under_way, of_dead):  # time passes
            redis.zadd(keys.IN_FLIGHT, {place.request_id: -200}, xx=True, incr=True)
        budget.renew()
    now = seconds_of(redis.time())
    left = redis.zscore(keys.IN_FLIGHT, under_way.request_id)
    assert left is not None
    assert 200 < left - now <= 300
    assert limiter.reserve().request_id != of_dead.request_id  # drops places that have expired
    assert redis.zscore(keys.IN_FLIGHT, of_dead.request_id) is None
    budget.close()
    dead.close()


def test_a_freed_place_wakes_a_waiting_thread(budget: Budget) -> None:
    limiter = budget.limiter(Share.TRACKED)
    held = [limiter.reserve() for _ in range(4)]
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(limiter.reserve)
        limiter.settle(held[0], 200, {})
        assert waiting.result(60).credential == Token(TOKEN)


def test_a_refusal_is_settled_at_once(budget: Budget, redis: Redis) -> None:
    limiter = budget.limiter(Share.TRACKED)
    reservation = limiter.reserve()
    limiter.settle(reservation, 403, LIMIT | {"X-RateLimit-Remaining": "0"})
    assert left(redis) == 0
    assert redis.zcard(keys.IN_FLIGHT) == 0


def test_a_redis_that_forgot_the_script_learns_it_again(budget: Budget, redis: Redis) -> None:
    limiter = budget.limiter(Share.TRACKED)
    reservation = limiter.reserve()
    redis.script_flush()
    limiter.settle(reservation, 200, {})
    budget.close()
    assert redis.zcard(keys.IN_FLIGHT) == 0


def test_a_refresh_costs_two_round_trips(redis: Redis) -> None:
    settings = make_settings("http://github.invalid", github_api_token=TOKEN)
    limiter = make_budget(redis, settings).limiter(Share.ON_DEMAND)
    limiter.settle(limiter.reserve(), 200, {})  # the classes are read once a minute

    before = cast(dict[str, int], redis.info("stats"))["total_reads_processed"]
    limiter.settle(limiter.reserve(), 200, {})
    after = cast(dict[str, int], redis.info("stats"))["total_reads_processed"]
    assert after - before == 2 + 1  # and this question
