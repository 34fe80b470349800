"""What RQ's own tools show of jobs: `rq info`, its registries, and its counts for each worker.

RQ writes some twenty keys for each job. Here a job that ends within a second is only counted, and
its record is deleted; one that takes longer is registered as RQ does it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

from redis.client import Pipeline
from rq.executions import Execution
from rq.job import Job

from refresher.dispatch.take import REMEMBER_JOB_S, TakenJob
from shared.clock import Clock
from shared.queueing import CLIENT, resource_id_of
from shared.redis import keys
from shared.redis.scripts import Batch

if TYPE_CHECKING:
    from rq.worker.base import BaseWorker

_REGISTER_AFTER = 1.0  # seconds
_REGISTERED_FOR = 90  # seconds; renewed with each heartbeat


@dataclass
class RunningJob:
    """A job in progress.

    Args:
        taken: the job.
        job: RQ's object for it.
        began: `clock.monotonic()` of its beginning.
        execution: RQ's record for it, once it is registered.
    """

    taken: TakenJob
    job: Job
    began: float
    execution: Execution | None = None


class JobRecords:
    """The records of one worker's jobs; thread-safe.

    Args:
        worker: RQ's worker.
        clock: the process's clock.
    """

    def __init__(self, worker: "BaseWorker", *, clock: Clock) -> None:
        self._worker = worker
        self._clock = clock
        self._lock = Lock()
        self._running: dict[str, RunningJob] = {}
        self._ended: list[tuple[RunningJob, float]] = []
        self._gone: list[RunningJob] = []  # neither succeeded nor failed, or registered too late

    def begin(self, taken: TakenJob, job: Job) -> RunningJob:
        """Note that a job has begun."""
        running = RunningJob(taken, job, self._clock.monotonic())
        with self._lock:
            self._running[job.id] = running
        return running

    def end(self, running: RunningJob) -> float:
        """Note that a job has succeeded; return its duration in seconds."""
        seconds = self.forget(running)
        with self._lock:
            self._ended.append((running, seconds))
        return seconds

    def abandon(self, running: RunningJob) -> None:
        """Note that a job ended without a result: nothing of it is kept."""
        self.forget(running)
        with self._lock:
            self._gone.append(running)

    def forget(self, running: RunningJob) -> float:
        """Note that a job is over; its record is written elsewhere. Return its duration."""
        with self._lock:
            self._running.pop(running.job.id, None)
        return self._clock.monotonic() - running.began

    @property
    def oldest(self) -> float:
        """Seconds since the job began that has run for the longest; 0 if none runs."""
        with self._lock:
            began = [running.began for running in self._running.values()]
        return self._clock.monotonic() - min(began) if began else 0.0

    def add(self, batch: Batch) -> Callable[[], None]:
        """Add what is to be written about ended jobs to a batch."""
        with self._lock:
            ended, gone = list(self._ended), list(self._gone)
        if ended:
            self._add_ended(batch.pipeline, ended)
        for one in gone:
            self._add_removal(batch.pipeline, one)

        def written() -> None:
            with self._lock:
                del self._ended[: len(ended)]
                del self._gone[: len(gone)]

        return written

    def add_registrations(self, pipeline: Pipeline) -> Callable[[], None]:
        """Register the jobs that take longer, and renew the registration of the others.

        Returns:
            What to call once that is written: a job may have ended meanwhile, and its record been
            deleted, before its registration wrote it again.
        """
        now, new = self._clock.monotonic(), list[RunningJob]()
        with self._lock:
            running = list(self._running.values())
        for one in running:
            registry = one.job.started_job_registry
            if one.execution is not None:
                one.execution.heartbeat(registry, _REGISTERED_FOR, pipeline=pipeline)
            elif now - one.began > _REGISTER_AFTER:
                one.job.prepare_for_execution(self._worker.name, pipeline=pipeline)
                # Its record may have been deleted meanwhile; this one must not stay for ever.
                pipeline.expire(one.job.key, REMEMBER_JOB_S)
                one.execution = Execution.create(
                    one.job, _REGISTERED_FOR, pipeline, worker_name=self._worker.name
                )
                new.append(one)

        def written() -> None:
            with self._lock:
                self._gone += [one for one in new if one.job.id not in self._running]

        return written

    def _add_ended(self, pipeline: Pipeline, ended: list[tuple[RunningJob, float]]) -> None:
        worker = self._worker
        pipeline.hincrby(worker.key, "successful_job_count", len(ended))
        total = timedelta(seconds=sum(seconds for _, seconds in ended))
        worker.increment_total_working_time(total, pipeline)
        for running, _ in ended:
            self._add_removal(pipeline, running)
            client = running.job.meta.get(CLIENT)
            if client:
                pipeline.zrem(keys.waits(str(client)), resource_id_of(running.job.id))

    @staticmethod
    def _add_removal(pipeline: Pipeline, running: RunningJob) -> None:
        pipeline.delete(running.job.key)
        if running.execution is not None:
            running.execution.delete(running.job, pipeline)
