"""The refreshers in RQ's registry: which are running, and what each is doing.

Not RQ's own `Worker.all`: it makes `Worker` objects, each of which raises the timeouts of its
connections to the seven minutes that a worker may wait for a job.
"""

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
    """The running refreshers; may raise `redis.RedisError`."""
    keys = sorted(get_keys(queue=Queue(QUEUE, connection=redis)))
    names = [key.rpartition(":")[2] for key in keys]
    with redis.pipeline(transaction=False) as pipeline:
        for key, name in zip(keys, names, strict=True):
            pipeline.hgetall(key)
            pipeline.smembers(WORKER_EXECUTIONS_KEY_TEMPLATE.format(name))
        replies = pipeline.execute()
    hashes = cast(list[dict[bytes, bytes]], replies[::2])
    running = cast(list[set[bytes]], replies[1::2])
    with redis.pipeline(transaction=False) as pipeline:
        for executions in running:
            pipeline.hget(Job.key_for(_job_of(executions)), "description")
        jobs = cast(list[bytes | None], pipeline.execute())
    found = zip(names, hashes, jobs, strict=True)
    return [_view(name, known, job) for name, known, job in found if known]


def _job_of(executions: Collection[bytes]) -> str:
    """The id of a worker's current job; a worker runs one at a time."""
    job_id, _ = parse_composite_key(min(executions).decode()) if executions else ("none", "")
    return job_id


def _view(name: str, known: Mapping[bytes, bytes], job: bytes | None) -> WorkerView:
    fields = {name.decode(): value.decode(errors="replace") for name, value in known.items()}
    return WorkerView(
        name=name,
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
