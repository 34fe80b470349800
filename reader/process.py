"""A reader node: the parts of one reader process, put together."""

import os
import time
from dataclasses import dataclass
from threading import Lock

from redis import Redis, RedisError

from reader.cache.check_schedule import Policy
from reader.cache.local_cache import LocalCache
from reader.cache.lookup import ReadPath
from reader.cache.subscriber import Listener
from reader.cache.synchronizer import Caretaker
from reader.cache.waiters import Arrivals
from reader.fleet.process_reporter import Observer
from reader.fleet.snapshot import Fleet, FleetWatch, TrackedView
from reader.telemetry.access_log import AccessLog
from reader.telemetry.process_files import NodeCounts
from reader.webhooks.receiver import Webhooks
from shared.queueing import RefreshQueue
from shared.redis.connection import connect
from shared.redis.store import Store
from shared.resources.resource import Catalogue, Resource
from shared.settings import Settings

# Threads that never wait for content, so that hits and health checks always find one.
SPARE_THREADS = 16


@dataclass(frozen=True)
class Parts:
    """What runs in one process; made anew in each, since threads do not survive a fork."""

    pid: int
    read_path: ReadPath
    local: LocalCache
    caretaker: Caretaker
    listener: Listener
    webhooks: Webhooks
    observer: Observer
    fleet: FleetWatch
    queue: RefreshQueue
    redis: Redis


class Node:
    """One reader process: finds content for requests, and starts its threads when first used.

    Args:
        settings: of the process.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalogue = Catalogue(settings.orgs, include_private=settings.include_private)
        self._lock = Lock()
        self._parts: Parts | None = None

    def start(self) -> Parts:
        """The running parts of this process; starts them where they do not run yet."""
        parts = self._parts
        if parts is not None and parts.pid == os.getpid():
            return parts
        with self._lock:
            if self._parts is None or self._parts.pid != os.getpid():
                self._parts = self._make()
                self._parts.listener.start()
                self._parts.caretaker.start()
                self._parts.observer.start()
            return self._parts

    def stop(self) -> None:
        """End the threads of this process."""
        with self._lock:
            if self._parts is not None:
                self._parts.listener.stop()
                self._parts.caretaker.stop()
                self._parts.observer.stop()
            self._parts = None

    @property
    def read_path(self) -> ReadPath:
        """Where content is found."""
        return self.start().read_path

    @property
    def observer(self) -> Observer:
        """What counts and logs the requests of this process."""
        return self.start().observer

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
        if parts.caretaker.away_since is not None:
            return None
        try:
            return parts.fleet.look()
        except (RedisError, TimeoutError):
            return None

    def _missing_in(self, local: LocalCache) -> list[Resource]:
        return [resource for resource in self.catalogue.tracked if local.peek(resource) is None]

    def _make(self) -> Parts:
        settings = self.settings
        redis = connect(settings)
        store = Store(redis)
        queue = RefreshQueue(redis, limit=settings.queue_max)
        arrivals = Arrivals()
        local = LocalCache(settings.local_max_bytes, next_look=Policy(settings.local_ttl).next_look)
        observer = Observer(
            local,
            redis,
            node_counts=NodeCounts.of_process(),
            access_log=AccessLog(settings.access_log),
            port=settings.port,
            missing=lambda: len(self._missing_in(local)),
        )
        caretaker = Caretaker(
            self.catalogue,
            local=local,
            arrivals=arrivals,
            store=store,
            queue=queue,
            totals=observer.totals,
            keep=settings.on_demand_keep,
            clock=time.time,
        )
        read_path = ReadPath(
            local=local,
            store=store,
            caretaker=caretaker,
            arrivals=arrivals,
            miss_wait=settings.miss_wait,
            max_waiting=settings.reader_threads - SPARE_THREADS,
            clock=time.time,
            stopwatch=time.monotonic,
        )
        observer.waiting = lambda: read_path.waiting
        listener = Listener(redis, catalogue=self.catalogue, caretaker=caretaker)
        webhooks = Webhooks(redis, queue, self.catalogue, settings.webhook_secrets)
        return Parts(
            os.getpid(),
            read_path,
            local,
            caretaker,
            listener,
            webhooks,
            observer,
            FleetWatch(redis, self.catalogue),
            queue,
            redis,
        )
