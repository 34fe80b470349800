"""A reader process: its components, put together here and nowhere else.

The composition root: clocks, randomness and the environment enter here, and are handed on.
"""

import logging
import os
import resource
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from uuid import uuid4

from redis import Redis, RedisError

from reader.cache import segment_memory
from reader.cache.check_schedule import CheckSchedule
from reader.cache.local_cache import LocalCache
from reader.cache.lookup import Lookup
from reader.cache.misses import Misses, WaitLimits
from reader.cache.mounted_entries import MountedEntries
from reader.cache.refresh_requests import RefreshRequests
from reader.cache.segment_memory import SegmentMemory
from reader.cache.subscriber import Subscriber
from reader.cache.synchronizer import Synchronizer
from reader.cache.waiters import Waiters
from reader.changes.feed import ChangeFeed
from reader.changes.places import Places
from reader.file_shares import connections_wanted, file_shares
from reader.fleet.budget_watch import BudgetWatch
from reader.fleet.disclosure import public_fleet
from reader.fleet.hold_journal import HoldJournal
from reader.fleet.holds import Viewpoint, holds_of
from reader.fleet.process_reporter import ProcessIdentity, ProcessReporter, ProcessState
from reader.fleet.snapshot import FleetWatch
from reader.fleet.view import Fleet, TrackedView
from reader.response.rate_limits import RateLimits
from reader.response.rewriting import Rewriting, origins_of
from reader.telemetry import process_files
from reader.telemetry.access_log import AccessLog
from reader.telemetry.counters import Counters
from reader.telemetry.process_files import ProcessFiles
from reader.telemetry.request_ids import RequestIds
from reader.telemetry.request_telemetry import RequestTelemetry
from reader.temporary_files import TemporaryFiles, Use
from reader.webhooks.receiver import Webhooks
from shared.clock import SYSTEM, Clock, FleetClock
from shared.clock_skew import SkewLog
from shared.holds import Hold
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis.connection import connect
from shared.redis.lifetimes import Lifetimes
from shared.redis.store import Store
from shared.redis.trouble import Troubles, watch
from shared.redis.withdrawals import KnownWithdrawals
from shared.resources.catalogue import Catalogue
from shared.settings import Settings

log = logging.getLogger("reader")

# Threads that never wait for content, so that hits and health checks always find one.
SPARE_THREADS = 16
_PAUSE = 0.0002  # seconds between two steps of putting a large list together


@dataclass(frozen=True, kw_only=True)
class Components:
    """The components of one process; made after each fork, because threads do not survive it."""

    pid: int
    redis: Redis
    queue: RefreshQueue
    local: LocalCache
    lookup: Lookup
    mounts: MountedEntries
    pieces: SegmentMemory
    synchronizer: Synchronizer
    subscriber: Subscriber
    telemetry: RequestTelemetry
    reporter: ProcessReporter
    webhooks: Webhooks
    fleet: FleetWatch
    budget_watch: BudgetWatch
    holds: HoldJournal
    changes: ChangeFeed
    places: Places
    withdrawals: KnownWithdrawals
    troubles: Troubles
    files: TemporaryFiles

    @property
    def limits(self) -> RateLimits:
        """What responses tell clients of limits."""
        return self.budget_watch.limits


