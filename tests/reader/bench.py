"""The components of a reader process without their threads: tests drive them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import local
from typing import Any

from redis import Redis

from reader.cache.check_schedule import CheckSchedule
from reader.cache.local_cache import LocalCache, Usage
from reader.cache.lookup import Lookup
from reader.cache.misses import Misses, WaitLimits
from reader.cache.refresh_requests import RefreshRequests, Requester
from reader.cache.synchronizer import Synchronizer
from reader.cache.waiters import Waiters
from reader.fleet.process_reporter import ProcessIdentity, ProcessReporter, ProcessState
from reader.telemetry.access_log import AccessLog
from reader.telemetry.counters import Counters
from reader.telemetry.process_files import ProcessFiles
from reader.telemetry.request_ids import RequestIds
from reader.telemetry.request_telemetry import RequestTelemetry
from reader.temporary_files import TemporaryFiles
from shared.clock import SYSTEM
from shared.clock import Clock as ClockRecord
from shared.queueing import AskResult, QueueLimits, RefreshQueue
from shared.redis.entry_state import EntryState
from shared.redis.scripts import Batch
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.builders import CATALOGUE, Clock

LOCAL_TTL = 50.0
KEEP = 600.0
CLIENT = "192.0.2.1"  # of requests that come from one client
PATIENCE = 30.0  # seconds before a test that hangs fails; none ever waits so long


class WatchedSynchronizer(Synchronizer):
    """Tells the test which calls it got, and which checks failed."""

    def __init__(self, *arguments: Any, **known: Any) -> None:
        super().__init__(*arguments, **known)
        self.wanted: SimpleQueue[Resource] = SimpleQueue()
        self.subscriptions: SimpleQueue[None] = SimpleQueue()
        self.announcements: SimpleQueue[tuple[Resource | None, int]] = SimpleQueue()
        self.failures: SimpleQueue[Exception] = SimpleQueue()

    def schedule_check(
        self, resource: Resource, request_id: str | None = None, *, is_requested: bool = True
    ) -> None:
        super().schedule_check(resource, request_id, is_requested=is_requested)
        self.wanted.put(resource)

    def subscribed(self) -> None:
        super().subscribed()
        self.subscriptions.put(None)

    def announced(self, resource: Resource | None, number: int) -> None:
        super().announced(resource, number)
        self.announcements.put((resource, number))

    def check_due(self) -> None:
        try:
            super().check_due()
        except Exception as error:
            self.failures.put(error)
            raise


class WatchedRequests(RefreshRequests):
    """Tells the test for what and for whom threads have requested refreshes."""

    def __init__(self, queue: RefreshQueue, counters: Counters) -> None:
        super().__init__(queue, counters)
        self.requested: SimpleQueue[tuple[Resource, str]] = SimpleQueue()
        self._first = local()

    def add_first(self, batch: Batch, resource: Resource, requester: Requester) -> None:
        self._first.request = (resource, requester.client)
        super().add_first(batch, resource, requester)

    def first_result(self, reply: Sequence[bytes]) -> AskResult | None:
        result = super().first_result(reply)
        if result is not None:
            self.requested.put(self._first.request)
        return result

    def request_for(
        self,
        resource: Resource,
        state: EntryState,
        requester: Requester,
        *,
        now: float,
        newer: bool = False,
    ) -> AskResult | None:
        result = super().request_for(resource, state, requester, now=now, newer=newer)
        self.requested.put((resource, requester.client))
        return result

    def join(self, resource: Resource, clients: Sequence[str]) -> None:
        super().join(resource, clients)
        for client in clients:
            self.requested.put((resource, client))


@dataclass
class Bench:
    """The components of one reader process."""

    redis: Redis
    max_bytes: int = 10_000_000
    queue_limits: QueueLimits = field(default_factory=QueueLimits)
    max_waiting: int = 100
    miss_wait: float = PATIENCE
    log_share: float = 0
    stopwatch: Callable[[], float] = lambda: 0.0
    clock: Clock = field(default_factory=Clock)
    waiters: Waiters = field(default_factory=Waiters)

    def __post_init__(self) -> None:
        self.store = Store(self.redis)
        self.local = LocalCache(
            self.max_bytes,
            keep=KEEP,
            next_check=CheckSchedule(LOCAL_TTL).next_check,
            withdrawn=lambda: self.store.withdrawals.known,
        )
        self.store.withdrawals.listen(self.local.show_anew)
        self.counters = Counters()
        self.telemetry = make_telemetry(
            self.counters, share=self.log_share, clock=self.clock, stopwatch=self.stopwatch
        )
        self.reporter = make_reporter(self.redis, self.telemetry)
        self.refresh_requests = WatchedRequests(
            RefreshQueue(self.redis, self.queue_limits), self.counters
        )
        self.synchronizer = WatchedSynchronizer(
            CATALOGUE,
            local=self.local,
            waiters=self.waiters,
            store=self.store,
            refresh_requests=self.refresh_requests,
            counters=self.counters,
            clock=self.clock,
        )
        self.lookup = self.make_lookup(self.store)

    def make_lookup(self, store: Store, local: LocalCache | None = None) -> Lookup:
        """A lookup with another store or local cache."""
        clock = ClockRecord(self.clock, self.stopwatch, SYSTEM.sleep)
        local = local or self.local
        misses = Misses(
            local=local,
            store=store,
            synchronizer=self.synchronizer,
            waiters=self.waiters,
            refresh_requests=self.refresh_requests,
            limits=WaitLimits(self.miss_wait, self.max_waiting),
            clock=clock,
        )
        return Lookup(local=local, synchronizer=self.synchronizer, misses=misses, clock=clock)

    def let_wait(self, resource: Resource, client: str = CLIENT) -> None:
        """Return once a thread has requested what a client waits for, and is about to wait."""
        while self.refresh_requests.requested.get(timeout=PATIENCE) != (resource, client):
            pass


def make_telemetry(
    counters: Counters | None = None,
    *,
    share: float = 0,
    clock: Callable[[], float] = Clock(),  # noqa: B008 - it never moves
    stopwatch: Callable[[], float] = lambda: 0.0,
) -> RequestTelemetry:
    """The telemetry of a process; its access log has a share of all requests."""
    access_log = AccessLog(share, clock=clock)
    ids = RequestIds("0123456789abcde")
    return RequestTelemetry(counters or Counters(), ids, access_log, stopwatch=stopwatch)


def make_reporter(redis: Redis, telemetry: RequestTelemetry, **known: Any) -> ProcessReporter:
    """The reporter of a process that holds nothing and has no siblings."""
    return ProcessReporter(
        ProcessIdentity("a.test:5000", 7),
        known.pop("state", lambda: ProcessState(Usage(0, 0), Usage(0, 0), 0, 0)),
        telemetry=telemetry,
        redis=redis,
        **{
            "process_files": ProcessFiles(None, pid=7, files=TemporaryFiles(SYSTEM)),
            "clock": Clock(),
            "stopwatch": lambda: 0.0,
            **known,
        },
    )


def commands(redis: Redis, name: str) -> int:
    """How many commands of one name the server has served."""
    stats = redis.info("commandstats").get(f"cmdstat_{name}")
    return int(stats["calls"]) if stats else 0
