"""The RQ worker that outlives its Redis: `--worker-class refresher.worker.RefreshWorker`.

RQ's own worker has three weaknesses: it quits if Redis goes away while a job runs, it waits up to a
minute before it tries again when idle, and a Redis that lost its data forgets it. With a process
manager that restarts it, RQ's worker recovers too, but later.
"""

import logging
import math
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar

from redis import Redis, RedisError
from redis.client import Pipeline
from rq import Queue, Worker
from rq.job import Job

from refresher.github.auth.pool import credentials_of
from refresher.reporting.clock_report import ClockReport
from refresher.visibility.privileges import ADVICE, found_since
from shared.clock import FLEET, SYSTEM
from shared.errors import SettingsError
from shared.redis.connection import RESPONSE_TIMEOUT, reason_of
from shared.redis.sentinels import keep_all_sentinels
from shared.settings import PrivilegedCredentials, load_or_exit, stop

log = logging.getLogger("refresher")

Result = TypeVar("Result")

_PAUSE = 1.0  # seconds between two tries to reach Redis
# Seconds that one wait for a job takes at most. If the other end of a connection vanishes, such as
# the host of a master, the connection is closed after this time plus `RESPONSE_TIMEOUT`. Then the
# new master is found.
_LISTEN = 2


class RefreshWorker(Worker):
    """RQ's worker, except that it waits for Redis instead of giving up."""

    max_connection_wait_time = 5.0

    @property
    def dequeue_timeout(self) -> int:
        """Seconds that one wait for a job lasts."""
        return min(super().dequeue_timeout, _LISTEN)

    @property
    def connection_timeout(self) -> int:
        """Seconds without data after which a connection is closed."""
        return self.dequeue_timeout + math.ceil(RESPONSE_TIMEOUT)

    def bootstrap(self, *arguments: Any, **known: Any) -> None:
        """Start, and log at once what is known to be wrong with our credentials."""
        super().bootstrap(*arguments, **known)
        with suppress(RedisError):
            FLEET.measure(self.connection)
            credentials = credentials_of(load_or_exit(), self.connection, clock=FLEET.clock)
            found = found_since(self.connection, credentials, 0)
            if found is not None:
                log.warning("%s: %s", found, ADVICE)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """Run the job in this child process, whose connection never waits for a further job."""
        self.connection.connection_pool.connection_kwargs["socket_timeout"] = RESPONSE_TIMEOUT
        super().main_work_horse(job, queue)

    def check_for_suspension(self, burst: bool) -> None:
        """Start a round of work as soon as Redis responds."""
        self._until_redis_answers(lambda: super(RefreshWorker, self).check_for_suspension(burst))

    def run_maintenance_tasks(self) -> None:
        """Run maintenance; what fails is done next time."""
        with suppress(RedisError):
            super().run_maintenance_tasks()  # type: ignore[no-untyped-call]

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """Wait for a job, even if Redis goes away between two of RQ's steps."""
        listen = super().dequeue_job_and_maintain_ttl
        return self._until_redis_answers(lambda: listen(timeout, max_idle_time))

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job; if Redis is lost meanwhile, end the job. Its lock will expire.

        Raises:
            SystemExit: a credential sees too much, and `PRIVILEGED_CREDENTIALS=refuse`.
        """
        began = FLEET.now()
        try:
            super().execute_job(job, queue)
            self._refuse_privileges(began)
        except RedisError as error:
            self.log.error("Worker %s: job %s lost Redis: %s", self.name, job.id, error)
            if self.horse_pid:
                self.kill_horse()
                self.wait_for_horse()
                self._horse_pid = 0

    def _refuse_privileges(self, since: float) -> None:
        """End the process if a job since then found that a credential sees too much."""
        settings = load_or_exit()
        if settings.privileged_credentials is not PrivilegedCredentials.REFUSE:
            return
        credentials = credentials_of(settings, self.connection, clock=FLEET.clock)
        found = found_since(self.connection, credentials, since)
        if found is not None:
            stop(SettingsError(f"PRIVILEGED_CREDENTIALS=refuse: {found}; {ADVICE}"))

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Renew the registration; register again if Redis has lost it."""
        if pipeline is not None:
            super().heartbeat(timeout, pipeline)
            return
        with suppress(RedisError):
            super().heartbeat(timeout)
            if not self.connection.hexists(self.key, "birth"):
                self.connection.delete(self.key)
                self.register_birth()  # type: ignore[no-untyped-call]
            self._clock_report.report()

    @cached_property
    def _clock_report(self) -> ClockReport:
        return ClockReport(self.connection, self.name, clock=FLEET, log=log)

    def teardown(self) -> None:
        """Unregister, if Redis is there."""
        with suppress(RedisError):
            super().teardown()  # type: ignore[no-untyped-call]

    def _set_connection(self, connection: Redis) -> Redis:
        keep_all_sentinels(connection)
        return super()._set_connection(connection)

    def _until_redis_answers(self, step: Callable[[], Result]) -> Result:
        """Take a step of RQ's, repeated as long as Redis is away."""
        while True:
            try:
                return step()
            except RedisError as error:
                self.log.error("Worker %s: Redis is away: %s", self.name, reason_of(error))
                SYSTEM.sleep(_PAUSE)
