"""The refreshers in RQ's registry: which are running, and what each is doing.

How many refreshes each does at once is what it reports itself, once a second. A plain `rq worker`
and refreshers of older releases report nothing.

Not RQ's own `Worker.all`: it makes `Worker` objects, each of which raises the timeouts of its
connections to the seven minutes that a worker may wait for a job.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

from redis import Redis
from rq import Queue
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE
from rq.job import Job
from rq.utils import parse_composite_key, utcparse
from rq.worker_registration import get_keys

from shared.queue_order import Lane
from shared.queueing import QUEUE
from shared.redis import keys
from shared.stored_numbers import count_of


@dataclass(frozen=True)
class WorkerView:
    """A refresher.

    Args:
        name: RQ's name for it.
        hostname: machine that it runs on.
        pid: of the worker's process, not of its work horse.
        state: "idle", "busy", "suspended" or "started", as RQ names them.
        heard_at: Unix time in seconds of its last heartbeat; None if there was none.
        started_at: Unix time in seconds; None if it is not known.
        job: description of one of its current jobs; None if it has none that is registered: RQ
            registers only those that take longer.
        done: number of jobs that succeeded.
        failed: number of jobs that raised an error.
        skew: seconds that its machine's clock is ahead of Redis's.
        slots: refreshes that it does at once; None if it takes one job after the other, without
            the queue's order.
        running: refreshes at work, by lane.
    """

    name: str
    hostname: str
    pid: int
    state: str
    heard_at: float | None
    started_at: float | None
    job: str | None
    done: int
    failed: int
    skew: float = 0.0
    slots: int | None = None
    running: Mapping[Lane, int] = field(default_factory=dict)

    @property
    def at_work(self) -> int:
        """The number of its refreshes at work."""
        if self.slots is None:
            return int(self.state == "busy")
        return sum(self.running.values())


def workers(redis: Redis) -> list[WorkerView]:
    """The running refreshers; may raise `redis.RedisError`."""
    registered = sorted(get_keys(queue=Queue(QUEUE, connection=redis)))
    names = [key.rpartition(":")[2] for key in registered]
    with redis.pipeline(transaction=False) as pipeline:
        for key, name in zip(registered, names, strict=True):
            pipeline.hgetall(key)
            pipeline.smembers(WORKER_EXECUTIONS_KEY_TEMPLATE.format(name))
            pipeline.hgetall(keys.refresher(name))
        replies = pipeline.execute()
    hashes = cast(list[dict[bytes, bytes]], replies[::3])
    running = cast(list[set[bytes]], replies[1::3])
    reports = cast(list[dict[bytes, bytes]], replies[2::3])
    with redis.pipeline(transaction=False) as pipeline:
        for executions in running:
            pipeline.hget(Job.key_for(_job_of(executions)), "description")
        jobs = cast(list[bytes | None], pipeline.execute())
    found = zip(names, hashes, jobs, reports, strict=True)
    return [_view(name, known, job, report) for name, known, job, report in found if known]


def _job_of(executions: Collection[bytes]) -> str:
    """The id of one of a worker's current jobs."""
    try:
        job_id, _ = parse_composite_key(min(executions).decode())
    except ValueError:  # it has no job, or the id is damaged
        return "none"
    return job_id


def _view(
    name: str, known: Mapping[bytes, bytes], job: bytes | None, report: Mapping[bytes, bytes]
) -> WorkerView:
    """The view of a worker; RQ stamps its times by the clock of the worker's machine."""
    skew = _skew(report.get(b"skew"))
    running = {lane: _count(report.get(f"running:{lane}".encode())) or 0 for lane in Lane}
    fields = {
        name.decode(errors="replace"): value.decode(errors="replace")
        for name, value in known.items()
    }
    return WorkerView(
        name=name,
        hostname=fields.get("hostname", "?"),
        pid=count_of(fields.get("pid")),
        state=fields.get("state", "?"),
        heard_at=_time(fields.get("last_heartbeat"), skew),
        started_at=_time(fields.get("birth"), skew),
        job=None if job is None else job.decode(errors="replace"),
        done=count_of(fields.get("successful_job_count")),
        failed=count_of(fields.get("failed_job_count")),
        skew=skew,
        slots=_count(report.get(b"slots")),
        running={lane: number for lane, number in running.items() if number},
    )


def _time(text: str | None, skew: float) -> float | None:
    try:
        return None if not text else utcparse(text).timestamp() - skew
    except (ValueError, OverflowError):  # damaged
        return None


def _skew(text: bytes | None) -> float:
    try:
        skew = float(text or 0)
    except ValueError:  # damaged
        return 0.0
    return skew if math.isfinite(skew) else 0.0


def _count(text: bytes | None) -> int | None:
    try:
        return None if text is None else max(0, int(text))
    except ValueError:  # damaged
        return None
