"""Asking for a refresh: one queue, one job for a resource, whoever and however many ask.

Who may be working on a resource is read from what cannot lie for long: the queue itself, and the
mark of who holds the lock, which ends with its maker as the lock does. No record of a job is
trusted, so nothing has to be cleaned up after a crash:

    reader enqueues, dies before the job is in the queue   -> not in the queue: asked again
    worker pops the job, dies before it takes the lock     -> not in the queue, no lock: asked again
    worker dies holding the lock                           -> no mark after LOCK_TTL: asked again
    Redis restarts empty                                   -> nothing there: asked again

Between the pop and the lock a second job may slip in. It finds the lock taken, or the content
fresh, and ends.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import cast
from uuid import uuid4

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from shared.redis import keys
from shared.resources.resource import Resource

QUEUE = "refresh"
JOB = "refresher.jobs.refresh"
FORGET_JOB = "refresher.jobs.forget"
# Where a job's own `meta` holds the id of the client's request that it was asked for with.
REQUEST_ID = "request_id"
# The same of `Resource.form`: a refresher that keeps the resource in another way leaves the job.
FORM = "form"

# One look a second for a whole fleet: the pause in which only the first of all askers asks Redis.
ASK_INTERVAL = timedelta(seconds=1)
# The hard end of one refresh: a list of LIST_MAX_PAGES pages on a slow day.
JOB_TIMEOUT = timedelta(minutes=15)
# Jumping the queue is for short queues: in a long one it would starve whoever came first.
SHORT_QUEUE = 20
# How long it is known that a refresh is called for which none has seen to.
_REMEMBER_INVALIDATION = timedelta(days=1)
_REMEMBER_JOB = timedelta(hours=1)
_KEEP_FAILED_JOB = timedelta(minutes=10)


class Asked(StrEnum):
    """What became of asking for a refresh."""

    QUEUED = "queued"  # there is a new job
    UNDER_WAY = "under-way"  # one is queued, running, or was just asked for by somebody else
    TURNED_AWAY = "turned-away"  # the queue is full, and the resource not tracked


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
        self,
        resource: Resource,
        *,
        urgent: bool = False,
        fresh_after: float | None = None,
        request_id: str | None = None,
    ) -> Asked:
        """Enqueue a refresh unless one is queued, running, or was just asked for.

        Args:
            resource: what to refresh.
            urgent: a client is waiting: put it at the front, as tracked resources always are.
            fresh_after: refresh it ahead, unless it is fresh beyond this Unix time (seconds).
            request_id: of the client's request that this is for.
        """
        if not self._redis.set(keys.asked(resource), 1, nx=True, px=ASK_INTERVAL):
            return Asked.UNDER_WAY
        if self._is_under_way(resource):
            return Asked.UNDER_WAY
        length = self._queue.count
        if not resource.tracked and length >= self._limit:
            return Asked.TURNED_AWAY
        at_front = resource.tracked or (urgent and length < SHORT_QUEUE)
        options = {} if fresh_after is None else {"fresh_after": fresh_after}
        self._enqueue(resource, options, at_front=at_front, request_id=request_id)
        return Asked.QUEUED

    def force(self, resource: Resource, *, request_id: str | None = None) -> Asked:
        """Enqueue a refresh that asks the origin even if the content is fresh, or just failed.

        For people: it goes to the front, whatever else is queued for the resource, which then
        finds nothing to do. The mark that it leaves is taken away by a refresh that began after it,
        so that a job which is lost, put off, or meets a pause is asked for again by readers.
        """
        self.mark(resource)
        if self._redis.exists(keys.running(resource)):
            return Asked.UNDER_WAY
        self._enqueue(resource, {"force": True}, at_front=True, request_id=request_id)
        return Asked.QUEUED

    def mark(self, resource: Resource) -> None:
        """Have a resource count as stale until a refresh that begins from now on has seen to it.

        A new mark each time: a refresh that began before must not take it for seen.
        """
        self._redis.set(keys.invalidated_by(resource), uuid4().hex, ex=_REMEMBER_INVALIDATION)

    def forget(self, resource: Resource, *, request_id: str | None = None) -> None:
        """Have a refresher forget an on-demand resource: readers write no entries."""
        job_id = _new_job_id(resource)
        self._put(FORGET_JOB, resource, {}, job_id, at_front=True, request_id=request_id)

    def length(self) -> int:
        """How many jobs are queued."""
        return int(self._queue.count)

    def _is_under_way(self, resource: Resource) -> bool:
        return bool(self._redis.exists(keys.running(resource))) or self.is_queued(resource)

    def is_queued(self, resource: Resource) -> bool:
        """Whether a refresh of the resource waits in the queue."""
        job_id = cast(bytes | None, self._redis.get(keys.queued(resource)))
        if job_id is None:
            return False
        return self._redis.lpos(self._queue.key, job_id.decode()) is not None

    def _enqueue(
        self,
        resource: Resource,
        options: Mapping[str, object],
        *,
        at_front: bool,
        request_id: str | None,
    ) -> None:
        job_id = _new_job_id(resource)
        self._redis.set(keys.queued(resource), job_id, ex=_REMEMBER_JOB)
        self._put(JOB, resource, options, job_id, at_front=at_front, request_id=request_id)

    def _put(
        self,
        function: str,
        resource: Resource,
        options: Mapping[str, object],
        job_id: str,
        *,
        at_front: bool,
        request_id: str | None,
    ) -> None:
        self._queue.enqueue_call(
            function,
            args=[resource.name],
            kwargs=dict(options),
            job_id=job_id,
            at_front=at_front,
            timeout=int(JOB_TIMEOUT.total_seconds()),
            result_ttl=0,
            failure_ttl=int(_KEEP_FAILED_JOB.total_seconds()),
            description=f"{function.rpartition('.')[2]} {resource.name}",
            # Not arguments: refreshers of the day before would not know them.
            meta={FORM: resource.form} | ({} if request_id is None else {REQUEST_ID: request_id}),
        )


def put_off(redis: Redis, resource: Resource, *, seconds: float) -> None:
    """Have nobody ask for a resource's refresh for so long, but an operator or the origin.

    Raises:
        redis.RedisError: Redis is away.
    """
    redis.set(keys.asked(resource), 1, px=int(1000 * seconds))


def _new_job_id(resource: Resource) -> str:
    """A new id for every job: RQ would let a finished job delete its queued namesake."""
    return f"{resource.id}-{uuid4().hex}"
