"""One refresher process: what all its refreshes share, put together here and nowhere else.

The composition root: clocks, randomness and the environment enter here, and are handed on.
"""

import ctypes
import gc
import logging
import os
import random
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Event, Lock
from uuid import uuid4

from redis import RedisError

from refresher.context import RefreshContext, RefreshPolicy
from refresher.deliveries.everything import Everything
from refresher.deliveries.healer import Healer, Surroundings
from refresher.deliveries.hook_api import HookApi
from refresher.deliveries.record import Record
from refresher.deliveries.sources import HookAddress, Source, sources_of
from refresher.drift.checks import CheckPolicy, DriftChecks
from refresher.drift.samples import Samples
from refresher.github.auth.credentials import Credential
from refresher.github.auth.pool import credentials_of
from refresher.github.budget import Budget, Share
from refresher.github.client import GitHubClient
from refresher.github.exchange import Exchange
from refresher.github.transport import Transport
from refresher.lock.large_list_limit import LargeListLimit, large_at_once
from refresher.lock.refresh_lock import RefreshLocks
from refresher.lock.start_conditions import StartConditions
from refresher.reporting.meter import Expenses, Meter
from refresher.reporting.reporter import Cause, Reporter
from refresher.spacing import Spacing
from refresher.storage.storage import Storage
from refresher.visibility.privileges import Privileges
from shared.budgets import paused_until
from shared.clock import FLEET, FleetClock
from shared.clock_skew import SkewLog
from shared.measures import Measure
from shared.outcomes import DriftCheck
from shared.queueing import RefreshQueue
from shared.redis import keys
from shared.redis.connection import connect, connect_to_lock_masters
from shared.redis.trouble import Troubles, watch
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.settings import Settings, load_or_exit
from shared.time_bounds import time_of

log = logging.getLogger("refresher")

# Seconds after which a thread that computes lets another one run. With Python's 5 ms, each of the
# round trips of a small refresh would wait so long while a large list is split.
_SWITCH_INTERVAL = 0.001
# Allocations between two garbage collections, of young and of older objects.
_COLLECTED_AFTER = (20_000, 20, 20)
_M_ARENA_MAX = -8  # of mallopt(3)
_LEASE_MARGIN = 10.0  # seconds beside a request to GitHub, within which a lease is extended


