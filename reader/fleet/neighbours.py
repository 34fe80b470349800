"""RQ queues, workers and jobs of others in our Redis database, which has to be the cache's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from shared.queueing import FORGET_JOB, JOB, QUEUE

_JOBS = 200  # of the queue that are looked at
_OURS = tuple(f"{name.rpartition('.')[2]} /" for name in (JOB, FORGET_JOB))


@dataclass(frozen=True)
class Neighbours:
    """What is not ours.

    Args:
        queues: names of other queues.
        workers: names of workers that do not listen to our queue.
        jobs: number of jobs in our queue that are not ours, among the first of them.
    """

    queues: Sequence[str] = ()
    workers: Sequence[str] = ()
    jobs: int = 0


def neighbours(redis: Redis) -> Neighbours:
    """The neighbours in our database; may raise `redis.RedisError`."""
    ours = Queue(QUEUE, connection=redis)
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.smembers(Queue.redis_queues_keys)
        pipeline.smembers(REDIS_WORKER_KEYS)
        pipeline.smembers(WORKERS_BY_QUEUE_KEY % QUEUE)
        pipeline.lrange(ours.key, 0, _JOBS - 1)
        queues, workers, our_workers, ids = pipeline.execute()
    with redis.pipeline(transaction=False) as pipeline:
        for job_id in ids:
            pipeline.hget(Job.key_for(job_id.decode()), "description")
        descriptions = cast(list[bytes | None], pipeline.execute())
    return Neighbours(
        _names(queues - {ours.key.encode()}),
        _names(workers - our_workers),
        sum(one is not None and not one.decode().startswith(_OURS) for one in descriptions),
    )


def _names(redis_keys: set[bytes]) -> list[str]:
    """The names in RQ's keys, `rq:queue:{name}` and `rq:worker:{name}`."""
    return sorted(key.decode(errors="replace").split(":", 2)[-1] for key in redis_keys)
