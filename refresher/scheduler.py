"""The optional process that has tracked resources refreshed before they go stale.

It is RQ's own cron, but for what it does each time: it enqueues no job that a worker would have to
take, which would pile up while none runs, but asks for refreshes as the readers do, of which there
is one at a time for each resource. So a second scheduler beside it does nothing twice.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.config import dictConfig

from redis import Redis, RedisError
from redis.client import Pipeline
from rq.cron import CronJob, CronScheduler
from rq.exceptions import SchedulerNotFound
from rq.utils import now as utc_now

from shared.logs import logging_config
from shared.queueing import QUEUE, RefreshQueue
from shared.redis.connection import connect, reason_of
from shared.redis.store import Store
from shared.refresh_ahead import Ahead
from shared.resources.catalogue import Catalogue
from shared.settings import Settings, load_or_exit

log = logging.getLogger("refresher")

_CHECKS = 16  # in a window
_LONGEST_WAIT = 60  # seconds between two looks


class RefreshAhead:
    """Asks for the refreshes of tracked resources that are nearly due.

    Args:
        settings: what is tracked, and for how long it is fresh.
        redis: where the entries and the queue are.
        clock: gives Unix time in seconds.
    """

    def __init__(
        self, settings: Settings, redis: Redis, *, clock: Callable[[], float] = time.time
    ) -> None:
        window = settings.refresh_ahead * settings.cache_ttl
        self.interval = int(min(max(1, window / _CHECKS), _LONGEST_WAIT))  # seconds
        self._ahead = Ahead(window)
        self._tracked = Catalogue.of(settings).tracked
        self._store = Store(redis)
        self._queue = RefreshQueue(redis, limit=settings.queue_max)
        self._clock = clock

    def ask(self) -> None:
        """Ask for whatever is nearly due.

        Raises:
            redis.RedisError: Redis is away.
        """
        now = self._clock()
        states = self._store.states(self._tracked)
        for resource, state in zip(self._tracked, states, strict=True):
            if self._ahead.wants_refresh(resource, state, now):
                seen = state.metadata.fresh_until if state.metadata else None
                self._queue.ask(resource, fresh_after=seen)


class Scheduler(CronScheduler):
    """RQ's scheduler, which waits for Redis where RQ's gives up."""

    _redis_is_away = False

    def enqueue_jobs(self) -> list[CronJob]:
        """Call what is due here and now: asking is quick, and needs no worker."""
        due = [job for job in self.get_jobs() if job.should_run()]
        for job in due:
            job.set_enqueue_time(utc_now())
            with self._through_outages():
                assert job.func is not None
                job.func()
        return due

    def save(self, pipeline: Pipeline | None = None) -> None:
        """Be seen by RQ's own tools."""
        with self._through_outages():
            super().save(pipeline)

    def heartbeat(self) -> None:
        """Be seen alive."""
        with self._through_outages():
            super().heartbeat()

    def register_birth(self) -> None:
        """Sign on, if there is anyone to sign on to; a heartbeat does it later."""
        with self._through_outages():
            super().register_birth()

    def register_death(self, pipeline: Pipeline | None = None) -> None:
        """Sign off."""
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
    ahead = RefreshAhead(settings, redis)
    scheduler = Scheduler(redis, logging_level=logging.WARNING)
    scheduler.register(ahead.ask, QUEUE, interval=ahead.interval)
    scheduler.start()  # type: ignore[no-untyped-call]
    redis.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
