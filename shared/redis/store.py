"""Reading what the refreshers stored: entries, their metadata, their failures."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, cast

from redis import Redis, RedisError
from redis.client import Pipeline
from redis.exceptions import ResponseError
from rq.suspension import WORKERS_SUSPENDED

from shared.clock import FleetClock, seconds_of
from shared.entry import (
    METADATA_FIELDS,
    Entry,
    Metadata,
    entry_from,
    manifests_from,
    metadata_from,
)
from shared.errors import UnreadableError
from shared.event_bound import bounded_by_event, last_event
from shared.failure import Failure
from shared.invalidation import is_anew
from shared.looks import Looks
from shared.redis import keys
from shared.redis.scripts import Batch, is_of_wrong_type
from shared.redis.withdrawals import KnownWithdrawals
from shared.resources.resource import Resource
from shared.segmented_array import Piece
from shared.segmented_entry import (
    NO_PIECES,
    Manifests,
    PieceStore,
    assembled,
    is_of,
    read_piece,
    segments_of,
)
from shared.segments import Segment
from shared.settings import Settings
from shared.stored_form import lacks, left_until
from shared.stored_numbers import count_of
from shared.suspicion import Suspicion
from shared.time_bounds import is_past, time_of

_OF_ALL = (keys.RESUMED, keys.WITHDRAWN_REVISION)  # read with each state
_READINGS = 3  # of a list whose segments are replaced while they are read
# Read in one command: a list of 40 MB is never in memory twice, nor its compressed form.
_SEGMENTS_AT_ONCE = 32


@dataclass(frozen=True)
class EntryState:
    """What Redis knows of a resource, without the body of its entry.

    Args:
        metadata: of its entry; None if it has no entry.
        failure: of its last refresh; None if that succeeded, or if there was none.
        invalidated_by: mark of the invalidations (webhook or operator) that no refresh has handled,
            or that are followed by further looks, see `shared.invalidation`; None if all are done
            with.
        looks: that follow an event; None if there are none.
        forgotten: versions up to this one must not be served any more; 0 if there are none.
        is_complete: the entry holds all that this process derives for its kind.
        suspicion: what a look at the list showed that is not believed yet; None if nothing did.
        is_asked: a refresh was requested or done a moment ago; a further request would be dropped.
        left_until: Unix time in seconds before which an incomplete entry is not rebuilt, because
            a release that derives something else stored it.
    """

    metadata: Metadata | None
    failure: Failure | None
    invalidated_by: str | None = None
    looks: Looks | None = None
    forgotten: int = 0
    is_complete: bool = True
    left_until: float = 0
    is_asked: bool = False
    suspicion: Suspicion | None = None

    def is_held_back(self, now: float) -> bool:
        """Whether it is too early for a refresh, because of a failure or a doubt."""
        return any(
            one is not None and one.holds_back(now) for one in (self.failure, self.suspicion)
        )

    @property
    def is_to_be_read_anew(self) -> bool:
        """Whether an operator asked for content that GitHub sends without conditions."""
        return is_anew(self.invalidated_by)

    def is_invalidated(self, now: float) -> bool:
        """Whether the entry is invalidated, and a look at the resource is due.

        After a look, the content is what GitHub shows, until the next one is due.

        Args:
            now: Unix time in seconds.
        """
        if self.invalidated_by is None:
            return False
        return self.looks is None or self.is_to_be_read_anew or self.looks.is_due(now)

    def is_current(self, now: float) -> bool:
        """Whether there is an entry that is fresh, undisputed, and not to be completed now.

        It is disputed if it is invalidated, or if a second look at a list that lost much is due.

        Args:
            now: Unix time in seconds.
        """
        return (
            self.metadata is not None
            and self.metadata.is_fresh(now)
            and (self.is_complete or now < self.left_until)
            and not self.is_invalidated(now)
            and self.suspicion is None
        )


@dataclass(frozen=True)
class Pulse:
    """What changes in Redis for all resources together.

    Args:
        changes: the counter that grows with every announcement; 0 in an empty Redis.
        is_suspended: an operator has paused refreshing.
    """

    changes: int
    is_suspended: bool


@dataclass(frozen=True)
class Lifetimes:
    """Seconds that content stays fresh at most.

    Args:
        tracked: content that the settings name.
        on_demand: all other content.
    """

    tracked: float = math.inf
    on_demand: float = math.inf

    @classmethod
    def of(cls, settings: Settings) -> "Lifetimes":
        """Those of the settings."""
        return cls(settings.cache_ttl, settings.on_demand_ttl)

    def of_resource(self, resource: Resource) -> float:
        """That of a resource's content."""
        return self.tracked if resource.tracked else self.on_demand

    def bound(self, resource: Resource, metadata: Metadata) -> Metadata:
        """The metadata of a resource, fresh for no longer than its lifetime."""
        until = metadata.validated_at + self.of_resource(resource)
        return metadata if metadata.fresh_until <= until else replace(metadata, fresh_until=until)


