"""The optional process that requests refreshes of tracked resources before they are stale.

It is RQ's own cron with one difference. RQ's cron enqueues a job each time, and these jobs would
pile up while no worker runs. This scheduler requests refreshes as the readers do: there is at most
one request for each resource at a time. So a second scheduler does not double anything.
"""

import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging.config import dictConfig
from typing import Any

from redis import Redis, RedisError
from redis.client import Pipeline
from rq.cron import CronJob, CronScheduler
from rq.cron_scheduler_registry import get_registry_key
from rq.exceptions import SchedulerNotFound, StopRequested
from rq.utils import now as utc_now

from shared.clock import FLEET, Clock, FleetClock
from shared.clock_skew import SkewLog
from shared.logs import logging_config
from shared.queue_order import Priority, due_of, priority_of
from shared.queueing import QUEUE, Asked, QueueLimits, RefreshQueue, RefreshRequest
from shared.redis import keys
from shared.redis.connection import connect, reason_of
from shared.redis.entry_state import EntryState
from shared.redis.lifetimes import Lifetimes
from shared.redis.store import Store
from shared.redis.trouble import Troubles, trouble_of
from shared.refresh_ahead import Ahead
from shared.resources.catalogue import Catalogue, catalogue_or_exit
from shared.resources.resource import Resource
from shared.settings import Settings, load_or_exit

log = logging.getLogger("refresher")

_CHECKS = 16  # per window
_LONGEST_WAIT = 60  # seconds between two checks
_FORGOTTEN = 2 * 24 * 3600  # seconds after which a scheduler that was killed leaves the registry
_REMEMBER_MS = 60_000  # longer than the content is fresh after a request ahead


