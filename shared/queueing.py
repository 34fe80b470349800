"""Enqueues refreshes: one queue, one job per resource, however many processes request it.

Whether a refresh is under way is read from what cannot be wrong for long: the queue itself, and
the mark of the lock's holder, which ends with its holder as the lock does. No record of a job is
trusted, so nothing has to be cleaned up after a crash:

    reader dies before it enqueues the job                 -> not in the queue: asked again
    worker takes the job, dies before it takes the lock    -> no mark after LOCK_TTL: asked again
    worker dies holding the lock                           -> no mark after LOCK_TTL: asked again
    Redis restarts empty                                   -> nothing there: asked again

A plain `rq worker` sets no mark before it takes the lock, so a second job may slip in. It finds the
lock taken, or the content fresh, and ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import uuid4

from redis import Redis
from redis.client import Pipeline
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.suspension import WORKERS_SUSPENDED
from rq.utils import now as utc_now
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from shared.marking import mark
from shared.queue_order import Priority, lane_of
from shared.queue_scripts import ASK
from shared.redis import keys
from shared.redis.scripts import Batch, Script
from shared.resources.resource import Resource
from shared.settings import Settings

QUEUE = "refresh"
JOB = "refresher.jobs.refresh"
FORGET_JOB = "refresher.jobs.forget"
# Keys in a job's `meta`: the id of the client's request that caused it, and the client's address.
REQUEST_ID = "request_id"
CLIENT = "client"
# Key in a job's `meta` for `Resource.form`: a refresher whose form differs leaves the job alone.
FORM = "form"

# Value of the mark `running` of a job that was taken from the queue; the holder of the resource's
# lock sets another one.
CLAIM = "taken"

# One job per second for the whole fleet and one resource, even if each ends at once.
ASK_INTERVAL = timedelta(seconds=1)
# The time limit of one refresh: a list of LIST_MAX_PAGES pages on a slow day.
JOB_TIMEOUT = timedelta(minutes=15)
_REMEMBER_JOB = timedelta(hours=1)
_KEEP_FAILED_JOB = timedelta(minutes=10)
# Prefix of the keys of RQ's jobs.
JOB_PREFIX = Job.key_for("").removesuffix(":") + ":"

_ASK = Script(ASK)
_HELD = b"held"


class Asked(StrEnum):
    """The result of requesting a refresh."""

    QUEUED = "queued"  # a new job was enqueued
    UNDER_WAY = "under-way"  # a job is queued or running, or ended or was requested a moment ago
    TURNED_AWAY = "turned-away"  # the queue is full of on-demand jobs, none of which is less urgent
    TOO_LATE = "too-late"  # a client waits, and the turn would come after the end of its wait
    TOO_MANY = "too-many"  # this client waits for too many resources already
    SUSPENDED = "suspended"  # a client waits, and an operator has paused refreshing


REFUSALS = frozenset({Asked.TURNED_AWAY, Asked.TOO_LATE, Asked.TOO_MANY, Asked.SUSPENDED})


class AskResult(NamedTuple):
    """The result, and when the refresh will be done.

    Args:
        asked: the result.
        seconds: estimate until the refresh is done, from the queue and the measured pace; 0 if it
            is not known.
    """

    asked: Asked
    seconds: float = 0.0


@dataclass(frozen=True)
class RefreshRequest:
    """A request for a refresh.

    Args:
        resource: the resource to refresh.
        priority: why it is requested.
        client: address of the client that waits; empty if no client waits.
        patience: seconds that this client will wait; None for `QueueLimits.miss_wait`.
        due: Unix time in seconds at which content became or becomes stale: in its priority, the
            oldest content comes first. None: the oldest request comes first.
        fresh_after: refresh ahead: skip the refresh only if the content stays fresh beyond this
            Unix time (seconds).
        request_id: of the client's request that causes it.
    """

    resource: Resource
    priority: Priority
    client: str = ""
    patience: float | None = None
    due: float | None = None
    fresh_after: float | None = None
    request_id: str | None = None


@dataclass(frozen=True)
class QueueLimits:
    """What is admitted to the queue.

    Args:
        queued: most on-demand jobs in the queue.
        waiting: most queued or running jobs for which one client waits.
        miss_wait: most seconds that a client waits.
        points_per_minute: requests to GitHub that the fleet sends in a minute.
        reserve: share of them that is kept for tracked resources.
    """

    queued: int = 1000
    waiting: int = 128
    miss_wait: float = 10.0
    points_per_minute: int = 400
    reserve: float = 0.2

    @classmethod
    def of(cls, settings: Settings) -> "QueueLimits":
        """The limits in the settings."""
        return cls(
            queued=settings.queue_max,
            waiting=settings.client_max_waiting,
            miss_wait=settings.miss_wait,
            points_per_minute=settings.origin_points_per_minute,
            reserve=settings.budget_reserve,
        )


class RefreshQueue:
    """The RQ queue of refreshes; methods may raise `redis.RedisError`.

    Args:
        redis: the client.
        limits: what is admitted.
    """

    def __init__(self, redis: Redis, limits: QueueLimits) -> None:
        self._redis = redis
        self._limits = limits
        # Never pickle: a client that can write to Redis could run code in the refreshers.
        self._queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)

    def ask(self, request: RefreshRequest) -> AskResult:
        """Enqueue a refresh unless one is queued, running, or was just requested.

        If one is queued, it gets the better place of the two.
        """
        return self.ask_all([request])[0]

    def ask_all(self, requests: Sequence[RefreshRequest]) -> list[AskResult]:
        """The same for several resources, in one round trip."""
        if not requests:
            return []
        batch = Batch(self._redis)
        for request in requests:
            options = {} if request.fresh_after is None else {"fresh_after": request.fresh_after}
            self._add(batch, request, JOB, options)
        return [_result(reply) for reply in batch.execute()]

    def add_if_absent(self, batch: Batch, request: RefreshRequest) -> None:
        """Add a request to a batch, for a resource of which nothing may be stored.

        If there is content, a failure or a tombstone, nothing is requested: what is stored has to
        be read first. `result_if_absent` parses the reply.
        """
        self._add(batch, request, JOB, {}, only_if_absent=True)

    @staticmethod
    def result_if_absent(reply: Sequence[bytes]) -> AskResult | None:
        """The result of `add_if_absent`; None if something is stored."""
        return None if reply[0] == _HELD else _result(reply)

    def force(self, resource: Resource, *, request_id: str | None = None) -> Asked:
        """Enqueue a refresh that asks the origin even if the content is fresh, or just failed.

        For operators: it comes before all other jobs except those that a client waits for. A job
        that is queued for the resource already then finds nothing to do. It also invalidates the
        entry, and only a refresh that began afterwards removes that mark. So readers enqueue it
        again if the job is lost, postponed or meets a pause. Nothing is requested conditionally,
        whichever job does it: a wrong 304 would confirm wrong content for ever.
        """
        self.mark(resource, anew=True)
        if self._redis.exists(keys.running(resource)):
            return Asked.UNDER_WAY
        return self._put_before_changes(JOB, resource, {"force": True}, request_id)

    def mark(self, resource: Resource, *, anew: bool = False, item: int | None = None) -> None:
        """Invalidate a resource because of an event, or for an operator: see `marking.mark`.

        Args:
            resource: to invalidate.
            anew: for an operator: the next refresh sends no conditional requests.
            item: of a list, GitHub's id of the only item that has changed; None if others may have.
        """
        mark(self._redis, resource, anew=anew, item=item)

    def forget(self, resource: Resource, *, request_id: str | None = None) -> None:
        """Enqueue the removal of a resource: only refreshers write entries.

        Tracked content is read anew instead, without conditions, and served until then.
        """
        if resource.tracked:
            self.mark(resource, anew=True)
        self._put_before_changes(FORGET_JOB, resource, {}, request_id)

    def length(self) -> int:
        """The number of queued jobs."""
        return int(self._queue.count)

    def is_queued(self, resource: Resource) -> bool:
        """Whether a refresh of the resource waits in the queue."""
        job_id = self._redis.get(keys.queued(resource))
        if not isinstance(job_id, bytes):
            return False
        return self._redis.lpos(self._queue.key, job_id.decode()) is not None

    def _put_before_changes(
        self,
        function: str,
        resource: Resource,
        options: Mapping[str, object],
        request_id: str | None,
    ) -> Asked:
        request = RefreshRequest(resource, Priority.INVALIDATED, due=0, request_id=request_id)
        batch = Batch(self._redis)
        self._add(batch, request, function, options, always=True)
        return _result(batch.execute()[0]).asked

    def _add(
        self,
        batch: Batch,
        request: RefreshRequest,
        function: str,
        options: Mapping[str, object],
        *,
        always: bool = False,
        only_if_absent: bool = False,
    ) -> None:
        """Add a run of the script to a batch."""
        resource, limits = request.resource, self._limits
        job = self._job(request, function, options)
        fields = [part for pair in job.to_dict().items() for part in pair]
        script_keys = [
            *(self._queue.key, Queue.redis_queues_keys, job.key),
            *(keys.asked(resource), keys.queued(resource)),
            *(keys.PLACES, keys.waits(request.client)),
        ]
        arguments = [
            *(keys.ORDER, keys.TURNS, keys.BELLS, JOB_PREFIX, lane_of(resource), request.priority),
            *("" if request.due is None else request.due, job.id, resource.id, request.client),
            limits.miss_wait if request.patience is None else request.patience,
            *(limits.waiting, limits.queued),
            int(1000 * ASK_INTERVAL.total_seconds()),
            int(_REMEMBER_JOB.total_seconds()),
            *(limits.points_per_minute, limits.reserve, "always" if always else ""),
            *(keys.running(resource), keys.LARGE, keys.POINTS, keys.PACE),
            *(WORKERS_SUSPENDED, WORKERS_BY_QUEUE_KEY % QUEUE),
            *(_kept_of(resource) if only_if_absent else ("", "", "")),
            *fields,
        ]
        batch.run(_ASK, script_keys, arguments)

    def _job(self, request: RefreshRequest, function: str, options: Mapping[str, object]) -> Job:
        resource = request.resource
        # Not arguments: refreshers of an older version would not know them.
        known = {FORM: resource.form, REQUEST_ID: request.request_id, CLIENT: request.client}
        meta = {name: value for name, value in known.items() if value}
        return make_job(
            self._redis, resource.id, function, resource.name, options=options, meta=meta
        )


def put_off(redis: Redis | Pipeline, resource: Resource, *, seconds: float) -> None:
    """Drop further requests for a refresh for some seconds; `force` still enqueues one.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    redis.set(keys.asked(resource), 1, px=max(1, int(1000 * seconds)))


