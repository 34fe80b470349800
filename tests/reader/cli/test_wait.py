"""Waiting for the refreshers, with a clock that tests move."""

from dataclasses import dataclass, field

import pytest
from redis import Redis

from reader.cli.context import CommandContext
from reader.cli.wait import ForcedRefresh, NotDoneError, polls
from reader.fleet.snapshot import FleetWatch
from reader.fleet.suspension import suspend
from shared.clock import Clock, FleetClock
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from tests.builders import NOW, make_settings, queued_names, tracked

ORG = tracked("/orgs/Netflix")


@dataclass
class Time:
    """A clock that only moves with a call of `sleep`."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def context(redis: Redis, time: Time) -> CommandContext:
    catalogue = Catalogue(("Netflix",))
    return CommandContext(
        make_settings(),
        redis,
        catalogue,
        RefreshQueue(redis, QueueLimits(queued=10)),
        FleetWatch(redis, catalogue, clock=lambda: NOW + time.now),
        Store(redis),
        FleetClock(Clock(lambda: NOW + time.now, lambda: time.now, time.sleep)),
    )


@pytest.fixture
def a_worker(redis: Redis) -> None:
    redis.sadd("rq:workers:refresh", "rq:worker:w1")
    redis.hset("rq:worker:w1", items=["state", "idle", "hostname", "box", "pid", "7"])


@pytest.mark.usefixtures("a_worker")
def test_waits_no_longer_than_it_may(context: CommandContext, time: Time) -> None:
    with pytest.raises(NotDoneError, match="It is queued, but was not done in 3 s"):
        list(polls(context, timeout=3.0))
    assert time.now == pytest.approx(3.0, abs=0.11)


def test_does_not_wait_without_a_refresher(context: CommandContext, time: Time) -> None:
    with pytest.raises(NotDoneError, match="no refresher is running"):
        list(polls(context, timeout=30.0))
    assert time.slept == []


@pytest.mark.usefixtures("a_worker")
def test_notices_within_a_second_that_refreshing_is_paused(
    context: CommandContext, time: Time
) -> None:
    waiting = polls(context, timeout=30.0)
    next(waiting)
    next(waiting)
    suspend(context.redis, now=NOW)
    with pytest.raises(NotDoneError, match="refreshing is paused"):
        list(waiting)
    assert time.now == pytest.approx(1.0, abs=0.11)


def test_a_lost_job_is_enqueued_again_after_three_seconds(
    redis: Redis, context: CommandContext, time: Time
) -> None:
    forced = ForcedRefresh(context, ORG)
    redis.delete("rq:queue:refresh")
    time.now = 2.9
    forced.keep_up(is_running=False)
    assert queued_names(redis) == []
    time.now = 3.1
    forced.keep_up(is_running=False)
    assert queued_names(redis) == ["/orgs/Netflix"]


def test_a_running_refresh_is_not_enqueued_again(
    redis: Redis, context: CommandContext, time: Time
) -> None:
    forced = ForcedRefresh(context, ORG)
    redis.delete("rq:queue:refresh")
    time.now = 10.0
    forced.keep_up(is_running=True)
    assert queued_names(redis) == []
