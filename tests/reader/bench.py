"""The parts of a reader process on a real Redis, with no thread of their own: tests drive them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from redis import Redis

from reader.cache.check_schedule import CheckSchedule
from reader.cache.local_cache import LocalCache
from reader.cache.lookup import Lookup
from reader.cache.synchronizer import Synchronizer
from reader.cache.waiters import Waiters
from reader.fleet.process_reporter import ProcessReporter
from reader.telemetry.access_log import AccessLog
from reader.telemetry.process_files import ProcessFiles
from shared.queueing import RefreshQueue
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.builders import CATALOGUE, Clock

LOCAL_TTL = 50.0
KEEP = 600.0
PATIENCE = 30.0  # seconds before a test that hangs fails; none ever waits so long


class WatchedSynchronizer(Synchronizer):
    """Tells the test what it was told to do, and what it could not do."""

    def __init__(self, *arguments: Any, **known: Any) -> None:
        super().__init__(*arguments, **known)
        self.wanted: SimpleQueue[Resource] = SimpleQueue()
        self.subscriptions: SimpleQueue[None] = SimpleQueue()
        self.announcements: SimpleQueue[tuple[Resource | None, int]] = SimpleQueue()
        self.failures: SimpleQueue[Exception] = SimpleQueue()

    def schedule_check(self, resource: Resource, request_id: str | None = None) -> None:
        super().schedule_check(resource, request_id)
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


@dataclass
class Bench:
    """One reader's parts."""

    redis: Redis
    max_bytes: int = 10_000_000
    queue_limit: int = 1000
    max_waiting: int = 100
    miss_wait: float = PATIENCE
    stopwatch: Callable[[], float] = lambda: 0.0
    clock: Clock = field(default_factory=Clock)
    waiters: Waiters = field(default_factory=Waiters)

    def __post_init__(self) -> None:
        self.store = Store(self.redis)
        self.local = LocalCache(self.max_bytes, next_check=CheckSchedule(LOCAL_TTL).next_check)
        self.reporter = ProcessReporter(
            self.local,
            self.redis,
            process_files=ProcessFiles(None),
            access_log=AccessLog(0),
            port=5000,
            missing=lambda: 0,
        )
        self.synchronizer = WatchedSynchronizer(
            CATALOGUE,
            local=self.local,
            waiters=self.waiters,
            store=self.store,
            queue=RefreshQueue(self.redis, limit=self.queue_limit),
            counters=self.reporter.counters,
            keep=KEEP,
            clock=self.clock,
        )
        self.lookup = self.make_read_path(self.store)

    def make_read_path(self, store: Store, local: LocalCache | None = None) -> Lookup:
        """A read path with another store or local cache."""
        return Lookup(
            local=local or self.local,
            store=store,
            synchronizer=self.synchronizer,
            waiters=self.waiters,
            miss_wait=self.miss_wait,
            max_waiting=self.max_waiting,
            clock=self.clock,
            stopwatch=self.stopwatch,
        )

    def look_until_waited_for(self, resource: Resource) -> None:
        """Return once a request has asked for a look at a resource."""
        while self.synchronizer.wanted.get(timeout=PATIENCE) != resource:
            pass


def commands(redis: Redis, name: str) -> int:
    """How many commands of one name the server has served."""
    stats = redis.info("commandstats").get(f"cmdstat_{name}")
    return int(stats["calls"]) if stats else 0
