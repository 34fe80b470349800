"""A reader node: the parts of one reader process, put together."""

import os
import time
from dataclasses import dataclass
from threading import Lock

from redis import Redis, RedisError

from reader.cache.check_schedule import CheckSchedule
from reader.cache.local_cache import LocalCache
from reader.cache.lookup import Lookup
from reader.cache.subscriber import Subscriber
from reader.cache.synchronizer import Synchronizer
from reader.cache.waiters import Waiters
from reader.fleet.process_reporter import ProcessReporter
from reader.fleet.snapshot import Fleet, FleetWatch, TrackedView
from reader.telemetry.access_log import AccessLog
from reader.telemetry.process_files import ProcessFiles
from reader.webhooks.receiver import Webhooks
from shared.queueing import RefreshQueue
from shared.redis.connection import connect
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.settings import Settings

# Threads that never wait for content, so that hits and health checks always find one.
SPARE_THREADS = 16


@dataclass(frozen=True)
class Components:
    """What runs in one process; made anew in each, since threads do not survive a fork."""

    pid: int
    lookup: Lookup
    local: LocalCache
    synchronizer: Synchronizer
    subscriber: Subscriber
    webhooks: Webhooks
    reporter: ProcessReporter
    fleet: FleetWatch
    queue: RefreshQueue
    redis: Redis


class ReaderProcess:
    """One reader process: finds content for requests, and starts its threads when first used.

    Args:
        settings: of the process.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalogue = Catalogue.of(settings)
        self._lock = Lock()
        self._parts: Components | None = None

    def start(self) -> Components:
        """The running parts of this process; starts them where they do not run yet."""
        parts = self._parts
        if parts is not None and parts.pid == os.getpid():
            return parts
        with self._lock:
            if self._parts is None or self._parts.pid != os.getpid():
                self._parts = self._make()
                self._parts.subscriber.start()
                self._parts.synchronizer.start()
                self._parts.reporter.start()
            return self._parts

    def stop(self) -> None:
        """End the threads of this process."""
        with self._lock:
            if self._parts is not None:
                self._parts.subscriber.stop()
                self._parts.synchronizer.stop()
                self._parts.reporter.stop()
            self._parts = None

    @property
    def lookup(self) -> Lookup:
        """Where content is found."""
        return self.start().lookup

    @property
    def reporter(self) -> ProcessReporter:
        """What counts and logs the requests of this process."""
        return self.start().reporter

    def missing(self) -> list[Resource]:
        """The tracked resources that cannot be served from this process's memory yet."""
        return self._missing_in(self.start().local)

    def tracked(self) -> list[TrackedView]:
        """The tracked resources as this process holds them."""
        parts, now = self.start(), time.time()
        held = [(resource, parts.local.peek(resource)) for resource in self.catalogue.tracked]
        return [
            TrackedView(resource, now, one.entry.metadata if one else None)
            for resource, one in held
        ]

    def fleet(self) -> Fleet | None:
        """The whole fleet; None while Redis is away, without waiting for it once that is known."""
        parts = self.start()
        if parts.synchronizer.away_since is not None:
            return None
        try:
            return parts.fleet.snapshot()
        except (RedisError, TimeoutError):
            return None

    def _missing_in(self, local: LocalCache) -> list[Resource]:
        return [resource for resource in self.catalogue.tracked if local.peek(resource) is None]

    def _make(self) -> Components:
        settings = self.settings
        redis = connect(settings)
        store = Store(redis)
        queue = RefreshQueue(redis, limit=settings.queue_max)
        waiters = Waiters()
        local = LocalCache(
            settings.local_max_bytes, next_check=CheckSchedule(settings.local_ttl).next_check
        )
        reporter = ProcessReporter(
            local,
            redis,
            process_files=ProcessFiles.of_process(),
            access_log=AccessLog(settings.access_log),
            port=settings.port,
            missing=lambda: len(self._missing_in(local)),
        )
        synchronizer = Synchronizer(
            self.catalogue,
            local=local,
            waiters=waiters,
            store=store,
            queue=queue,
            counters=reporter.counters,
            keep=settings.on_demand_keep,
            clock=time.time,
        )
        lookup = Lookup(
            local=local,
            store=store,
            synchronizer=synchronizer,
            waiters=waiters,
            miss_wait=settings.miss_wait,
            max_waiting=settings.reader_threads - SPARE_THREADS,
            clock=time.time,
            stopwatch=time.monotonic,
        )
        reporter.waiting = lambda: lookup.waiting
        subscriber = Subscriber(redis, catalogue=self.catalogue, synchronizer=synchronizer)
        webhooks = Webhooks(redis, queue, self.catalogue, settings.webhook_secrets)
        return Components(
            os.getpid(),
            lookup,
            local,
            synchronizer,
            subscriber,
            webhooks,
            reporter,
            FleetWatch(redis, self.catalogue),
            queue,
            redis,
        )
