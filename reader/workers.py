"""Refreshers as RQ registers them: which are alive, and what each is doing.

Not by RQ's own `Worker.all`: it makes workers of them, each of which raises the time limits of the
connections that it is given to the seven minutes that a worker may wait for a job.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.utils import utcparse
from rq.worker_registration import get_keys

from shared.queueing import QUEUE


@dataclass(frozen=True)
class WorkerView:
    """A refresher.

    Args:
        name: RQ's name for it.
        hostname: machine that it runs on.
        pid: of the worker's process, not of its work horse.
        state: "idle", "busy", "suspended" or "started", in RQ's words.
        heard_at: Unix time in seconds of its last sign of life; None where it gave none.
        started_at: Unix time in seconds; None where it is not known.
        job: what it is doing, in words; None for nothing.
        done: jobs that it has done.
        failed: jobs that raised an error.
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


def workers(redis: Redis) -> list[WorkerView]:
    """The refreshers that are alive; may raise `redis.RedisError`."""
    keys = sorted(get_keys(queue=Queue(QUEUE, connection=redis)))
    with redis.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hgetall(key)
        hashes = cast(list[dict[bytes, bytes]], pipeline.execute())
    alive = [(key, known) for key, known in zip(keys, hashes, strict=True) if known]
    with redis.pipeline(transaction=False) as pipeline:
        for _, known in alive:
            pipeline.hget(Job.key_for(known.get(b"current_job", b"none").decode()), "description")
        jobs = cast(list[bytes | None], pipeline.execute())
    return [_view(key, known, job) for (key, known), job in zip(alive, jobs, strict=True)]


def _view(key: str, known: Mapping[bytes, bytes], job: bytes | None) -> WorkerView:
    fields = {name.decode(): value.decode(errors="replace") for name, value in known.items()}
    return WorkerView(
        name=key.rpartition(":")[2],
        hostname=fields.get("hostname", "?"),
        pid=int(fields.get("pid", 0)),
        state=fields.get("state", "?"),
        heard_at=_time(fields.get("last_heartbeat")),
        started_at=_time(fields.get("birth")),
        job=None if job is None else job.decode(errors="replace"),
        done=int(fields.get("successful_job_count", 0)),
        failed=int(fields.get("failed_job_count", 0)),
    )


def _time(text: str | None) -> float | None:
    return None if not text else utcparse(text).timestamp()