class ReaderProcess:
    """One reader process; it connects to nothing and starts no thread before its first use.

    Args:
        settings: of the process.
        own_clock: the process's own. What is served and stored is by Redis's clock, which is
            measured with it.
        stopwatch: returns seconds from any fixed point; never set back.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        own_clock: Clock = SYSTEM,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.settings = settings
        self.catalogue = Catalogue.of(settings)
        self.address = f"{socket.gethostname()}:{settings.port}"  # of its node
        self.fleet_clock = FleetClock(own_clock)
        self.clock = self.fleet_clock.now  # returns Unix time in seconds
        self.stopwatch = stopwatch
        self._lock = Lock()
        self._components: Components | None = None

    def start(self) -> Components:
        """The running components of this process; starts them if they do not run yet."""
        running = self._components
        if running is not None and running.pid == os.getpid():
            return running
        with self._lock:
            if self._components is None or self._components.pid != os.getpid():
                self._components = self._make()
                self._components.subscriber.start()
                self._components.synchronizer.start()
                self._components.reporter.start()
                self._components.budget_watch.start()
                self._components.holds.start()
            return self._components

    def stop(self) -> None:
        """End the threads of this process."""
        with self._lock:
            if self._components is not None:
                self._components.subscriber.stop()
                self._components.synchronizer.stop()
                self._components.mounts.stop()
                self._components.pieces.stop()
                self._components.reporter.stop()
                self._components.budget_watch.stop()
                self._components.holds.stop()
                self._components.changes.stop()
            self._components = None

    def tracked(self) -> list[TrackedView]:
        """The tracked resources as this process holds them."""
        local, now = self.start().local, self.clock()
        held = [(resource, local.peek(resource)) for resource in self.catalogue.tracked]
        return [
            TrackedView(resource, now, one.entry.metadata if one else None)
            for resource, one in held
        ]

    def fleet(self) -> Fleet | None:
        """The whole fleet; None while Redis is unavailable, without a wait once that is known."""
        components = self.start()
        if components.synchronizer.away_since is not None:
            return None
        try:
            return components.fleet.snapshot()
        except (RedisError, TimeoutError):
            return None

    def public_holds(self, fleet: Fleet | None) -> Sequence[Hold]:
        """What holds something back, as everybody may see it.

        Args:
            fleet: from Redis; None while Redis is unavailable.
        """
        parts = self.start()
        known = (parts.synchronizer.away_since, parts.troubles.refusing)
        shown = None if fleet is None else public_fleet(fleet)
        return holds_of(shown, Viewpoint(self.settings, *known))

    def _holds(self) -> Sequence[Hold] | None:
        """What holds the fleet and tracked resources back; None while Redis is unavailable.

        Each refresh of content on demand is logged, and what is requested most changes.
        """
        fleet = self.fleet()
        if fleet is None:
            return None
        viewpoint = Viewpoint(self.settings, is_operator=True)
        return holds_of(replace(fleet, on_demand=()), viewpoint)

    def _make_local(self, withdrawals: KnownWithdrawals) -> LocalCache:
        settings = self.settings
        local = LocalCache(
            settings.local_max_bytes,
            keep=settings.on_demand_keep,
            next_check=CheckSchedule(settings.local_ttl).next_check,
            withdrawn=lambda: withdrawals.known,
        )
        withdrawals.listen(local.show_anew)
        return local

    def _make(self) -> Components:
        catalogue, (redis, troubles) = self.catalogue, self._connect()
        withdrawals = KnownWithdrawals(redis, self.clock)
        files = TemporaryFiles(SYSTEM)
        local = self._make_local(withdrawals)
        pieces = self._make_pieces(files)
        store = self._make_store(redis, pieces, withdrawals)
        queue = RefreshQueue(redis, QueueLimits.of(self.settings))
        counters, waiters = Counters(), Waiters()
        requests = RefreshRequests(queue, counters)
        synchronizer = Synchronizer(
            catalogue,
            local=local,
            waiters=waiters,
            store=store,
            refresh_requests=requests,
            counters=counters,
            clock=self.clock,
        )
        lookup = self._make_lookup(local, store, synchronizer, waiters, requests)
        telemetry = self._make_telemetry(counters)
        places = self._make_places()
        state = self._make_state(local, lookup, places, troubles, files)
        return Components(
            pid=os.getpid(),
            redis=redis,
            queue=queue,
            local=local,
            lookup=lookup,
            mounts=self._make_mounts(pieces),
            pieces=pieces,
            synchronizer=synchronizer,
            subscriber=Subscriber(redis, catalogue=catalogue, synchronizer=synchronizer),
            telemetry=telemetry,
            reporter=self._make_reporter(telemetry, state, redis, files),
            webhooks=self._make_webhooks(redis, queue),
            fleet=FleetWatch(redis, catalogue, store=store, clock=self.clock),
            budget_watch=self._make_budget_watch(redis),
            holds=HoldJournal(redis, self._holds, clock=self.clock),
            changes=self._make_changes(redis, local, withdrawals),
            places=places,
            withdrawals=withdrawals,
            troubles=troubles,
            files=files,
        )

    def _make_lookup(
        self,
        local: LocalCache,
        store: Store,
        synchronizer: Synchronizer,
        waiters: Waiters,
        requests: RefreshRequests,
    ) -> Lookup:
        threads = self.settings.reader_threads - SPARE_THREADS
        clock = Clock(self.clock, self.stopwatch, SYSTEM.sleep)
        misses = Misses(
            local=local,
            store=store,
            synchronizer=synchronizer,
            waiters=waiters,
            refresh_requests=requests,
            limits=WaitLimits(self.settings.miss_wait, threads),
            clock=clock,
        )
        return Lookup(local=local, synchronizer=synchronizer, misses=misses, clock=clock)

    def _connect(self) -> tuple[Redis, Troubles]:
        """A client, and what is wrong with its Redis."""
        redis = connect(self.settings)
        troubles = Troubles(log, Clock(self.clock, self.stopwatch, SYSTEM.sleep))
        watch(redis, troubles.note)
        return redis, troubles

    def _make_places(self) -> Places:
        return Places(self.settings.changes_followers, self.settings.client_max_followers)

    def _make_webhooks(self, redis: Redis, queue: RefreshQueue) -> Webhooks:
        settings = self.settings
        return Webhooks(
            redis,
            queue,
            self.catalogue,
            settings.webhook_secrets,
            remember=settings.longest_held,
        )

    def _make_pieces(self, files: TemporaryFiles) -> SegmentMemory:
        folder = os.environ.get(segment_memory.FOLDER)
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most == resource.RLIM_INFINITY:
            most = sys.maxsize
        shares = file_shares(most, connections=connections_wanted(self.settings))
        if folder == "":
            files.failed(Use.SEGMENTS)
        return SegmentMemory(
            Path(folder) if folder else None, clock=SYSTEM, most_files=shares.segments, files=files
        )

    def _make_changes(
        self, redis: Redis, local: LocalCache, withdrawals: KnownWithdrawals
    ) -> ChangeFeed:
        feed = ChangeFeed(
            redis,
            catalogue=self.catalogue,
            local=local,
            clock=self.clock,
            withdrawn=lambda: withdrawals.known,
        )
        withdrawals.listen(feed.forget_withdrawn)
        return feed

    def _make_store(
        self, redis: Redis, pieces: SegmentMemory, withdrawals: KnownWithdrawals
    ) -> Store:
        return Store(
            redis,
            clock=self.fleet_clock,
            lifetimes=Lifetimes.of(self.settings),
            pieces=pieces,
            pause=partial(SYSTEM.sleep, _PAUSE),
            withdrawals=withdrawals,
        )

    def _make_mounts(self, pieces: SegmentMemory) -> MountedEntries:
        return MountedEntries(
            Rewriting(origins_of(self.settings.github_api_url)),
            max_bytes=self.settings.local_max_bytes,
            clock=Clock(self.clock, self.stopwatch, SYSTEM.sleep),
            pieces=pieces,
        )

    def _make_budget_watch(self, redis: Redis) -> BudgetWatch:
        limits = RateLimits(reserve=self.settings.budget_reserve, clock=self.clock)
        return BudgetWatch(redis, limits, clock=self.clock)

    def _make_telemetry(self, counters: Counters) -> RequestTelemetry:
        return RequestTelemetry(
            counters,
            RequestIds(uuid4().hex[:15]),
            AccessLog(self.settings.access_log, clock=self.clock),
            stopwatch=self.stopwatch,
        )

    def _make_state(
        self,
        local: LocalCache,
        lookup: Lookup,
        places: Places,
        troubles: Troubles,
        files: TemporaryFiles,
    ) -> Callable[[], ProcessState]:
        skew_log = SkewLog(self.fleet_clock, log)

        def state() -> ProcessState:
            troubles.end_if_over()
            return ProcessState(
                *local.usage(),
                missing=len(local.missing(self.catalogue.tracked)),
                waiting=lookup.waiting,
                skew=skew_log.check(),
                followers=places.taken,
                files=files.failing,
            )

        return state

    def _make_reporter(
        self,
        telemetry: RequestTelemetry,
        state: Callable[[], ProcessState],
        redis: Redis,
        files: TemporaryFiles,
    ) -> ProcessReporter:
        folder, pid = os.environ.get(process_files.FOLDER), os.getpid()
        if folder == "":
            files.failed(Use.COUNTS)
        return ProcessReporter(
            ProcessIdentity(self.address, pid),
            state,
            telemetry=telemetry,
            process_files=ProcessFiles(Path(folder) if folder else None, pid=pid, files=files),
            redis=redis,
            clock=self.clock,
            stopwatch=self.stopwatch,
        )