class RefreshAhead:
    """Requests refreshes of tracked resources that will be stale soon.

    Args:
        settings: the tracked resources, and how long they are fresh.
        redis: holds the entries and the queue.
        clock: shows Redis's time.
        store: reads entries; by default one that tells no clock.
    """

    def __init__(
        self, settings: Settings, redis: Redis, *, clock: Clock, store: Store | None = None
    ) -> None:
        window = settings.refresh_ahead * settings.cache_ttl
        self.interval = int(min(max(1, window / _CHECKS), _LONGEST_WAIT))  # seconds
        self._ahead = Ahead(window)
        self._tracked = Catalogue.of(settings).tracked
        self._redis = redis
        self._store = store or Store(redis, lifetimes=Lifetimes.of(settings))
        self._queue = RefreshQueue(redis, QueueLimits.of(settings))
        self._clock = clock

    def ask(self) -> None:
        """Request the refreshes that are nearly due.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        states = self._store.states(self._tracked)
        now = self._clock.now()  # after the states, whose reading measures it
        requests = [
            _request(resource, state, now)
            for resource, state in zip(self._tracked, states, strict=True)
            if self._ahead.wants_refresh(resource, state, now)
        ]
        self._queue.ask_all([one for one in requests if one.priority is not Priority.AHEAD])
        self._ask_ahead([one for one in requests if one.priority is Priority.AHEAD])

    def _ask_ahead(self, requests: Sequence[RefreshRequest]) -> None:
        """Request refreshes ahead, once for each moment at which content becomes stale.

        It is remembered in Redis, for all schedulers. If the job is lost, the content becomes
        stale, and then it is requested like all stale content.
        """
        if not requests:
            return
        known = self._redis.mget([keys.ahead(one.resource) for one in requests])
        moments = [repr(one.due).encode() for one in requests]
        new = [
            (request, moment)
            for request, moment, before in zip(requests, moments, known, strict=True)
            if before != moment
        ]
        results = self._queue.ask_all([request for request, _ in new])
        life_ms = int(1000 * self._ahead.window) + _REMEMBER_MS
        with self._redis.pipeline(transaction=False) as pipeline:
            for (request, moment), result in zip(new, results, strict=True):
                if result.asked is Asked.QUEUED:
                    pipeline.set(keys.ahead(request.resource), moment, px=life_ms)
            pipeline.execute()


def _request(resource: Resource, state: EntryState, now: float) -> RefreshRequest:
    """The request for a refresh ahead of time, or a plain one.

    Only what is current is renewed ahead. For the rest a plain request is enough, and a refresher
    of an older release asks GitHub for nothing that it cannot complete.
    """
    if not state.is_current(now):
        return RefreshRequest(resource, priority_of(state), due=due_of(state))
    due = state.metadata.fresh_until if state.metadata else None
    return RefreshRequest(resource, Priority.AHEAD, due=due, fresh_after=due)


class Scheduler(CronScheduler):
    """RQ's scheduler, except that it waits for Redis, and measures intervals and time otherwise.

    Its intervals are monotonic: a machine's clock that is set back does not stop it. It registers
    itself by Redis's clock, by which readers judge whether it is alive.

    Args:
        connection: a client.
        clock: Redis's clock as the process knows it.
        known: RQ's other arguments.
    """

    _redis_is_away = False

    def __init__(self, connection: Redis, *, clock: FleetClock, **known: Any) -> None:
        super().__init__(connection, **known)
        self._clock = clock
        self._skew_log = SkewLog(clock, log)
        self._troubles = Troubles(log, clock.clock)
        self._called_at: dict[CronJob, float] = {}

    def start(self) -> None:
        """Run until SIGINT or SIGTERM, whenever it comes: RQ expects one only while it runs."""
        try:
            super().start()  # type: ignore[no-untyped-call]
        except StopRequested:  # while it registered, or the second one while it unregistered
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            self.register_death()

    def enqueue_jobs(self) -> list[CronJob]:
        """Call the functions that are due in this process: they are quick and need no worker."""
        due = [job for job in self.get_jobs() if self._seconds_until(job) <= 0]
        for job in due:
            self._called_at[job] = self._clock.monotonic()
            job.set_enqueue_time(utc_now())  # for RQ's own tools
            with self._through_outages():
                assert job.func is not None
                job.func()
        return due

    def calculate_sleep_interval(self) -> float:
        """Seconds until the next function is due."""
        waits = [self._seconds_until(job) for job in self.get_jobs()]
        return min(max(0.0, min(waits, default=_LONGEST_WAIT)), _LONGEST_WAIT)

    def _seconds_until(self, job: CronJob) -> float:
        called_at = self._called_at.get(job)
        if called_at is None:
            return 0.0
        return called_at + (job.interval or 0) - self._clock.monotonic()

    def save(self, pipeline: Pipeline | None = None) -> None:
        """Save the state for RQ's own tools."""
        with self._through_outages():
            super().save(pipeline)

    def heartbeat(self) -> None:
        """Renew the registration, and log a clock that is wrong."""
        with self._through_outages():
            super().heartbeat()
            self._clock.measure(self.connection)
            self._stamp()
            self._troubles.wrote()
            self._skew_log.check()

    def register_birth(self) -> None:
        """Register, if Redis is there; otherwise a heartbeat registers later."""
        with self._through_outages():
            self._clock.measure(self.connection)
            super().register_birth()
            self._stamp()

    def _stamp(self) -> None:
        """Replace the time that RQ registered by Redis's time, and forget those long gone.

        One that was killed stays in the registry, and so the status page can tell of it.
        """
        now = self._clock.now()
        self.connection.zadd(get_registry_key(), {self.name: now}, xx=True)
        self.connection.zremrangebyscore(get_registry_key(), "-inf", now - _FORGOTTEN)

    def register_death(self, pipeline: Pipeline | None = None) -> None:
        """Unregister."""
        with self._through_outages():
            super().register_death(pipeline)

    @contextmanager
    def _through_outages(self) -> Iterator[None]:
        try:
            yield
        except SchedulerNotFound:  # a Redis that lost its data
            pass
        except RedisError as error:
            self._troubles.note(error)
            if trouble_of(error) is not None:
                return
            if not self._redis_is_away:
                log.warning("Redis is away: %s", reason_of(error))
            self._redis_is_away = True
        else:
            self._redis_is_away = False


def main() -> int:
    """Run until stopped by SIGINT or SIGTERM."""
    settings = load_or_exit()
    catalogue_or_exit(settings)
    dictConfig(logging_config(settings.log_format))
    redis = connect(settings)
    clock = FLEET
    store = Store(redis, clock=clock, lifetimes=Lifetimes.of(settings))
    ahead = RefreshAhead(settings, redis, clock=clock.clock, store=store)
    scheduler = Scheduler(redis, clock=clock, logging_level=logging.WARNING)
    scheduler.register(ahead.ask, QUEUE, interval=ahead.interval)
    scheduler.start()
    redis.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