def _no_pause() -> None:
    """Do nothing."""


class Store:
    """The reading side of the Redis schema; every method may raise `redis.RedisError`.

    An entry that this process cannot read, or that was made for another form (see
    `shared.stored_form`), counts as absent: the next refresh replaces it.

    Not the writing side: only refreshers write entries, in `refresher.storage.entry_writer`.

    Args:
        redis: the client.
        clock: is told Redis's time with each reading of states; None if there is none to tell.
        lifetimes: bound what entries say of their freshness.
        pieces: where the segments of lists are found that need not be read again, and kept.
        pause: called while a large list is read, so that other threads go on.
        withdrawals: learns with each reading whether they have changed; None if nobody asks.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        clock: FleetClock | None = None,
        lifetimes: Lifetimes = Lifetimes(),
        pieces: PieceStore = NO_PIECES,
        pause: Callable[[], None] = _no_pause,
        withdrawals: KnownWithdrawals | None = None,
    ) -> None:
        self._redis = redis
        self._clock = FleetClock() if clock is None else clock
        self.withdrawals = withdrawals or KnownWithdrawals(redis, self._clock.now)
        self._held = pieces
        self._pause = pause
        self._lifetimes = lifetimes

    def state(self, resource: Resource) -> EntryState:
        """The metadata and the last failure of a resource, without its body."""
        return self.states([resource])[0]

    def add_state(self, pipeline: Pipeline, resource: Resource) -> int:
        """Add the read of a state to a pipeline; return the number of replies.

        `state_from` parses them.
        """
        pipeline.time()
        pipeline.mget(*_OF_ALL)
        return 2 + _add_parts(pipeline, resource)

    def state_from(
        self, resource: Resource, replies: Sequence[Any], *, sent_at: float
    ) -> EntryState:
        """The state in the replies to `add_state`.

        Args:
            resource: the same.
            replies: to what `add_state` added.
            sent_at: `FleetClock.monotonic()` from before the pipeline was sent.
        """
        time, of_all, *parts = replies
        return self._state(resource, parts, self._heard(time, of_all, sent_at=sent_at))

    def states(self, resources: Sequence[Resource]) -> list[EntryState]:
        """The same for several resources, in one round trip."""
        sent_at = self._clock.monotonic()
        batch = Batch(self._redis)
        batch.pipeline.time()
        batch.pipeline.mget(*_OF_ALL)
        numbers = [_add_parts(batch.pipeline, resource) for resource in resources]
        time, of_all, *replies = batch.execute(may_be_damaged=True)
        resumed_at = self._heard(time, of_all, sent_at=sent_at)
        each = iter(replies)
        return [
            self._state(resource, list(islice(each, number)), resumed_at)
            for resource, number in zip(resources, numbers, strict=True)
        ]

    def read(self, resource: Resource) -> Entry | None:
        """The whole entry of a resource, of one version throughout; None if it has no entry."""
        if self._clock.skew is None:  # the entry is judged by Redis's time
            self._clock.measure(self._redis)
        batch = Batch(self._redis)
        KnownWithdrawals.add(batch.pipeline)
        batch.pipeline.hgetall(keys.entry(resource))
        if resource.event_scopes:
            batch.pipeline.zmscore(keys.EVENTS, list(resource.event_scopes))
        revision, fields, *events = batch.execute(may_be_damaged=True)
        self.withdrawals.heard(revision)
        event_at = last_event(events[0], self._clock.now()) if events else 0.0
        return self._entry(resource, _fields_in(fields), event_at)

    def _fields(self, resource: Resource) -> dict[bytes, bytes]:
        batch = Batch(self._redis)
        batch.pipeline.hgetall(keys.entry(resource))
        return _fields_in(batch.execute(may_be_damaged=True)[0])

    def read_with_state(self, resource: Resource) -> tuple[Entry | None, EntryState]:
        """The whole entry of a resource, and its state, in one round trip."""
        entry, state, _ = self.read_with(resource, lambda _: None)
        return entry, state

    def read_with(
        self, resource: Resource, add: Callable[[Batch], None]
    ) -> tuple[Entry | None, EntryState, list[Any]]:
        """The same, and the replies to further commands, in one round trip.

        Args:
            resource: to read.
            add: adds the commands to a batch; they run after the read.
        """
        batch, sent_at = Batch(self._redis), self._clock.monotonic()
        batch.pipeline.time()
        batch.pipeline.mget(*_OF_ALL)
        batch.pipeline.hgetall(keys.entry(resource))
        number = _add_parts(batch.pipeline, resource, has_entry=True)
        add(batch)
        time, of_all, fields, *replies = batch.execute(may_be_damaged=True)
        for reply in replies[number:]:
            _check(reply)
        fields = _fields_in(fields)
        resumed_at = self._heard(time, of_all, sent_at=sent_at)
        metadata = [fields.get(name.encode()) for name in METADATA_FIELDS]
        state = self._state(resource, [metadata, *replies[:number]], resumed_at)
        entry = self._entry(resource, fields, self._event_at(resource, replies[:number]))
        return entry, state, replies[number:]

    def _event_at(self, resource: Resource, parts: Sequence[Any]) -> float:
        """When the last event touched a resource, by the last of the replies of its state."""
        return last_event(parts[-1], self._clock.now()) if resource.event_scopes else 0.0

    def pulse(self) -> Pulse:
        """What every reader process reads once a second."""
        sent_at = self._clock.monotonic()
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            pipeline.mget(keys.CHANGES, WORKERS_SUSPENDED, keys.WITHDRAWN_REVISION)
            time, (changes, suspended, revision) = pipeline.execute()
        self._clock.heard(seconds_of(time), sent_at=sent_at)
        self.withdrawals.heard(revision)
        return Pulse(count_of(changes), suspended is not None)

    def _heard(
        self, time: tuple[int, int], of_all: Sequence[bytes | None], *, sent_at: float
    ) -> float:
        """Take Redis's time, and what is withdrawn.

        Returns:
            The time of the last "resume"; 0 if there was none.
        """
        now = seconds_of(time)
        self._clock.heard(now, sent_at=sent_at)
        resumed, revision = of_all
        self.withdrawals.heard(revision)
        resumed_at = time_of(resumed)
        return resumed_at if is_past(resumed_at, now) else 0.0  # Redis's clock was set back since

    def _entry(
        self, resource: Resource, fields: Mapping[bytes, bytes], event_at: float = 0.0
    ) -> Entry | None:
        try:
            entry = self._entry_in(resource, fields)
        except UnreadableError:
            return None
        if entry is None or not _is_of(resource, entry.metadata):
            return None
        metadata = bounded_by_event(self._lifetimes.bound(resource, entry.metadata), event_at)
        return entry if metadata is entry.metadata else replace(entry, metadata=metadata)

    def _entry_in(self, resource: Resource, fields: Mapping[bytes, bytes]) -> Entry | None:
        """The entry in the fields of its hash, and in those of its segments.

        A segment that is gone was replaced since the fields were read: then they are read again.

        Raises:
            UnreadableError: it is damaged, or segments are missing.
        """
        pieces: dict[bytes, Piece] = {}
        for _ in range(_READINGS):
            manifests = manifests_from(fields)
            metadata = metadata_from([fields.get(name.encode()) for name in METADATA_FIELDS])
            if not manifests or metadata is None or not _is_of(resource, metadata):
                return entry_from(fields)
            if self._find_pieces(resource, manifests, pieces):
                return assembled(metadata, manifests, pieces)
            fields = self._fields(resource)
        raise UnreadableError

    def _find_pieces(
        self, resource: Resource, manifests: Manifests, pieces: dict[bytes, Piece]
    ) -> bool:
        """Find all pieces of a list, those that are not held in Redis; whether all were there.

        Args:
            resource: the list.
            manifests: of it and its views.
            pieces: what was found before; what is found is added.

        Raises:
            UnreadableError: a segment is damaged.
        """
        segments = segments_of(manifests)
        lacking = self._not_held(segments, pieces)
        for at in range(0, len(lacking), _SEGMENTS_AT_ONCE):
            with self._held.turn():
                some = {name: segments[name] for name in lacking[at : at + _SEGMENTS_AT_ONCE]}
                names = self._not_held(some, pieces)  # another process may have read them
                for name, value in zip(names, self._values(resource, names), strict=True):
                    if value is None:
                        return False
                    pieces[name] = self._held.keep(name, read_piece(value, *segments[name]))
                    self._pause()
        return True

    def _not_held(
        self, segments: Mapping[bytes, tuple[Segment, bytes]], pieces: dict[bytes, Piece]
    ) -> list[bytes]:
        """The names of the segments whose pieces are not held; the others are added."""
        lacking = []
        for name, (segment, _) in segments.items():
            held = pieces.get(name) or self._held.find(name)
            if held is not None and is_of(held, segment):
                pieces[name] = held
            else:
                lacking.append(name)
        return lacking

    def _values(self, resource: Resource, names: Sequence[bytes]) -> list[bytes | None]:
        """The stored bodies of segments; None for each that is not there."""
        if not names:
            return []
        try:
            found = self._redis.hmget(keys.segments(resource), list(names))
        except ResponseError as error:
            if is_of_wrong_type(error):
                return [None] * len(names)
            raise
        return cast(list[bytes | None], found)

    def _state(self, resource: Resource, parts: Sequence[Any], resumed_at: float) -> EntryState:
        event_at = self._event_at(resource, parts)
        entry, beside, *held = parts[:-1] if resource.event_scopes else parts
        if isinstance(entry, RedisError):  # it is of a wrong type
            entry = [None] * len(METADATA_FIELDS)
        failure, mark, forgotten, asked, suspicion, looks = beside
        invalidated_by = _text(mark)
        metadata = _metadata(resource, entry)
        if metadata is not None:
            metadata = bounded_by_event(self._lifetimes.bound(resource, metadata), event_at)
        state = EntryState(
            metadata,
            _failure(failure, resumed_at),
            invalidated_by,
            None if invalidated_by is None else Looks.from_text(looks),
            count_of(forgotten),
            is_asked=asked is not None,
            suspicion=_suspicion(suspicion),
        )
        if metadata is None:
            return state
        if metadata.segments and held != [metadata.segments]:
            return replace(state, is_complete=False)
        if is_complete(resource, metadata):
            return state
        until = left_until(
            metadata.derived, resource.kind.derived, validated_at=metadata.validated_at
        )
        return replace(state, is_complete=False, left_until=until)


def _add_parts(pipeline: Pipeline, resource: Resource, *, has_entry: bool = False) -> int:
    """Add the reads that a state is made of; return the number of replies.

    Args:
        pipeline: to add to.
        resource: whose state it is.
        has_entry: the entry is read as a whole.
    """
    if not has_entry:
        pipeline.hmget(keys.entry(resource), METADATA_FIELDS)
    pipeline.mget(*_beside(resource))
    if resource.kind.is_expanded:  # one that is stored in segments is complete with all of them
        pipeline.hlen(keys.segments(resource))
    if resource.event_scopes:
        pipeline.zmscore(keys.EVENTS, list(resource.event_scopes))
    return 1 + (not has_entry) + resource.kind.is_expanded + bool(resource.event_scopes)


def _fields_in(reply: Any) -> dict[bytes, bytes]:
    """The fields of an entry; none if it is of a wrong type."""
    return {} if isinstance(reply, RedisError) else cast(dict[bytes, bytes], reply)


def _check(reply: object) -> None:
    """Raise the error that a reply is.

    Raises:
        redis.RedisError: of a command.
    """
    if isinstance(reply, RedisError):
        raise reply


def _beside(resource: Resource) -> list[str]:
    """The keys that hold what is known of a resource beside its entry."""
    beside = (keys.failure, keys.invalidated_by, keys.forgotten, keys.asked, keys.suspicion)
    return [key(resource) for key in (*beside, keys.looks)]


def is_complete(resource: Resource, metadata: Metadata) -> bool:
    """Whether an entry holds all that this process derives for it.

    A negative response (such as a 404) is not a list, so nothing is derived from its items.
    """
    return metadata.status != 200 or not lacks(metadata.derived, resource.kind.derived)


def _metadata(resource: Resource, values: Sequence[bytes | None]) -> Metadata | None:
    try:
        metadata = metadata_from(values)
    except UnreadableError:
        return None
    return metadata if metadata is not None and _is_of(resource, metadata) else None


def _is_of(resource: Resource, metadata: Metadata) -> bool:
    """Whether an entry was made for the form in which this process keeps the resource."""
    return metadata.form == resource.stored_form


def _text(value: bytes | None) -> str | None:
    """A stored text; None if there is none, or if it is damaged."""
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _failure(value: bytes | None, resumed_at: float) -> Failure | None:
    try:
        return None if value is None else Failure.from_json(value).ended_by(resumed_at)
    except UnreadableError:
        return None


def _suspicion(value: bytes | None) -> Suspicion | None:
    try:
        return None if value is None else Suspicion.from_json(value)
    except UnreadableError:
        return None
