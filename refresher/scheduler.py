"""The optional process that requests refreshes of tracked resources before they are stale.

It is RQ's own cron with one difference. RQ's cron enqueues a job each time, and these jobs would
pile up while no worker runs. This scheduler requests refreshes as the readers do: there is at most
one request for each resource at a time. So a second scheduler does not double anything.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.config import dictConfig

from redis import Redis, RedisError
from redis.client import Pipeline
from rq.cron import CronJob, CronScheduler
from rq.exceptions import SchedulerNotFound
from rq.utils import now as utc_now

from shared.clock import SYSTEM, Clock
from shared.logs import logging_config
from shared.queue_order import Priority
from shared.queueing import QUEUE, QueueLimits, RefreshQueue, RefreshRequest
from shared.redis.connection import connect, reason_of
from shared.redis.store import EntryState, Store
from shared.refresh_ahead import Ahead
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.settings import Settings, load_or_exit

log = logging.getLogger("refresher")

_CHECKS = 16  # per window
_LONGEST_WAIT = 60  # seconds between two checks


class RefreshAhead:
    """Requests refreshes of tracked resources that will be stale soon.

    Args:
        settings: the tracked resources, and how long they are fresh.
        redis: holds the entries and the queue.
        clock: the process's clock.
    """

    def __init__(self, settings: Settings, redis: Redis, *, clock: Clock) -> None:
        window = settings.refresh_ahead * settings.cache_ttl
        self.interval = int(min(max(1, window / _CHECKS), _LONGEST_WAIT))  # seconds
        self._ahead = Ahead(window)
        self._tracked = Catalogue.of(settings).tracked
        self._store = Store(redis)
        self._queue = RefreshQueue(redis, QueueLimits.of(settings))
        self._clock = clock

    def ask(self) -> None:
        """Request the refreshes that are nearly due.

        Raises:
            redis.RedisError: Redis is away.
        """
        now = self._clock.now()
        states = zip(self._tracked, self._store.states(self._tracked), strict=True)
        self._queue.ask_all(
            [
                _request(resource, state, now)
                for resource, state in states
                if self._ahead.wants_refresh(resource, state, now)
            ]
        )


def _request(resource: Resource, state: EntryState, now: float) -> RefreshRequest:
    """The request for a refresh ahead of time, or a plain one.

    Only what is current is renewed ahead. For the rest a plain request is enough, and a refresher
    of an older release asks GitHub for nothing that it cannot complete.
    """
    due = state.metadata.fresh_until if state.metadata else None
    if not state.is_current(now):
        priority = Priority.MISSING if due is None else Priority.STALE
        return RefreshRequest(resource, priority, due=due)
    return RefreshRequest(resource, Priority.AHEAD, due=due, fresh_after=due)


class Scheduler(CronScheduler):
    """RQ's scheduler, except that it waits for Redis instead of giving up."""

    _redis_is_away = False

    def enqueue_jobs(self) -> list[CronJob]:
        """Call the functions that are due in this process: they are quick and need no worker."""
        due = [job for job in self.get_jobs() if job.should_run()]
        for job in due:
            job.set_enqueue_time(utc_now())
            with self._through_outages():
                assert job.func is not None
                job.func()
        return due

    def save(self, pipeline: Pipeline | None = None) -> None:
        """Save the state for RQ's own tools."""
        with self._through_outages():
            super().save(pipeline)

    def heartbeat(self) -> None:
        """Renew the registration."""
        with self._through_outages():
            super().heartbeat()

    def register_birth(self) -> None:
        """Register, if Redis is there; otherwise a heartbeat registers later."""
        with self._through_outages():
            super().register_birth()

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
            if not self._redis_is_away:
                log.warning("Redis is away: %s", reason_of(error))
            self._redis_is_away = True
        else:
            self._redis_is_away = False


def main() -> int:
    """Run until stopped by SIGINT or SIGTERM."""
    settings = load_or_exit()
    dictConfig(logging_config(settings.log_format))
    redis = connect(settings)
    ahead = RefreshAhead(settings, redis, clock=SYSTEM)
    scheduler = Scheduler(redis, logging_level=logging.WARNING)
    scheduler.register(ahead.ask, QUEUE, interval=ahead.interval)
    scheduler.start()  # type: ignore[no-untyped-call]
    redis.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
