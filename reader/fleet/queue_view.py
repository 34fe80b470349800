"""The queue by lane and priority: how many refreshes are queued, and for how long the oldest."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast

from redis import Redis
from rq import Queue

from shared.queue_order import Lane, Priority
from shared.queueing import QUEUE
from shared.redis import keys

_UNPLACED = (Lane.TRACKED, Priority.MISSING)  # where refreshers put jobs that came without a place


@dataclass(frozen=True)
class Queued:
    """The queued jobs of one lane and priority.

    Args:
        jobs: their number.
        longest: seconds since the oldest was requested.
    """

    jobs: int
    longest: float


QueueView = Mapping[tuple[Lane, Priority], Queued]


def queue_view(redis: Redis, *, now: float) -> QueueView:
    """The queued jobs by lane and priority, in order; may raise `redis.RedisError`.

    A plain `rq worker` leaves the places of the jobs that it takes, so only places of queued jobs
    count.
    """
    with redis.pipeline() as pipeline:
        pipeline.lrange(Queue(QUEUE, connection=redis).key, 0, -1)
        pipeline.hgetall(keys.PLACES)
        jobs, places = pipeline.execute()
    return queued(cast(list[bytes], jobs), cast(dict[bytes, bytes], places), now=now)


def queued(jobs: Collection[bytes], places: Mapping[bytes, bytes], *, now: float) -> QueueView:
    """The same, from what Redis holds.

    Args:
        jobs: ids of the queued jobs.
        places: the hash `keys.PLACES`.
        now: Unix time in seconds.
    """
    waits: dict[tuple[Lane, Priority], list[float]] = {}
    for job in jobs:
        lane, priority, since = _place(places.get(job), now)
        waits.setdefault((lane, priority), []).append(max(0.0, now - since))
    return {
        (lane, priority): Queued(len(waits[lane, priority]), max(waits[lane, priority]))
        for lane in Lane
        for priority in Priority
        if (lane, priority) in waits
    }


def _place(text: bytes | None, now: float) -> tuple[Lane, Priority, float]:
    """Lane, priority and time of the request; those of a job without a place if unreadable."""
    try:
        lane, priority, since, _ = (text or b"").decode().split()
        return Lane(lane), Priority(priority), float(since)
    except ValueError:  # it has none, or that of another release
        return *_UNPLACED, now
