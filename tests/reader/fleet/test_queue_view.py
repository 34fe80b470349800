"""The queue by lane and priority, as the fleet fills it."""

import time

from redis import Redis
from rq import Queue

from reader.fleet.queue_view import Queued, queue_view, queued
from shared.queue_order import Lane, Priority
from shared.queueing import QUEUE, QueueLimits, RefreshQueue, RefreshRequest
from tests.builders import NOW, on_demand, stale, tracked


def fill(redis: Redis) -> None:
    """Request three refreshes of different lanes and priorities."""
    RefreshQueue(redis, QueueLimits()).ask_all(
        [
            RefreshRequest(on_demand("/users/mona"), Priority.WAITING, client="192.0.2.7"),
            RefreshRequest(on_demand("/users/hubot"), Priority.WAITING, client="192.0.2.8"),
            stale(tracked("/orgs/Netflix")),
        ]
    )


def test_an_empty_queue_has_no_rows(redis: Redis) -> None:
    assert queue_view(redis, now=NOW) == {}


def test_jobs_are_counted_by_lane_and_priority_with_the_longest_wait(redis: Redis) -> None:
    fill(redis)
    found = queue_view(redis, now=time.time() + 7)
    assert {place: one.jobs for place, one in found.items()} == {
        (Lane.TRACKED, Priority.STALE): 1,
        (Lane.ON_DEMAND, Priority.WAITING): 2,
    }
    assert all(6 < one.longest < 9 for one in found.values())


def test_places_of_jobs_that_a_plain_worker_took_do_not_count(redis: Redis) -> None:
    fill(redis)
    queue = Queue(QUEUE, connection=redis)
    redis.lrem(queue.key, 1, queue.job_ids[0])
    assert sum(one.jobs for one in queue_view(redis, now=NOW).values()) == 2


def test_jobs_without_a_place_and_with_an_unreadable_one_count_as_refreshers_place_them() -> None:
    places = {b"b": b"damaged", b"c": b"express waiting 1 2"}
    found = queued([b"a", b"b", b"c"], places, now=NOW)
    assert found == {(Lane.TRACKED, Priority.MISSING): Queued(3, 0.0)}


def test_a_request_in_the_future_has_not_waited() -> None:
    places = {b"a": f"on-demand stale {NOW + 60} 0".encode()}
    assert queued([b"a"], places, now=NOW)[Lane.ON_DEMAND, Priority.STALE] == Queued(1, 0.0)
