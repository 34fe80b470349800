"""Jobs are taken in the order of lanes, priorities and turns; with a real Redis."""

import time
from collections import Counter
from typing import Any

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from rq.suspension import resume, suspend

from refresher.dispatch.take import JobTaker, Taken, taken_from
from shared.queue_order import PRIORITIES, TURN, Lane, Priority
from shared.queueing import QUEUE, Asked, QueueLimits, RefreshQueue, RefreshRequest
from shared.redis import keys
from shared.redis.scripts import Batch
from shared.resources.resource import Resource
from tests.builders import on_demand, stale, tracked, waiting
from tests.refresher.workbench import make_settings

ALL = [(Lane.ON_DEMAND, 100), (Lane.TRACKED, 100), (Lane.LARGE, 100)]
REPOS = tracked("/orgs/Netflix/repos")


@pytest.fixture
def queue(redis: Redis) -> RefreshQueue:
    return RefreshQueue(redis, QueueLimits())


def user(number: int) -> Resource:
    return on_demand(f"/users/u{number}")


def take(
    redis: Redis, wanted: list[tuple[Lane, int]] | None = None, *, most: int = 100, **known: Any
) -> Taken:
    batch = Batch(redis)
    settings = make_settings("http://github.invalid", **known)
    JobTaker(redis, settings).add(batch, ALL if wanted is None else wanted, most=most)
    return taken_from(batch.execute()[-1])


def names(taken: Taken) -> list[str]:
    described = [job.record[b"description"].decode() for job in taken.jobs]
    return [text.removeprefix("refresh ") for text in described]


def test_a_taken_job_has_left_the_queue_and_counts_as_running(
    redis: Redis, queue: RefreshQueue
) -> None:
    queue.ask(stale(REPOS))
    (job,) = take(redis, lock_ttl=300).jobs
    assert (job.lane, job.priority) == (Lane.TRACKED, Priority.STALE)
    assert queue.length() == 0
    assert 0 < redis.pttl(keys.running(REPOS)) <= 300_000
    assert queue.ask(stale(REPOS)).asked is Asked.UNDER_WAY
    assert 0 < redis.ttl(f"rq:job:{job.id}") <= 1350  # should the worker be killed
    assert redis.keys(keys.order("*", "*")) == []
    assert not redis.exists(keys.PLACES, keys.bell(Lane.TRACKED))


def test_how_long_a_job_has_waited_is_said(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(stale(REPOS))
    time.sleep(0.05)
    (job,) = take(redis).jobs
    assert 0.04 < job.waited < 60


def test_a_lane_gives_as_many_as_it_may_and_all_together_as_many_as_are_free(
    redis: Redis, queue: RefreshQueue
) -> None:
    queue.ask_all([waiting(user(number)) for number in range(5)])
    queue.ask(stale(REPOS))
    taken = take(redis, [(Lane.ON_DEMAND, 2), (Lane.TRACKED, 3)], most=10)
    assert names(taken) == ["/users/u0", "/users/u1", REPOS.name]
    assert len(take(redis, most=2).jobs) == 2
    assert take(redis, [(Lane.TRACKED, 5)]).jobs == []
    assert redis.llen(keys.bell(Lane.ON_DEMAND)) == 1  # one is left
    assert names(take(redis)) == ["/users/u4"]


def test_every_priority_gets_a_turn(redis: Redis, queue: RefreshQueue) -> None:
    for number, priority in enumerate(PRIORITIES):
        queue.ask_all(
            [
                RefreshRequest(user(100 * number + one), priority, client="192.0.2.1", due=one)
                for one in range(30)
            ]
        )
    taken = [take(redis, most=1).jobs[0].priority for _ in range(TURN * len(PRIORITIES))]
    assert Counter(taken)[Priority.WAITING] == TURN * len(PRIORITIES) - (len(PRIORITIES) - 1)
    assert set(taken) == set(PRIORITIES)


def test_a_job_whose_clients_have_given_up_waits_no_longer(
    redis: Redis, queue: RefreshQueue
) -> None:
    queue.ask(RefreshRequest(user(0), Priority.WAITING, client="192.0.2.1", patience=0.05))
    queue.ask(RefreshRequest(user(1), Priority.INVALIDATED))
    time.sleep(0.1)
    assert names(take(redis, most=1)) == ["/users/u1"]
    (late,) = take(redis).jobs
    assert late.priority is Priority.MISSING


def test_on_demand_jobs_wait_for_points_and_tracked_ones_do_not(
    redis: Redis, queue: RefreshQueue
) -> None:
    now = float(redis.time()[0])
    redis.hset(keys.POINTS, mapping={"tracked": 0, "on-demand": 0.25, "at": now})
    queue.ask(waiting(user(0)))
    queue.ask(stale(REPOS))
    taken = take(redis, origin_points_per_minute=60, budget_reserve=0.5)
    assert names(taken) == [REPOS.name]
    assert 0 < taken.again <= 1.5  # half a point a second


def test_nothing_is_taken_while_an_operator_has_paused_refreshing(
    redis: Redis, queue: RefreshQueue
) -> None:
    queue.ask(stale(REPOS))
    suspend(redis)
    assert take(redis) == Taken([], is_suspended=True)
    resume(redis)
    assert names(take(redis)) == [REPOS.name]


def test_jobs_without_a_place_get_one(redis: Redis, queue: RefreshQueue) -> None:
    plain = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    for number in range(3):
        plain.enqueue_call("x.y", description=f"refresh /users/u{number}")
    queue.ask(stale(REPOS))
    assert sorted(names(take(redis))) == [REPOS.name, "/users/u0", "/users/u1", "/users/u2"]


def test_places_whose_job_a_plain_worker_took_are_removed(
    redis: Redis, queue: RefreshQueue
) -> None:
    queue.ask_all([waiting(user(number)) for number in range(3)])
    redis.lpop(f"rq:queue:{QUEUE}")
    assert names(take(redis)) == ["/users/u1", "/users/u2"]
    assert not redis.exists(keys.PLACES)


def test_a_job_without_a_record_is_dropped(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(stale(user(0)))
    redis.delete(*redis.keys("rq:job:*"))
    assert take(redis).jobs == []
    assert queue.length() == 0


def test_a_damaged_counter_of_takings_is_no_error(redis: Redis, queue: RefreshQueue) -> None:
    redis.set(f"{keys.PICKS}{Lane.TRACKED}", "x")
    queue.ask(stale(REPOS))
    assert names(take(redis)) == [REPOS.name]


def test_large_lists_have_a_lane_of_their_own(redis: Redis, queue: RefreshQueue) -> None:
    redis.sadd(keys.LARGE, REPOS.id)
    queue.ask(stale(REPOS))
    assert take(redis, [(Lane.TRACKED, 5), (Lane.ON_DEMAND, 5)]).jobs == []
    (job,) = take(redis, [(Lane.LARGE, 1)]).jobs
    assert job.lane is Lane.LARGE