def resource_id_of(job_id: str) -> str:
    """The id of the resource of a job."""
    return job_id.partition("-")[0]


def make_job(
    redis: Redis,
    resource_id: str,
    function: str,
    name: str,
    *,
    options: Mapping[str, object],
    meta: Mapping[str, object],
) -> Job:
    """A job that is not stored yet.

    Args:
        redis: of the queue.
        resource_id: `Resource.id`.
        function: `JOB` or `FORGET_JOB`.
        name: `Resource.name`.
        options: further arguments of the function.
        meta: of the job.
    """
    job = Job.create(
        function,
        args=[name],
        kwargs=dict(options),
        connection=redis,
        # A new id for every job: otherwise RQ would let a finished job delete its queued namesake.
        id=f"{resource_id}-{uuid4().hex}",
        timeout=int(JOB_TIMEOUT.total_seconds()),
        result_ttl=0,
        failure_ttl=int(_KEEP_FAILED_JOB.total_seconds()),
        description=f"{function.rpartition('.')[2]} {name}",
        meta=dict(meta),
        origin=QUEUE,
        status=JobStatus.QUEUED,
        serializer=JSONSerializer,
    )
    job.enqueued_at = utc_now()
    return job


def _kept_of(resource: Resource) -> tuple[str, str, str]:
    """The keys of which one exists if anything is stored of a resource."""
    return keys.entry(resource), keys.failure(resource), keys.forgotten(resource)


def _result(reply: Sequence[bytes]) -> AskResult:
    asked, seconds = reply
    return AskResult(Asked(asked.decode()), float(seconds))
