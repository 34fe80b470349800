"""The RQ worker that runs many refreshes: `--worker-class refresher.worker.RefreshWorker`.

RQ's own worker forks a process for each job and runs one job at a time. This one runs the jobs in
threads (`refresher.dispatch`), in the order of the queue's lanes and priorities. To RQ's tools it
is a worker like any other. It also survives failures of Redis: RQ's worker ends if Redis fails
during a job, and is not registered again after Redis lost its data.
"""

import logging
import math
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from redis import Redis, RedisError
from redis.client import Pipeline
from rq import SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now as utc_now
from rq.worker import WorkerStatus

from refresher.dispatch.dispatcher import TICK, Dispatcher
from refresher.dispatch.due_looks import DueLooks
from refresher.dispatch.job_records import JobRecords, RunningJob
from refresher.dispatch.pace import Pace
from refresher.dispatch.slots import Slots
from refresher.dispatch.take import JobTaker, TakenJob
from refresher.dispatch.ticker import Ticker
from refresher.process import RefresherProcess, serve
from refresher.reporting.meter import Meter
from refresher.storage.tracked_record import TrackedRecord
from refresher.visibility.privileges import ADVICE, found_since
from shared.clock import SYSTEM, seconds_of
from shared.errors import SettingsError
from shared.queue_order import Lane
from shared.queueing import JOB_TIMEOUT, QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.connection import RESPONSE_TIMEOUT, reason_of
from shared.redis.scripts import Batch
from shared.redis.sentinels import keep_all_sentinels
from shared.redis.trouble import trouble_of
from shared.settings import PrivilegedCredentials, stop

log = logging.getLogger("refresher")

_LOG_FORMATS = ("logging_level", "date_format", "log_format")
# Seconds that running refreshes have after SIGTERM. What a list reading has read by then is kept.
PATIENCE = 25.0
# Seconds for which the report of a refresher is kept.
_REPORT_KEPT_S = 600
# Seconds between two runs of RQ's maintenance: until the registration of a killed refresher is
# removed, the queue counts it, and estimates waits that are too short.
_MAINTENANCE = 60
# Seconds after which a job counts as hung: the time limit of a refresh has not ended it.
_HUNG = JOB_TIMEOUT.total_seconds() + 60


