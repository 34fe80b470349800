"""A snapshot of the whole fleet from Redis: the data of `/status`, `/metrics` and the CLI."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import cast

from redis import Redis
from rq.cron_scheduler_registry import get_registry_key as registry_key

from reader.cache.single_flight import SingleFlight
from reader.fleet.heartbeats import popular, readers
from reader.fleet.hold_facts import NO_FACTS, hold_facts
from reader.fleet.queue_view import queue_view
from reader.fleet.redis_state import Parts, redis_state
from reader.fleet.resource_views import resource_views
from reader.fleet.view import (
    NO_MEASURES,
    NOTHING_SPENT,
    Fleet,
    OnDemandView,
    OriginView,
    TrackedView,
)
from reader.fleet.workers import workers
from reader.webhooks.delivery_log import last_deliveries
from shared import budgets, drift, lost_deliveries, measures, mended, refresh_report, spending
from shared.point_buckets import levels_now, sizes_now
from shared.redis import keys
from shared.redis.store import Store
from shared.refresh_report import UNKNOWN_FIELDS_KEPT_S
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.stored_numbers import number_of
from shared.time_bounds import time_of

_POPULAR = 20  # on-demand resources in a snapshot
_SPENDERS = 10  # paths, and clients
_MAX_AGE = 1.0  # seconds that a snapshot is shared by all callers
_MAX_WAIT = 15.0  # seconds that a caller waits for another one's snapshot
_SCHEDULER_SILENCE = 150  # seconds without a heartbeat until it counts as gone; one is due a minute
_LOST_FOR = 24 * 3600  # seconds for which a scheduler that has died is told of
_NOTHING_TOLD: Mapping[str, float] = {}


class FleetWatch:
    """Takes snapshots; callers within the same second share one.

    Args:
        redis: a client.
        catalogue: the tracked resources.
        store: reads entries; by default one that believes what they say of their freshness.
        clock: returns Unix time in seconds.
    """

    def __init__(
        self,
        redis: Redis,
        catalogue: Catalogue,
        *,
        store: Store | None = None,
        clock: Callable[[], float],
    ) -> None:
        self._redis = redis
        self._catalogue = catalogue
        self._clock = clock
        self._store = Store(redis) if store is None else store
        self._flights: SingleFlight[Fleet] = SingleFlight()
        self._last: Fleet | None = None
        self._lock = Lock()

    def snapshot(self) -> Fleet:
        """The fleet as of at most a second ago.

        Raises:
            redis.RedisError: Redis is unavailable.
            TimeoutError: another thread's snapshot takes too long.
        """
        with self._lock:
            last = self._last
        if last is not None and 0 <= self._clock() - last.now < _MAX_AGE:
            return last
        return self._flights.do("fleet", self._take, timeout=_MAX_WAIT)

    def discard(self) -> None:
        """Discard the last snapshot: something has just changed."""
        with self._lock:
            self._last = None

    def views(self, resources: Sequence[Resource], *, now: float) -> list[TrackedView]:
        """The state of resources; may raise `redis.RedisError`."""
        return resource_views(self._redis, self._store, resources, now=now)

    def _take(self) -> Fleet:
        fleet = self._gather(self._clock())
        with self._lock:
            self._last = fleet
        return fleet

    def _gather(self, now: float) -> Fleet:
        redis, parts = self._redis, Parts()
        nothing: Sequence[tuple[str, int]] = ()
        most_requested = parts.read(
            "popular names", lambda: popular(redis, now=now, count=_POPULAR), nothing
        )
        named = [(self._catalogue.named(name), name, times) for name, times in most_requested]
        on_demand = [(found, name, times) for found, name, times in named if found is not None]
        tracked = self._catalogue.tracked
        views = self.views([*tracked, *(found for found, _, _ in on_demand)], now=now)
        fleet = self._gather_processes(self._gather_hashes(Fleet(now), parts), parts)
        return replace(
            fleet,
            tracked=views[: len(tracked)],
            on_demand=[
                OnDemandView(name, times, view)
                for (_, name, times), view in zip(on_demand, views[len(tracked) :], strict=True)
            ],
            damaged=tuple(parts.damaged),
        )

    def _gather_hashes(self, fleet: Fleet, parts: Parts) -> Fleet:
        """Add what is read in one round trip."""
        now, nothing = fleet.now, dict[bytes, bytes]()
        pulse = self._store.pulse()
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.mget(keys.SUSPENDED, keys.RESUMED)
            pipeline.hgetall(keys.PAUSE)
            pipeline.hgetall(keys.POINTS)
            pipeline.hgetall(keys.ORIGIN)
            pipeline.hgetall(keys.UNKNOWN_FIELDS)
            pipeline.zcard(keys.LOOKS)
            pipeline.get(keys.REDELIVERY_REPORT)
            (since, resumed), *hashes, looks, lost = pipeline.execute(raise_on_error=False)
        names = ("pause", "points", "origin", "unknown fields")
        pause, points, origin, unknown = (
            parts.whole(reply, nothing, name) for reply, name in zip(hashes, names, strict=True)
        )
        return replace(
            fleet,
            suspended=pulse.is_suspended,
            suspended_since=None if since is None else time_of(since),
            origin=_origin(origin),
            origin_paused_until=budgets.paused_until(pause, resumed=time_of(resumed), now=now),
            origin_paused_since=min(time_of(pause.get(b"at")), now),
            points=parts.read("points", lambda: levels_now(points, now=now), None),
            point_sizes=parts.read("points", lambda: sizes_now(points), None),
            unknown_fields=_seen_lately(unknown, now),
            looks=int(parts.whole(looks, 0, "looks")),
            withdrawn=self._store.withdrawals.known.number(now),
            withdrawn_at=self._store.withdrawals.known.recent(now),
            redelivery=lost_deliveries.parse(parts.whole(lost, None, "lost deliveries")),
        )

    def _gather_processes(self, fleet: Fleet, parts: Parts) -> Fleet:
        """Add what is read piece by piece: processes, queue, budgets, reports."""
        redis, now = self._redis, fleet.now
        none: tuple[int, float | None] = (0, None)
        schedulers, lost_at = parts.read("schedulers", lambda: _schedulers(redis, now), none)
        return replace(
            fleet,
            budgets=parts.read("budgets", lambda: budgets.read(redis, now=now), []),
            readers=parts.read("readers", lambda: readers(redis), []),
            workers=parts.read("refreshers", lambda: workers(redis), []),
            schedulers=schedulers,
            scheduler_lost_at=lost_at,
            timeline=parts.read("timeline", lambda: refresh_report.timeline(redis), []),
            measures=parts.read("counters", lambda: measures.read(redis), NO_MEASURES),
            queue=parts.read("queue", lambda: queue_view(redis, now=now), {}),
            spent=parts.read(
                "budget use",
                lambda: spending.read(redis, now=now, count=_SPENDERS),
                NOTHING_SPENT,
            ),
            told=parts.read("deliveries", lambda: last_deliveries(redis), _NOTHING_TOLD),
            drift=parts.read("drift", lambda: drift.read(redis), ()),
            hold_facts=parts.read("holds", lambda: hold_facts(redis, now=now), NO_FACTS),
            mended=parts.read("mended values", lambda: mended.read(redis), ()),
            redis=redis_state(redis),
        )


def _seen_lately(unknown: Mapping[bytes, bytes], now: float) -> Sequence[str]:
    names = (
        name.decode(errors="replace")
        for name, at in unknown.items()
        if number_of(at) > now - UNKNOWN_FIELDS_KEPT_S
    )
    return tuple(sorted(names))


def _origin(fields: Mapping[bytes, bytes]) -> OriginView:
    known = {name.decode(errors="replace"): number_of(value) for name, value in fields.items()}
    status = known.get("status")
    return OriginView(
        known.get("answered_at"), None if not status else int(status), known.get("clock_offset")
    )


def _schedulers(redis: Redis, now: float) -> tuple[int, float | None]:
    """The number of those alive, and `Fleet.scheduler_lost_at`; may raise `redis.RedisError`.

    One that ends by itself leaves RQ's registry; one that was killed stays in it.
    """
    silent = now - _SCHEDULER_SILENCE
    alive = int(redis.zcount(registry_key(), silent, "+inf"))
    if alive:
        return alive, None
    found = cast(
        list[tuple[bytes, float]],
        redis.zrange(
            registry_key(), silent, now - _LOST_FOR, desc=True, byscore=True, withscores=True,
            offset=0, num=1,
        ),
    )  # fmt: skip
    return 0, found[0][1] if found else None
