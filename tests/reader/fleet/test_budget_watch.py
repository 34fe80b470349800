"""The thread that reads what is left."""

import pytest
from redis import Redis, RedisError

from reader.fleet.budget_watch import BudgetWatch
from reader.response.rate_limits import RateLimits
from shared import budgets
from shared.redis import keys
from tests.builders import NOW, Clock, absent_redis
from tests.shared.test_budgets import know
from tests.waiting import eventually


def test_it_reads_what_status_and_metrics_read(redis: Redis) -> None:
    know(redis)
    know(redis, resource_class="search", limit=30, remaining=7, reset=NOW + 30)
    know(redis, "anonymous", limit=60, remaining=1)
    redis.hset(keys.aside("anonymous"), mapping={"at": NOW, "until": NOW + 60})
    redis.zadd(keys.BUDGETS, {"gone core": NOW})

    def numbers(found: list[budgets.CredentialBudget]) -> list[tuple[object, ...]]:
        return [(b.credential, b.resource_class, b.limit, b.remaining, b.resets_at, b.aside_until)
                for b in found]  # fmt: skip

    left = budgets.read_left(redis, now=NOW)
    assert numbers(left) == numbers(budgets.read(redis, now=NOW))
    assert len(left) == 3


def test_the_limits_follow_and_stay_while_redis_is_away(redis: Redis) -> None:
    clock = Clock()
    limits = RateLimits(reserve=0, clock=clock)
    know(redis)
    BudgetWatch(redis, limits, clock=clock).look()
    clock.now += 1
    assert limits.fields("/")["X-RateLimit-Remaining"] == "4000"
    with pytest.raises(RedisError):
        BudgetWatch(absent_redis(), limits, clock=clock).look()
    clock.now += 1
    assert limits.fields("/")["X-RateLimit-Remaining"] == "4000"


def test_the_thread_looks_at_once_and_ends(redis: Redis) -> None:
    clock = Clock()
    limits = RateLimits(reserve=0, clock=clock)
    know(redis)
    watch = BudgetWatch(redis, limits, clock=clock)
    watch.start()
    try:

        def follows() -> bool:
            clock.now += 1
            return limits.fields("/")["X-RateLimit-Limit"] == "5000"

        eventually(follows)
    finally:
        watch.stop()
