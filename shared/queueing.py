"""Enqueues refreshes: one queue, one job per resource, however many processes request it.

Whether a refresh is under way is read from what cannot be wrong for long: the queue itself, and
the mark of the lock's holder, which ends with its holder as the lock does. No record of a job is
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

from shared.on_demand_admission import goes_to_the_front, is_admitted
from shared.redis import keys
from shared.resources.resource import Resource

QUEUE = "refresh"
JOB = "refresher.jobs.refresh"
FORGET_JOB = "refresher.jobs.forget"
# Key in a job's `meta` for the id of the client's request that caused it.
REQUEST_ID = "request_id"
# Key in a job's `meta` for `Resource.form`: a refresher whose form differs leaves the job alone.
FORM = "form"

# One check per second for the whole fleet: within this time, only the first of all requests for a
# resource's refresh reads the queue.
ASK_INTERVAL = timedelta(seconds=1)
# The time limit of one refresh: a list of LIST_MAX_PAGES pages on a slow day.
JOB_TIMEOUT = timedelta(minutes=15)
# How long an invalidation that no refresh has handled is remembered.
_REMEMBER_INVALIDATION = timedelta(days=1)
_REMEMBER_JOB = timedelta(hours=1)
_KEEP_FAILED_JOB = timedelta(minutes=10)


class Asked(StrEnum):
    """The result of requesting a refresh."""

    QUEUED = "queued"  # a new job was enqueued
    UNDER_WAY = "under-way"  # a job is queued or running, or was requested a moment ago
    TURNED_AWAY = "turned-away"  # the queue is full, and the resource is not tracked


class RefreshQueue:
    """The RQ queue of refreshes; methods may raise `redis.RedisError`.

    Args:
        redis: the client.
        limit: number of queued jobs beyond which on-demand resources are turned away.
    """

    def __init__(self, redis: Redis, *, limit: int) -> None:
        self._redis = redis
        self._limit = limit
        # Never pickle: a client that can write to Redis could run code in the refreshers.
        self._queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)

    def ask(
        self,
        resource: Resource,
        *,
        urgent: bool = False,
        fresh_after: float | None = None,
        request_id: str | None = None,
    ) -> Asked:
        """Enqueue a refresh unless one is queued, running, or was just requested.

        Args:
            resource: the resource to refresh.
            urgent: a client is waiting: enqueue it at the front, as tracked resources always are.
            fresh_after: refresh ahead: skip the refresh only if the content stays fresh beyond this
                Unix time (seconds).
            request_id: of the client's request that causes it.
        """
        if not self._redis.set(keys.asked(resource), 1, nx=True, px=ASK_INTERVAL):
            return Asked.UNDER_WAY
        if self._is_under_way(resource):
            return Asked.UNDER_WAY
        length = self._queue.count
        if not is_admitted(resource, queued=length, limit=self._limit):
            return Asked.TURNED_AWAY
        at_front = goes_to_the_front(resource, queued=length, is_urgent=urgent)
        options = {} if fresh_after is None else {"fresh_after": fresh_after}
        self._enqueue(resource, options, at_front=at_front, request_id=request_id)
        return Asked.QUEUED

    def force(self, resource: Resource, *, request_id: str | None = None) -> Asked:
        """Enqueue a refresh that asks the origin even if the content is fresh, or just failed.

        For operators: it goes to the front, even if another job is queued for the resource, which
        then finds nothing to do. It also invalidates the entry, and only a refresh that began
        afterwards removes that mark. So readers enqueue it again if the job is lost, postponed or
        meets a pause.
        """
        self.mark(resource)
        if self._redis.exists(keys.running(resource)):
            return Asked.UNDER_WAY
        self._enqueue(resource, {"force": True}, at_front=True, request_id=request_id)
        return Asked.QUEUED

    def mark(self, resource: Resource) -> None:
        """Invalidate a resource: it is stale until a refresh that begins from now on is done.

        The mark is new each time: a refresh that began before must not remove it.
        """
        self._redis.set(keys.invalidated_by(resource), uuid4().hex, ex=_REMEMBER_INVALIDATION)

    def forget(self, resource: Resource, *, request_id: str | None = None) -> None:
        """Enqueue the removal of an on-demand resource: only refreshers write entries."""
        job_id = _new_job_id(resource)
        self._put(FORGET_JOB, resource, {}, job_id, at_front=True, request_id=request_id)

    def length(self) -> int:
        """The number of queued jobs."""
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
            # Not arguments: refreshers of an older version would not know them.
            meta={FORM: resource.form} | ({} if request_id is None else {REQUEST_ID: request_id}),
        )


def put_off(redis: Redis, resource: Resource, *, seconds: float) -> None:
    """Drop requests for a refresh (`RefreshQueue.ask`) for some seconds; `force` still enqueues it.

    Raises:
        redis.RedisError: Redis is away.
    """
    redis.set(keys.asked(resource), 1, px=int(1000 * seconds))


def _new_job_id(resource: Resource) -> str:
    """A new id for every job: otherwise RQ would let a finished job delete its queued namesake."""
    return f"{resource.id}-{uuid4().hex}"