class RefresherProcess:
    """What the refreshes of one process share; made after each fork.

    Args:
        settings: of the process.
        watchdog: called about once a second while a lock is held.
        fleet_clock: Redis's clock, as this process knows it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        watchdog: Callable[[], None],
        fleet_clock: FleetClock = FLEET,
    ) -> None:
        self.pid = os.getpid()
        self.settings = settings
        self.catalogue = Catalogue.of(settings)
        self.fleet_clock = fleet_clock
        self.clock = self.fleet_clock.clock
        self.troubles = Troubles(log, self.clock)
        self.redis = connect(settings)
        watch(self.redis, self.troubles.note)
        self._masters = connect_to_lock_masters(settings)
        self._stopping = Event()
        self.skew_log = SkewLog(self.fleet_clock, log)
        self.storage = Storage.of(self.redis, settings, clock=self.fleet_clock)
        self.meter = Meter(self.redis, self.clock, is_batched=not is_work_horse())
        self._transport = Transport(settings, clock=self.clock)
        self._budget = Budget(
            self.redis,
            settings,
            credentials_of(self._transport, self.redis, clock=self.clock),
            clock=self.clock,
            new_id=lambda: uuid4().hex,
            should_stop=self._stopping.is_set,
        )
        if not is_work_horse():
            self._budget.start()
        self._locks = RefreshLocks(
            self.redis,
            lifetime=settings.lock_ttl,
            clock=self.clock,
            masters=self._masters,
            watchdog=watchdog,
        )
        refreshes = 1 if is_work_horse() else settings.refresh_concurrency
        large_lists = LargeListLimit(self.redis, large_at_once(refreshes))
        self._conditions = StartConditions(self._locks, large_lists)
        self._policy = RefreshPolicy.of(settings, chance=random.random)

    @property
    def credentials(self) -> Sequence[Credential]:
        """All credentials; only the anonymous one if none are configured."""
        return self._budget.credentials

    def context(self, resource: Resource, cause: Cause) -> RefreshContext:
        """Everything that one refresh needs.

        Args:
            resource: to refresh.
            cause: what caused the job.
        """
        privileges = Privileges(self.redis, self.settings.privileged_credentials, clock=self.clock)
        expenses = Expenses()

        def observe(exchange: Exchange) -> None:
            self.meter.observe(exchange)
            expenses.observe(exchange)
            privileges.observe(exchange)

        keep = self.settings.on_demand_keep + self.settings.on_demand_ttl
        return RefreshContext(
            self.storage,
            GitHubClient(
                self._transport,
                self._budget.limiter(Share.TRACKED if resource.tracked else Share.ON_DEMAND),
                observe=observe,
                clock=self.clock,
            ),
            self._conditions,
            Reporter(
                self.redis,
                self.meter,
                expenses,
                self.clock,
                keep_s=int(keep) + 1,
                spacing=Spacing(self.settings.origin_points_per_minute),
                cause=cause,
            ),
            privileges,
            self._policy,
            self.clock,
            self._stopping.is_set,
        )

    def healer(self, queue: RefreshQueue) -> Healer:
        """What looks for lost deliveries of GitHub's webhooks.

        Args:
            queue: of refreshes.
        """
        settings, redis = self.settings, self.redis
        remember = settings.on_demand_ttl + settings.on_demand_keep
        return Healer(
            Record(redis, uuid4().hex, lease=settings.origin_deadline + _LEASE_MARGIN),
            {
                source: partial(self._hook_api, source)
                for source in sources_of(settings, clock=self.clock)
            },
            HookAddress(settings),
            Everything(redis, self.catalogue, queue, remember=remember),
            interval=settings.redelivery_interval,
            surroundings=Surroundings(
                self.clock.now,
                self._stopping.wait,
                self._stopping.is_set,
                self._is_paused,
                lambda fate, number: self.meter.count(Measure.DELIVERIES, fate, by=number),
            ),
        )

    def _hook_api(self, source: Source) -> HookApi:
        def count(status: int) -> None:
            self.meter.count(Measure.ORIGIN_REQUESTS, str(status or "none"))

        return HookApi(self._transport, source.authorization, count=count, clock=self.clock)

    def _is_paused(self) -> bool:
        """Whether an operator or GitHub has paused all requests; may raise `redis.RedisError`."""
        with self.redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(keys.PAUSE)
            pipeline.mget(keys.RESUMED)
            pause, (resumed,) = pipeline.execute()
        until = paused_until(pause, resumed=time_of(resumed), now=self.clock.now())
        return until > 0 or self.storage.store.pulse().is_suspended

    def drift_checks(self, queue: RefreshQueue) -> DriftChecks:
        """The comparisons of what is stored with GitHub, out of the share of on-demand content.

        Args:
            queue: of refreshes.
        """
        settings, store = self.settings, self.storage.store
        privileges = Privileges(self.redis, settings.privileged_credentials, clock=self.clock)

        def observe(exchange: Exchange) -> None:
            self.meter.observe(exchange)
            privileges.observe(exchange)

        return DriftChecks(
            self.storage,
            Samples(self.redis, self.catalogue, store, random.random),
            queue,
            origin=GitHubClient(
                self._transport,
                self._budget.limiter(Share.ON_DEMAND),
                observe=observe,
                clock=self.clock,
            ),
            note=self._note_drift_check,
            policy=CheckPolicy(
                settings.drift_check_interval,
                self._policy.lifetimes,
                new_id=lambda: uuid4().hex,
                clock=self.clock,
            ),
        )

    def _note_drift_check(self, resource: Resource, result: DriftCheck) -> None:
        self.meter.count(Measure.DRIFT_CHECKS, result)
        self.meter.spend(resource, None, 1)

    def mend(self) -> None:
        """Remove damaged values from Redis, if that is due; may raise `redis.RedisError`."""
        self.storage.mender.step(is_met=self.troubles.take_damage(), masters=self._masters)

    def stop(self) -> None:
        """Let refreshes end that wait, or that read a long list: the process is shutting down."""
        self._stopping.set()

    def keep_places(self) -> None:
        """Keep the places of requests to GitHub under way; without Redis, they expire."""
        with suppress(RedisError):
            self._budget.renew()

    def flush(self) -> None:
        """Write what was counted and reported."""
        self.meter.flush()

    def close(self) -> None:
        """Settle what has not been settled, and close all connections."""
        self._budget.close()
        self._locks.close()
        self._transport.close()
        self.redis.close()
        for master in self._masters:
            master.close()


_lock = Lock()


@dataclass
class _Process:
    """This process.

    Args:
        components: None before they are made.
        server: id of the process in which `serve` was called; None if it was not.
    """

    components: RefresherProcess | None = None
    server: int | None = None


_process = _Process()


def serve() -> RefresherProcess:
    """The components of this process, for a worker that runs many jobs in it.

    Also sets the thread switch interval and the garbage collector of the process.
    """
    _process.server = os.getpid()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    components = current()
    # What is loaded stays; otherwise each full collection would stop all refreshes to look at it.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTED_AFTER)
    _limit_arenas()
    return components


def is_work_horse() -> bool:
    """Whether this process was forked by RQ's own worker for one job."""
    return _process.server != os.getpid()


def current() -> RefresherProcess:
    """The components of this process; makes them if there are none.

    Raises:
        SystemExit: a setting is invalid.
    """
    with _lock:
        made = _process.components
        if made is None or made.pid != os.getpid():
            watchdog = _end_with_parent() if is_work_horse() else _do_nothing
            made = _process.components = RefresherProcess(load_or_exit(), watchdog=watchdog)
        return made


def close() -> None:
    """Close and forget the components of this process."""
    with _lock:
        if _process.components is not None:
            _process.components.close()
        _process.components = None


def _end_with_parent() -> Callable[[], None]:
    """A check that ends this work horse if its RQ worker is gone.

    Nothing else would end the work horse if it hangs. Without the check, a worker that was killed,
    or a Ctrl-C that ran out of patience, would leave an orphan behind. Its lock expires, and
    another worker takes over.
    """
    parent = os.getppid()

    def check() -> None:
        if os.getppid() != parent:
            os._exit(1)

    return check


def _limit_arenas() -> None:
    """Let all threads share two arenas of memory, where the C library is glibc.

    By itself glibc gives up to eight to each core, and hardly returns memory from them: fifty
    threads would keep half as much again as the whole process needs.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _do_nothing() -> None:
    pass
