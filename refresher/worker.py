"""The RQ worker that outlives its Redis: `--worker-class refresher.worker.RefreshWorker`.

RQ's own worker quits when Redis goes away while a job runs, waits up to a minute before it looks
again when idle, and is forgotten by a Redis that lost its data. Where a process manager starts
it again it does as well, only later.
"""

import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from redis import Redis, RedisError
from redis.client import Pipeline
from rq import Queue, Worker
from rq.job import Job

from refresher.github.auth.pool import credentials_of
from refresher.visibility.privileges import ADVICE, found_since
from shared.errors import SettingsError
from shared.redis.connection import RESPONSE_TIMEOUT, reason_of
from shared.redis.sentinels import keep_all_sentinels
from shared.settings import PrivilegedCredentials, load_or_exit, stop

log = logging.getLogger("refresher")

Answer = TypeVar("Answer")

_PAUSE = 1.0  # seconds between looks at a Redis that is away
# Seconds that one wait for a job takes at the most. A connection whose other end vanished, such as
# the host of a master, is given up after this and `ANSWER_TIMEOUT`; then the next one is found.
_LISTEN = 2


class RefreshWorker(Worker):
    """RQ's worker, which waits for Redis where RQ's gives up."""

    max_connection_wait_time = 5.0

    @property
    def dequeue_timeout(self) -> int:
        """Seconds of one wait for a job."""
        return min(super().dequeue_timeout, _LISTEN)

    @property
    def connection_timeout(self) -> int:
        """Seconds after which a connection that says nothing is given up."""
        return self.dequeue_timeout + math.ceil(RESPONSE_TIMEOUT)

    def bootstrap(self, *arguments: Any, **known: Any) -> None:
        """Begin, and name at once what is known to be wrong with our credentials."""
        super().bootstrap(*arguments, **known)
        with suppress(RedisError):
            credentials = credentials_of(load_or_exit(), self.connection, clock=time.time)
            found = found_since(self.connection, credentials, 0)
            if found is not None:
                log.warning("%s: %s", found, ADVICE)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """Do the job, in a process of its own, which never waits for another one."""
        self.connection.connection_pool.connection_kwargs["socket_timeout"] = RESPONSE_TIMEOUT
        super().main_work_horse(job, queue)

    def check_for_suspension(self, burst: bool) -> None:
        """Begin a round of work, but not before Redis answers."""
        self._until_redis_answers(lambda: super(RefreshWorker, self).check_for_suspension(burst))

    def run_maintenance_tasks(self) -> None:
        """Tidy up; what could not be done is done next time."""
        with suppress(RedisError):
            super().run_maintenance_tasks()  # type: ignore[no-untyped-call]

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """Wait for a job, also where Redis goes away between two of RQ's steps."""
        listen = super().dequeue_job_and_maintain_ttl
        return self._until_redis_answers(lambda: listen(timeout, max_idle_time))

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job; where Redis is lost in the middle, end it. Its lock will expire.

        Raises:
            SystemExit: a credential sees too much, and the settings refuse such.
        """
        began = time.time()
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
        """End the process for what the job that began then found of our credentials."""
        settings = load_or_exit()
        if settings.privileged_credentials is not PrivilegedCredentials.REFUSE:
            return
        credentials = credentials_of(settings, self.connection, clock=time.time)
        found = found_since(self.connection, credentials, since)
        if found is not None:
            stop(SettingsError(f"PRIVILEGED_CREDENTIALS=refuse: {found}; {ADVICE}"))

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Be seen alive; register again with a Redis that does not know us."""
        if pipeline is not None:
            super().heartbeat(timeout, pipeline)
            return
        with suppress(RedisError):
            super().heartbeat(timeout)
            if not self.connection.hexists(self.key, "birth"):
                self.connection.delete(self.key)
                self.register_birth()  # type: ignore[no-untyped-call]

    def teardown(self) -> None:
        """Sign off, if there is anyone to sign off to."""
        with suppress(RedisError):
            super().teardown()  # type: ignore[no-untyped-call]

    def _set_connection(self, connection: Redis) -> Redis:
        keep_all_sentinels(connection)
        return super()._set_connection(connection)

    def _until_redis_answers(self, step: Callable[[], Answer]) -> Answer:
        """Take a step of RQ's, again and again for as long as Redis is away."""
        while True:
            try:
                return step()
            except RedisError as error:
                self.log.error("Worker %s: Redis is away: %s", self.name, reason_of(error))
                time.sleep(_PAUSE)
