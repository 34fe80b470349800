"""The refreshers in RQ's registry: which are running, and what each is doing.

Not RQ's own `Worker.all`: it makes `Worker` objects, each of which raises the timeouts of its
connections to the seven minutes that a worker may wait for a job.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast

from redis import Redis
from rq import Queue
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE
from rq.job import Job
from rq.utils import parse_composite_key, utcparse
from rq.worker_registration import get_keys

from shared.queueing import QUEUE
from shared.redis import keys


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
        job: description of its current job; None if it has none.
        done: number of jobs that succeeded.
        failed: number of jobs that raised an error.
        skew: seconds that its machine's clock is ahead of Redis's.
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


def workers(redis: Redis) -> list[WorkerView]:
    """The running refreshers; may raise `redis.RedisError`."""
    registered = sorted(get_keys(queue=Queue(QUEUE, connection=redis)))
    names = [key.rpartition(":")[2] for key in registered]
    with redis.pipeline(transaction=False) as pipeline:
        for key, name in zip(registered, names, strict=True):
            pipeline.hgetall(key)
            pipeline.smembers(WORKER_EXECUTIONS_KEY_TEMPLATE.format(name))
            pipeline.hget(keys.refresher(name), "skew")
        replies = pipeline.execute()
    hashes = cast(list[dict[bytes, bytes]], replies[::3])
    running = cast(list[set[bytes]], replies[1::3])
    skews = cast(list[bytes | None], replies[2::3])
    with redis.pipeline(transaction=False) as pipeline:
        for executions in running:
            pipeline.hget(Job.key_for(_job_of(executions)), "description")
        jobs = cast(list[bytes | None], pipeline.execute())
    found = zip(names, hashes, jobs, skews, strict=True)
    return [_view(name, known, job, _skew(skew)) for name, known, job, skew in found if known]


def _job_of(executions: Collection[bytes]) -> str:
    """The id of a worker's current job; a worker runs one at a time."""
    job_id, _ = parse_composite_key(min(executions).decode()) if executions else ("none", "")
    return job_id


def _view(name: str, known: Mapping[bytes, bytes], job: bytes | None, skew: float) -> WorkerView:
    """The view of a worker; RQ stamps its times by the clock of the worker's machine."""
    fields = {name.decode(): value.decode(errors="replace") for name, value in known.items()}
    return WorkerView(
        name=name,
        hostname=fields.get("hostname", "?"),
        pid=int(fields.get("pid", 0)),
        state=fields.get("state", "?"),
        heard_at=_time(fields.get("last_heartbeat"), skew),
        started_at=_time(fields.get("birth"), skew),
        job=None if job is None else job.decode(errors="replace"),
        done=int(fields.get("successful_job_count", 0)),
        failed=int(fields.get("failed_job_count", 0)),
        skew=skew,
    )


def _time(text: str | None, skew: float) -> float | None:
    return None if not text else utcparse(text).timestamp() - skew


def _skew(text: bytes | None) -> float:
    try:
        skew = float(text or 0)
    except ValueError:  # damaged
        return 0.0
    return skew if math.isfinite(skew) else 0.0
