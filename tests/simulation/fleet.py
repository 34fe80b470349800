"""A fleet on virtual time: readers, refreshers, a scheduler and clients, of the real components."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, cast
from unittest.mock import patch

from redis import RedisError
from rq.job import Job
from rq.serializers import JSONSerializer

import reader.process as reader_process
import refresher.process as refresher_process
from reader.cache.age_bound import AgeBound
from reader.cache.refresh_requests import Requester
from reader.cache.wanted import Found
from reader.errors import ApiError
from reader.fleet.budget_watch import BudgetWatch
from reader.fleet.heartbeats import INTERVAL
from reader.fleet.process_reporter import ProcessReporter
from reader.process import Components, ReaderProcess
from reader.webhooks.receiver import Delivery
from refresher.dispatch.dispatcher import TICK, Dispatcher
from refresher.dispatch.due_looks import DueLooks
from refresher.dispatch.job_records import JobRecords
from refresher.dispatch.slots import Slots
from refresher.dispatch.take import JobTaker, TakenJob
from refresher.dispatch.ticker import Ticker
from refresher.process import RefresherProcess
from refresher.refresh import refresh
from refresher.reporting.reporter import Cause
from refresher.scheduler import RefreshAhead
from refresher.worker import _Records, _unless_redis_is_away
from shared.clock import Clock, FleetClock
from shared.queueing import CLIENT, QueueLimits, RefreshQueue
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.settings import Settings
from tests.simulation.feed_followers import FeedFollower
from tests.simulation.hub import BEGINNING, Crashed, Hub, SimProcess
from tests.simulation.model_github import ModelGitHub
from tests.simulation.model_redis import ModelRedis

log = logging.getLogger("tests.simulation")

LOST_EVERY_S = 4.0  # seconds between two looks whether one for lost deliveries is due; really one
_REPORTS = 5.0  # seconds; a refresher reports once a second
READERS, REFRESHERS = 2, 2
NO_CACHE = AgeBound(max_age=0, floor=1)  # of a client that sends `Cache-Control: no-cache`


class Fleet:
    """All processes.

    Args:
        hub: virtual time.
        redis: the model.
        github: the model.
        settings: of all processes.
        track: called when a process has begun, and with each client's response.
    """

    def __init__(
        self,
        hub: Hub,
        redis: ModelRedis,
        github: ModelGitHub,
        settings: Settings,
        served: Callable[[SimProcess, Resource, Found | ApiError], None],
    ) -> None:
        self.hub = hub
        self.redis = redis
        self.github = github
        self.settings = settings
        self.catalogue = Catalogue.of(settings)
        self.processes: dict[str, SimProcess] = {}
        self.readers: dict[str, Components] = {}
        self.skews: dict[str, float] = {}
        self.is_followed = False  # whether each reader's change feed has a follower
        self.followers: dict[str, FeedFollower] = {}
        self.feed_failed: Callable[[str], None] = log.error
        self._served = served
        self._works: dict[str, Callable[[], None]] = {}
        for number in range(1, READERS + 1):
            self._works[f"reader-{number}"] = partial(self._reader, f"reader-{number}")
        for number in range(1, REFRESHERS + 1):
            self._works[f"refresher-{number}"] = self._refresher
        self._works["scheduler"] = self._scheduler

    @property
    def names(self) -> list[str]:
        """The names of all processes that there should be."""
        return list(self._works)

    def start(self, name: str) -> None:
        """Begin a process, under the name of one that is gone."""
        process = SimProcess(name, skew=self.skews.get(name, 0.0))
        self.processes[name] = process
        self.hub.spawn(process, self._works[name], "main")

    def crash(self, name: str) -> None:
        """End a process at once."""
        process = self.processes[name]
        self.readers.pop(name, None)
        self.followers.pop(name, None)
        with suppress(Crashed):
            self.hub.crash(process)

    def clock_of(self, process: SimProcess) -> Clock:
        """A process's own clock, which may be wrong and may jump."""
        hub = self.hub
        return Clock(lambda: BEGINNING + hub.now + process.skew, lambda: hub.now, hub.sleep)

    @contextmanager
    def edges(self) -> Iterator[None]:
        """Put the models at the edges of the processes' composition roots inside the block."""
        hub = self.hub
        system = Clock(lambda: hub.unix, lambda: hub.now, hub.sleep)
        transport = self.github.transport

        def make_transport(settings: Settings, *, clock: Clock) -> Any:
            return transport(settings, monotonic=clock.monotonic)

        changes: list[Any] = [
            patch.object(reader_process, "connect", lambda _: self.redis.client()),
            patch.object(reader_process, "SYSTEM", system),
            patch.object(refresher_process, "connect", lambda _: self.redis.client()),
            patch.object(refresher_process, "Transport", make_transport),
            patch.object(refresher_process, "is_work_horse", lambda: False),
            # They only report, once a second.
            patch.object(BudgetWatch, "start", lambda _: None),
            patch.object(ProcessReporter, "start", lambda _: None),
        ]
        for one in changes:
            one.start()
        try:
            yield
        finally:
            for one in changes:
                one.stop()

    def _own(self) -> SimProcess:
        process = self.hub.process
        assert process is not None
        return process

    def _reader(self, name: str) -> None:
        process, hub = self._own(), self.hub
        made = ReaderProcess(
            self.settings, own_clock=self.clock_of(process), stopwatch=lambda: hub.now
        )
        self.readers[name] = components = made.start()
        hub.spawn(process, lambda: self._heartbeats(components), "heartbeats")
        if self.is_followed:
            follower = self.followers[name] = FeedFollower(components.changes, self.feed_failed)
            hub.spawn(process, follower.run, "changes")

    def _heartbeats(self, components: Components) -> None:
        """What the reporter's thread does, without its files."""
        while True:
            self.hub.sleep(INTERVAL)
            with suppress(RedisError):
                components.reporter.report()

    def _refresher(self) -> None:
        clock = self.clock_of(self._own())
        fleet_clock = FleetClock(clock)
        made = RefresherProcess(self.settings, watchdog=lambda: None, fleet_clock=fleet_clock)
        _Refresher(made, clock).work()

    def _scheduler(self) -> None:
        clock = FleetClock(self.clock_of(self._own()))
        ahead = RefreshAhead(self.settings, self.redis.client(), clock=clock.clock)
        while True:
            with suppress(RedisError):
                ahead.ask()
            self.hub.sleep(ahead.interval)

    def request(self, name: str, resource: Resource, client: str, bound: AgeBound) -> None:
        """Let a client request something of a reader, in a thread of that."""
        components, process = self.readers.get(name), self.processes[name]
        if components is None or process.is_dead:
            return

        def work() -> None:
            try:
                result: Found | ApiError = components.lookup.get(resource, Requester(client), bound)
            except ApiError as error:
                result = error
            self._served(process, resource, result)

        self.hub.spawn(process, work, f"client {resource.name}")

    def deliver(
        self, name: str, body: bytes, headers: dict[str, str], answer: Callable[[bool], None]
    ) -> bool:
        """Let GitHub deliver an event to a reader.

        Args:
            name: of the reader.
            body: of the delivery.
            headers: of the delivery.
            answer: called when the reader answers: whether it has taken it.

        Returns:
            Whether there is a reader; it may die before it answers.
        """
        components, process = self.readers.get(name), self.processes[name]
        if components is None or process.is_dead:
            return False
        delivery = Delivery.of(lambda header: headers.get(header, ""))

        def work() -> None:
            try:
                components.webhooks.take(body, delivery)
            except RedisError:
                answer(False)
            else:
                answer(True)

        self.hub.spawn(process, work, "webhook")
        return True