class RefreshWorker(SimpleWorker):
    """RQ's worker, with many jobs at once; it waits for Redis instead of giving up."""

    @property
    def dequeue_timeout(self) -> int:
        """Seconds that one wait for a job lasts."""
        return math.ceil(TICK)

    @property
    def connection_timeout(self) -> int:
        """Seconds without data after which a connection is closed."""
        return self.dequeue_timeout + math.ceil(RESPONSE_TIMEOUT)

    def work(self, burst: bool = False, *arguments: Any, **known: Any) -> bool:
        """Work until stopped by SIGINT or SIGTERM.

        Args:
            burst: end when the queue is empty.
            arguments: RQ's; only the format of log lines is used.
            known: likewise.

        Returns:
            Whether a job was done.

        Raises:
            SystemExit: a credential sees too much, and `PRIVILEGED_CREDENTIALS=refuse`; or a second
                signal came.
        """
        formats = {name: known[name] for name in _LOG_FORMATS if name in known}
        self.bootstrap(*arguments[:3], **formats)
        process = serve()
        self._make(process)
        with suppress(RedisError):
            found = found_since(self.connection, process.credentials, 0)
            if found is not None:
                log.warning("%s: %s", found, ADVICE)
        self._install_signal_handlers()  # type: ignore[no-untyped-call]
        try:
            self._serve(process, burst=burst)
        finally:
            self.teardown()
        return self._done > 0

    def request_stop(self, signum: int | None, frame: FrameType | None) -> None:  # noqa: ARG002
        """Finish the running refreshes and end (SIGINT, SIGTERM); a second one ends immediately."""
        self._shutdown_requested_date = utc_now()
        self._stop_requested = True
        signal.signal(signal.SIGINT, self.request_force_stop)
        signal.signal(signal.SIGTERM, self.request_force_stop)
        self._process.stop()
        self._dispatcher.stop()

    def register_birth(self) -> None:
        """Register as soon as Redis responds."""
        self._until_redis_answers(self._register)

    def subscribe(self) -> None:
        """Listen for RQ's commands as soon as Redis responds."""
        self._until_redis_answers(super().subscribe)

    def set_state(self, state: str, pipeline: Pipeline | None = None) -> None:
        """Set the state that RQ's tools show; without Redis, a later tick does."""
        if pipeline is not None:
            super().set_state(state, pipeline)
            return
        with suppress(RedisError):
            super().set_state(state)

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Renew the registration; register again if Redis has lost it."""
        if pipeline is not None:
            super().heartbeat(timeout, pipeline)
            return
        with suppress(RedisError):
            super().heartbeat(timeout)
            if not self.connection.hexists(self.key, "birth"):
                self._register()

    def run_maintenance_tasks(self) -> None:
        """Run maintenance; what fails is done next time, also where RQ cannot read a value."""
        with suppress(RedisError, ValueError):
            super().run_maintenance_tasks()  # type: ignore[no-untyped-call]

    def teardown(self) -> None:
        """Unregister, if Redis is there."""
        with suppress(RedisError):
            super().teardown()  # type: ignore[no-untyped-call]

    def _register(self) -> None:
        if self.birth_date is None:
            super().register_birth()  # type: ignore[no-untyped-call]
            return
        # Registered earlier, perhaps by a try that was cut off. If a job's thread writes to the key
        # meanwhile, the next tick registers.
        self.connection.delete(self.key)
        with suppress(ValueError):
            super().register_birth()  # type: ignore[no-untyped-call]

    def _make(self, process: RefresherProcess) -> None:
        settings = process.settings
        self._process = process
        self.maintenance_interval = min(self.maintenance_interval, _MAINTENANCE)
        self._pace = Pace()
        self._records = JobRecords(self, clock=SYSTEM)
        self._slots = Slots(settings.refresh_concurrency, reserve=settings.budget_reserve)
        self._dispatcher = Dispatcher(
            process.redis,
            JobTaker(process.redis, settings),
            self._slots,
            records=_Records(self._records, process.meter),
            run=self._run,
            clock=SYSTEM,
        )
        self._done = 0
        self._until_redis_answers(lambda: process.fleet_clock.measure(self.connection))
        self._began = process.clock.now()

    def _serve(self, process: RefresherProcess, *, burst: bool) -> None:
        dispatcher = self._dispatcher
        queue = RefreshQueue(process.redis, QueueLimits.of(process.settings))
        looks = DueLooks(process.redis, process.catalogue, process.storage.store, queue)
        ticker = Ticker(lambda: self._tick(process), pause=TICK)
        record = TrackedRecord(process.redis, process.catalogue)
        looker = Ticker(lambda: self._ask_for_looks(looks, record), pause=TICK)
        healer, checks = process.healer(queue), process.drift_checks(queue)
        tickers = [
            ticker,
            looker,
            Ticker(lambda: _unless_redis_is_away(healer.step), pause=TICK),
            Ticker(lambda: _unless_redis_is_away(process.mend), pause=TICK),
        ]
        if process.settings.drift_check_interval:
            tickers.append(Ticker(lambda: _unless_redis_is_away(checks.step), pause=TICK))
        for one in tickers:
            one.start()
        while not self._stop_requested and ticker.error is None:
            is_there = dispatcher.step(is_patient=not burst)
            if burst and is_there and dispatcher.is_idle:
                break
            if burst:
                dispatcher.wait_until_idle(TICK)
            if self._records.oldest > _HUNG:
                log.error("a refresh hangs for %.0f s: this refresher ends", self._records.oldest)
                self.request_stop(None, None)
        self._finish(process)
        for one in tickers:
            one.stop()
        if ticker.error is not None:
            raise ticker.error

    def _finish(self, process: RefresherProcess) -> None:
        self._dispatcher.stop()
        if not self._dispatcher.end(PATIENCE):
            log.warning("refreshes are still running after %.0f s: their locks expire", PATIENCE)
        self._dispatcher.take()  # takes nothing any more: writes what is to be written
        process.flush()

    def _ask_for_looks(self, looks: DueLooks, record: TrackedRecord) -> float | None:
        """Enqueue the looks that are due; return the seconds until the next one."""
        with suppress(RedisError):
            record.keep_up(self._process.clock.monotonic())
            return looks.ask(self._process.clock.now())
        return None

    def _tick(self, process: RefresherProcess) -> None:
        """Once a second: heartbeat, registrations, pace, what the status page shows."""
        running = self._dispatcher.running
        busy = WorkerStatus.BUSY if any(running.values()) else WorkerStatus.IDLE
        state = WorkerStatus.SUSPENDED if self._dispatcher.is_suspended else busy
        clock = process.fleet_clock
        with self._noting(process):
            sent_at = clock.monotonic()
            with self.connection.pipeline(transaction=False) as pipeline:
                pipeline.time()
                pipeline.hexists(self.key, "birth")
                self.heartbeat(pipeline=pipeline)
                self.set_state(state, pipeline)
                self._add_report(pipeline, process, running)
                pipeline.hset(keys.PACE, "slots", self._slots.limits[Lane.ON_DEMAND])
                if self._pace.seconds is not None:
                    pipeline.hset(keys.PACE, "seconds", self._pace.seconds)
                pipeline.expire(keys.PACE, _REPORT_KEPT_S)
                written = self._records.add_registrations(pipeline)
                time, is_known, *_ = pipeline.execute()
            process.troubles.wrote(sent_at)
            clock.heard(seconds_of(time), sent_at=sent_at)
            written()
            if not is_known:  # Redis has lost its data
                self._register()
        if self.should_run_maintenance_tasks:
            self.run_maintenance_tasks()
        process.keep_places()
        process.flush()
        self._check_privileges(process)

    @contextmanager
    def _noting(self, process: RefresherProcess) -> Iterator[None]:
        """Go on after an error of Redis; RQ's own connection tells nobody of it."""
        try:
            yield
        except RedisError as error:
            process.troubles.note(error)

    def _add_report(
        self, pipeline: Pipeline, process: RefresherProcess, running: Mapping[Lane, int]
    ) -> None:
        """Add what the status page shows of this refresher to a pipeline."""
        key = keys.refresher(self.name)
        report = {f"running:{lane}": str(count) for lane, count in running.items()}
        report |= {"slots": str(self._slots.total), "skew": str(process.skew_log.check())}
        pipeline.hset(key, items=[part for pair in report.items() for part in pair])
        pipeline.expire(key, _REPORT_KEPT_S)

    def _run(self, taken: TakenJob) -> None:
        """Run one job, in a thread of the dispatcher."""
        job = Job(taken.id, connection=self.connection, serializer=JSONSerializer)
        try:
            job.restore(taken.record)
        except Exception:
            log.exception("job %s cannot be read", taken.id)
            return
        running = self._records.begin(taken, job)
        job.started_at = utc_now()
        self._process.meter.waited(taken.lane, taken.priority, taken.waited)
        try:
            job.perform()
        except RedisError as error:
            if trouble_of(error) is None:  # others are logged when they are met
                log.error("job %s lost Redis: %s", job.id, error)
            self._records.abandon(running)
        except BaseException as error:
            self._fail(running, error)
        else:
            seconds = self._records.end(running)
            self._done += 1
            if taken.lane is Lane.ON_DEMAND:
                self._pace.note(seconds)

    def _fail(self, running: RunningJob, error: BaseException) -> None:
        """Record in RQ's way that a job raised an error."""
        self._records.forget(running)
        job = running.job
        job.ended_at = utc_now()
        log.error("job %s raised an error: %s", job.id, job.description, exc_info=error)
        with suppress(RedisError):
            self.handle_job_failure(
                job,
                self.queues[0],
                exc_string=f"{type(error).__name__}: see the refresher's log",
                execution=running.execution,
            )

    def _check_privileges(self, process: RefresherProcess) -> None:
        """End the process if a credential was found to see too much, and that is refused.

        Raises:
            SystemExit: it was.
        """
        if process.settings.privileged_credentials is not PrivilegedCredentials.REFUSE:
            return
        with suppress(RedisError):
            found = found_since(self.connection, process.credentials, self._began)
            if found is not None:
                stop(SettingsError(f"PRIVILEGED_CREDENTIALS=refuse: {found}; {ADVICE}"))

    def _until_redis_answers(self, step: Callable[[], object]) -> None:
        """Take a step, repeated as long as Redis is unavailable."""
        while True:
            try:
                step()
                return
            except RedisError as error:
                if trouble_of(error) is None:
                    log.error("Worker %s: Redis is away: %s", self.name, reason_of(error))
                else:
                    self._mend_after(error)
                SYSTEM.sleep(TICK)

    @staticmethod
    def _mend_after(error: RedisError) -> None:
        """Log what is wrong with Redis, and mend it if it is a damaged value."""
        process = serve()
        process.troubles.note(error)
        with suppress(RedisError):
            process.mend()

    def _set_connection(self, connection: Redis) -> Redis:
        keep_all_sentinels(connection)
        return super()._set_connection(connection)


def _unless_redis_is_away(step: Callable[[], float | None]) -> float | None:
    with suppress(RedisError):
        return step()
    return None


@dataclass(frozen=True)
class _Records:
    """What is written in the round trip that takes the next jobs.

    Args:
        jobs: RQ's records of ended jobs.
        meter: holds the reports of ended refreshes.
    """

    jobs: JobRecords
    meter: Meter

    def add(self, batch: Batch) -> Callable[[], None]:
        self.meter.add_reports(batch.pipeline)
        return self.jobs.add(batch)
