"""The parts of a reader process on a real Redis, with no thread of their own: tests drive them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from redis import Redis

from reader.cache.check_schedule import Policy
from reader.cache.local_cache import LocalCache
from reader.cache.lookup import ReadPath
from reader.cache.synchronizer import Caretaker
from reader.cache.waiters import Arrivals
from reader.fleet.process_reporter import Observer
from reader.telemetry.access_log import AccessLog
from reader.telemetry.process_files import NodeCounts
from shared.queueing import RefreshQueue
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.builders import CATALOGUE, Clock

LOCAL_TTL = 50.0
KEEP = 600.0
PATIENCE = 30.0  # seconds before a test that hangs fails; none ever waits so long


class WatchedCaretaker(Caretaker):
    """Tells the test what it was told to do, and what it could not do."""

    def __init__(self, *arguments: Any, **known: Any) -> None:
        super().__init__(*arguments, **known)
        self.wanted: SimpleQueue[Resource] = SimpleQueue()
        self.subscriptions: SimpleQueue[None] = SimpleQueue()
        self.announcements: SimpleQueue[tuple[Resource | None, int]] = SimpleQueue()
        self.failures: SimpleQueue[Exception] = SimpleQueue()

    def look_soon(self, resource: Resource, request_id: str | None = None) -> None:
        super().look_soon(resource, request_id)
        self.wanted.put(resource)

    def subscribed(self) -> None:
        super().subscribed()
        self.subscriptions.put(None)

    def announced(self, resource: Resource | None, number: int) -> None:
        super().announced(resource, number)
        self.announcements.put((resource, number))

    def look_at_due(self) -> None:
        try:
            super().look_at_due()
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
    arrivals: Arrivals = field(default_factory=Arrivals)

    def __post_init__(self) -> None:
        self.store = Store(self.redis)
        self.local = LocalCache(self.max_bytes, next_look=Policy(LOCAL_TTL).next_look)
        self.observer = Observer(
            self.local,
            self.redis,
            node_counts=NodeCounts(None),
            access_log=AccessLog(0),
            port=5000,
            missing=lambda: 0,
        )
        self.caretaker = WatchedCaretaker(
            CATALOGUE,
            local=self.local,
            arrivals=self.arrivals,
            store=self.store,
            queue=RefreshQueue(self.redis, limit=self.queue_limit),
            totals=self.observer.totals,
            keep=KEEP,
            clock=self.clock,
        )
        self.read_path = self.make_read_path(self.store)

    def make_read_path(self, store: Store, local: LocalCache | None = None) -> ReadPath:
        """A read path with another store or local cache."""
        return ReadPath(
            local=local or self.local,
            store=store,
            caretaker=self.caretaker,
            arrivals=self.arrivals,
            miss_wait=self.miss_wait,
            max_waiting=self.max_waiting,
            clock=self.clock,
            stopwatch=self.stopwatch,
        )

    def look_until_waited_for(self, resource: Resource) -> None:
        """Return once a request has asked for a look at a resource."""
        while self.caretaker.wanted.get(timeout=PATIENCE) != resource:
            pass


def commands(redis: Redis, name: str) -> int:
    """How many commands of one name the server has served."""
    stats = redis.info("commandstats").get(f"cmdstat_{name}")
    return int(stats["calls"]) if stats else 0