class _Worker:
    """What `JobRecords` needs of RQ's worker."""

    key = "rq:worker:simulated"
    name = "simulated"

    def increment_total_working_time(self, *_: object) -> None:
        """RQ's count is of no interest here."""


class _Refresher:
    """What `refresher.worker` does, without RQ's own worker and its signals.

    Args:
        process: its components.
        clock: its own.
    """

    def __init__(self, process: RefresherProcess, clock: Clock) -> None:
        settings = process.settings
        self._process = process
        self._records = JobRecords(cast(Any, _Worker()), clock=clock)
        self._dispatcher = Dispatcher(
            process.redis,
            JobTaker(process.redis, settings),
            Slots(settings.refresh_concurrency, reserve=settings.budget_reserve),
            records=_Records(self._records, process.meter),
            run=self._run,
            clock=clock,
        )

    def work(self) -> None:
        """Work until the process ends."""
        process = self._process
        queue = RefreshQueue(process.redis, QueueLimits.of(process.settings))
        looks = DueLooks(process.redis, process.catalogue, process.storage.store, queue)
        while True:
            with suppress(RedisError):
                process.fleet_clock.measure(process.redis)
                break
            process.clock.sleep(TICK)

        def ask() -> float | None:
            with suppress(RedisError):
                return looks.ask(process.clock.now())
            return None

        checks = process.drift_checks(queue)
        Ticker(ask, pause=TICK).start()
        healer = process.healer(queue)
        for step in (process.mend, checks.step):
            Ticker(partial(_unless_redis_is_away, step), pause=TICK).start()
        Ticker(partial(_unless_redis_is_away, healer.step), pause=LOST_EVERY_S).start()
        Ticker(self._tick, pause=_REPORTS).start()
        while True:
            self._dispatcher.step()

    def _tick(self) -> None:
        with suppress(RedisError):
            self._process.fleet_clock.measure(self._process.redis)
        self._process.keep_places()
        self._process.flush()

    def _run(self, taken: TakenJob) -> None:
        process = self._process
        job = Job(taken.id, connection=process.redis, serializer=JSONSerializer)
        job.restore(taken.record)
        running = self._records.begin(taken, job)
        resource = process.catalogue.named(str(job.args[0]))
        assert resource is not None
        client = job.meta.get(CLIENT)
        context = process.context(resource, Cause(taken.id, None, client))
        try:
            refresh(resource, replace(context), **job.kwargs)
        except RedisError:
            self._records.abandon(running)
        except Exception:
            self._records.abandon(running)
            raise
        else:
            self._records.end(running)
