"""A snapshot of the whole fleet from Redis: the data of `/status`, `/metrics` and the CLI."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, cast

from redis import Redis
from rq.cron_scheduler_registry import get_registry_key as registry_key

from reader.cache.single_flight import SingleFlight
from reader.fleet.heartbeats import ReaderReport, popular, readers
from reader.fleet.hold_facts import NO_FACTS, HoldFacts, hold_facts
from reader.fleet.queue_view import QueueView, queue_view
from reader.fleet.redis_state import UNKNOWN, Parts, RedisState, redis_state
from reader.fleet.workers import WorkerView, workers
from reader.webhooks.delivery_log import last_deliveries
from shared import budgets, drift, lost_deliveries, measures, mended, refresh_report, spending
from shared.budgets import CredentialBudget
from shared.drift import Drift
from shared.encodings import ENCODINGS
from shared.entry import SEGMENTS, Metadata
from shared.failure import Failure
from shared.lost_deliveries import LookReport
from shared.measures import Measures
from shared.mended import Mended
from shared.point_buckets import Points, levels_now, sizes_now
from shared.redis import keys
from shared.redis.store import Store
from shared.refresh_report import UNKNOWN_FIELDS_KEPT_S, Record, RefreshReport
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.segments import unpack_manifest
from shared.spending import Spent
from shared.stored_numbers import number_of
from shared.suspicion import Suspicion
from shared.time_bounds import time_of

_POPULAR = 20  # on-demand resources in a snapshot
_SPENDERS = 10  # paths, and clients
_MAX_AGE = 1.0  # seconds that a snapshot is shared by all callers
_MAX_WAIT = 15.0  # seconds that a caller waits for another one's snapshot
_SCHEDULER_SILENCE = 150  # seconds without a heartbeat until it counts as gone; one is due a minute
_LOST_FOR = 24 * 3600  # seconds for which a scheduler that has died is told of
_NO_RECORD = Record()
_NO_MEASURES = Measures({})
_NOTHING_SPENT = Spent()
_NOTHING_TOLD: Mapping[str, float] = {}


@dataclass(frozen=True)
class NodeView:
    """One node: all reader processes of one gunicorn.

    Args:
        measures: counters, summed over the processes.
        gauges: summed over the processes.
        processes: number of running processes.
    """

    measures: Measures
    gauges: Mapping[str, float]
    processes: int


@dataclass(frozen=True)
class TrackedView:
    """The state of a resource and of its refreshes.

    Args:
        resource: the resource.
        now: Unix time in seconds when it was read.
        metadata: of its entry; None if it has no entry.
        failure: of its last refresh; None if that succeeded.
        suspicion: what a look at the list showed that is not believed yet; None if nothing did.
        invalidated_by: the entry is invalidated, and no refresh has handled it yet, or a further
            look is due.
        encoded: bytes of the stored compressed bodies, by coding.
        pages: of GitHub's that the content was made from; None if that is not known.
        record: of its refreshes so far.
        reading: the page that is being read and the number of pages; None if no list is being read.
        is_running: a refresher holds its lock.
        is_complete: the entry holds all that this release derives for its kind.
        look_at: Unix time in seconds of the next look after an event; None if none follows.
        event_at: Unix time in seconds of that event; None likewise.
        left_until: Unix time in seconds until which an incomplete entry is left as it is; 0 if it
            is not.
    """

    resource: Resource
    now: float
    metadata: Metadata | None
    failure: Failure | None = None
    invalidated_by: bool = False
    encoded: Mapping[str, int] | None = None
    pages: int | None = None
    record: Record = _NO_RECORD
    reading: tuple[int, int] | None = None
    is_running: bool = False
    is_complete: bool = True
    suspicion: Suspicion | None = None
    look_at: float | None = None
    event_at: float | None = None
    left_until: float = 0

    @property
    def age(self) -> float:
        """Seconds since the origin confirmed the content."""
        assert self.metadata is not None
        return max(0.0, self.now - self.metadata.validated_at)

    @property
    def held_back_until(self) -> float | None:
        """Unix time in seconds of the next try or the second look; None if neither is due."""
        if self.failure is not None:
            return self.failure.retry_at
        return None if self.suspicion is None else self.suspicion.look_at

    @property
    def is_fresh(self) -> bool:
        """Whether there is content inside its freshness lifetime."""
        return (
            self.metadata is not None
            and self.metadata.is_fresh(self.now)
            and not self.invalidated_by
            and self.suspicion is None
        )


@dataclass(frozen=True)
class OnDemandView:
    """A recently requested on-demand resource.

    Args:
        name: of the resource.
        requests: in the last hour.
        view: its state.
    """

    name: str
    requests: int
    view: TrackedView


@dataclass(frozen=True)
class OriginView:
    """The origin's last response.

    Args:
        answered_at: Unix time in seconds; None if it is not known.
        status: HTTP status.
        clock_offset: seconds that its clock is ahead of Redis's.
    """

    answered_at: float | None = None
    status: int | None = None
    clock_offset: float | None = None


@dataclass(frozen=True)
class Fleet:
    """The state of the fleet.

    Args:
        now: Unix time in seconds when it was read.
        tracked: all tracked resources.
        on_demand: the most requested on-demand resources.
        budgets: what is left of GitHub's rate limits.
        readers: running reader processes.
        workers: running refreshers.
        schedulers: number of running schedulers.
        scheduler_lost_at: Unix time in seconds at which the last one was heard of, if it died in
            the last day, and none is running; else None.
        timeline: the latest refreshes, newest first.
        measures: the refreshers' counters.
        queue: queued jobs by lane and priority.
        spent: who used the budget in the last hour.
        suspended: an operator has paused refreshing.
        suspended_since: Unix time in seconds; None if it is not known.
        origin: GitHub's last response.
        origin_paused_until: Unix time in seconds, after a secondary rate limit; 0 if not paused.
        origin_paused_since: Unix time in seconds of the last one; 0 if it is not known.
        points: requests to GitHub that may be sent now; None if none was sent in the last
            two minutes.
        point_sizes: the most that each party can have of them; None likewise.
        unknown_fields: keys of GitHub's responses that no public shape has, as `operation place`,
            sorted; of the last days.
        looks: number of tracked resources that are looked at again after an event.
        told: Unix time in seconds of the last webhook of each event, of the last month.
        redelivery: the last look for lost deliveries of webhooks; None if nobody looks.
        drift: the last finds of stored content that GitHub has confirmed and does not show, the
            latest first.
        mended: the last damaged values in Redis that refreshers have mended, the latest first.
        damaged: parts of this view that could not be read, because a value is damaged.
        redis: the state of the Redis server.
        undisclosed: number of paths of `TRACK` that were left out of this view of the fleet.
        withdrawn: number of repositories that were withdrawn in the last hour.
        withdrawn_at: their names and ids, with the Unix times in seconds.
        hold_facts: more about what holds something back.
    """

    now: float
    tracked: Sequence[TrackedView] = ()
    on_demand: Sequence[OnDemandView] = ()
    budgets: Sequence[CredentialBudget] = ()
    readers: Sequence[ReaderReport] = ()
    workers: Sequence[WorkerView] = ()
    schedulers: int = 0
    scheduler_lost_at: float | None = None
    timeline: Sequence[RefreshReport] = ()
    measures: Measures = _NO_MEASURES
    queue: QueueView = field(default_factory=dict)
    spent: Spent = _NOTHING_SPENT
    suspended: bool = False
    suspended_since: float | None = None
    origin: OriginView = OriginView()
    origin_paused_until: float = 0
    origin_paused_since: float = 0
    points: Points | None = None
    point_sizes: Points | None = None
    unknown_fields: Sequence[str] = ()
    looks: int = 0
    told: Mapping[str, float] = field(default_factory=dict)
    redelivery: LookReport | None = None
    drift: Sequence[Drift] = ()
    mended: Sequence[Mended] = ()
    damaged: Sequence[str] = ()
    redis: RedisState = UNKNOWN
    undisclosed: int = 0
    withdrawn: int = 0
    withdrawn_at: Mapping[str, float] = field(default_factory=dict)
    hold_facts: HoldFacts = NO_FACTS

    @property
    def queue_length(self) -> int:
        """The number of queued jobs."""
        return sum(queued.jobs for queued in self.queue.values())

    @property
    def refused(self) -> Mapping[str, int]:
        """Requests that got a 429 or a 503 in the last minute, by `outcomes.Refusal`."""
        counts: Counter[str] = Counter()
        for one in self.readers:
            counts.update(one.refused)
        return {cause: number for cause, number in counts.items() if number}


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
            measures=parts.read("counters", lambda: measures.read(redis), _NO_MEASURES),
            queue=parts.read("queue", lambda: queue_view(redis, now=now), {}),
            spent=parts.read(
                "budget use",
                lambda: spending.read(redis, now=now, count=_SPENDERS),
                _NOTHING_SPENT,
            ),
            told=parts.read("deliveries", lambda: last_deliveries(redis), _NOTHING_TOLD),
            drift=parts.read("drift", lambda: drift.read(redis), ()),
            hold_facts=parts.read("holds", lambda: hold_facts(redis, now=now), NO_FACTS),
            mended=parts.read("mended values", lambda: mended.read(redis), ()),
            redis=redis_state(redis),
        )

    def views(self, resources: Sequence[Resource], *, now: float) -> list[TrackedView]:
        """The state of resources; may raise `redis.RedisError`."""
        states = self._store.states(resources)
        withdrawals = self._store.withdrawals.known
        with self._redis.pipeline(transaction=False) as pipeline:
            for resource in resources:
                for encoding in ENCODINGS:
                    pipeline.hstrlen(keys.entry(resource), f"body:{encoding}")
                pipeline.hget(keys.entry(resource), SEGMENTS)
                pipeline.hkeys(keys.pages(resource))
                refresh_report.ask_for_record(pipeline, resource)
                pipeline.get(keys.progress(resource))
                pipeline.exists(keys.running(resource))
            replies = iter(pipeline.execute(raise_on_error=False))
        return [
            _with_details(
                TrackedView(
                    resource,
                    now,
                    withdrawals.told(resource, state.metadata),
                    state.failure,
                    invalidated_by=state.is_invalidated(now),
                    is_complete=state.is_complete,
                    suspicion=state.suspicion,
                    look_at=None if state.looks is None else state.looks.next_at,
                    event_at=None if state.looks is None else state.looks.event_at,
                    left_until=state.left_until,
                ),
                replies,
            )
            for resource, state in zip(resources, states, strict=True)
        ]


def _with_details(view: TrackedView, replies: Iterator[Any]) -> TrackedView:
    # What is damaged is mended by the next refresh, and told of then.
    whole = Parts().whole
    encoded = {encoding: int(whole(next(replies), 0)) for encoding in ENCODINGS}
    segments = whole(next(replies), None)
    page_fields: list[bytes] = whole(next(replies), [])
    record = whole(next(replies), [None] * 5)
    progress = whole(next(replies), None)
    is_running = bool(next(replies))
    if segments is not None:
        encoded["gzip"] = _packed_bytes(segments)
    number = sum(field.isdigit() for field in page_fields)  # the fields of bodies are numbers
    return replace(
        view,
        encoded={name: size for name, size in encoded.items() if size},
        pages=number if page_fields else None,
        record=refresh_report.record_from(record),
        reading=_reading(progress) if is_running else None,
        is_running=is_running,
    )


def _packed_bytes(segments: bytes) -> int:
    """Bytes of a list's segments, compressed; 0 if the manifest is damaged."""
    try:
        return sum(one.packed_size for one in unpack_manifest(segments))
    except ValueError:
        return 0


def _reading(text: bytes | None) -> tuple[int, int] | None:
    try:
        known = json.loads(text or b"")
        return int(known["page"]), int(known["pages"])
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return None  # nothing is read at the moment, or the record is damaged


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
