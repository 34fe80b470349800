"""Asking for a refresh: one queue, one job for a resource, whoever and however many ask.

Who may be working on a resource is read from what cannot lie for long: the queue itself, and the
lock, which dies with its holder. No record of a job is trusted, so nothing has to be cleaned up
after a crash:

    reader enqueues, dies before the job is in the queue   -> not in the queue: asked again
    worker pops the job, dies before it takes the lock     -> not in the queue, no lock: asked again
    worker dies holding the lock                           -> no lock after LOCK_TTL: asked again
    Redis restarts empty                                   -> nothing there: asked again

Between the pop and the lock a second job may slip in. It finds the lock taken, or the content
fresh, and ends.
"""

from datetime import timedelta
from typing import cast
from uuid import uuid4

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from shared import keys
from shared.resources import Resource

QUEUE = "refresh"
JOB = "refresher.jobs.refresh"

# One look a second for a whole fleet: the pause in which only the first of all askers asks Redis.
ASK_INTERVAL = timedelta(seconds=1)
# The hard end of one refresh: a list of LIST_MAX_PAGES pages on a slow day.
JOB_TIMEOUT = timedelta(minutes=15)
# Jumping the queue is for short queues: in a long one it would starve whoever came first.
SHORT_QUEUE = 20
_REMEMBER_JOB = timedelta(hours=1)
_KEEP_FAILED_JOB = timedelta(minutes=10)


class RefreshQueue:
    """The RQ queue that readers put refreshes in; methods may raise `redis.RedisError`.

    Args:
        redis: where the queue lives.
        limit: queued jobs beyond which on-demand resources are turned away.
    """

    def __init__(self, redis: Redis, *, limit: int) -> None:
        self._redis = redis
        self._limit = limit
        # Never pickle: whoever can write to Redis would run code in the refreshers.
        self._queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)

    def ask(
        self, resource: Resource, *, urgent: bool = False, fresh_after: float | None = None
    ) -> bool:
        """Enqueue a refresh unless one is queued, running, or was just asked for.

        Args:
            resource: what to refresh.
            urgent: a client is waiting: put it at the front, as tracked resources always are.
            fresh_after: refresh it ahead, unless it is fresh beyond this Unix time (seconds).

        Returns:
            False when the queue is full and the resource not tracked, else True.
        """
        if not self._redis.set(keys.asked(resource), 1, nx=True, px=ASK_INTERVAL):
            return True
        if self._is_under_way(resource):
            return True
        length = self._queue.count
        if not resource.tracked and length >= self._limit:
            return False
        at_front = resource.tracked or (urgent and length < SHORT_QUEUE)
        self._enqueue(resource, at_front=at_front, fresh_after=fresh_after)
        return True

    def _is_under_way(self, resource: Resource) -> bool:
        if self._redis.exists(keys.lock(resource)):
            return True
        job_id = cast(bytes | None, self._redis.get(keys.queued(resource)))
        if job_id is None:
            return False
        return self._redis.lpos(self._queue.key, job_id.decode()) is not None

    def _enqueue(self, resource: Resource, *, at_front: bool, fresh_after: float | None) -> None:
        # A new id for every job: RQ would let a finished job delete its queued namesake.
        job_id = f"{resource.id}-{uuid4().hex}"
        self._redis.set(keys.queued(resource), job_id, ex=_REMEMBER_JOB)
        self._queue.enqueue_call(
            JOB,
            args=[resource.name],
            kwargs={} if fresh_after is None else {"fresh_after": fresh_after},
            job_id=job_id,
            at_front=at_front,
            timeout=int(JOB_TIMEOUT.total_seconds()),
            result_ttl=0,
            failure_ttl=int(_KEEP_FAILED_JOB.total_seconds()),
            description=f"refresh {resource.name}",
        )
