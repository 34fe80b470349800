"""Reading what the refreshers stored: entries, their metadata, their failures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, cast

from redis import Redis, RedisError
from redis.client import Pipeline
from rq.suspension import WORKERS_SUSPENDED

from shared.clock import FleetClock, seconds_of
from shared.entry import METADATA_FIELDS, Entry, entry_from, manifests_from, metadata_from
from shared.errors import UnreadableError
from shared.event_bound import bounded_by_event, last_event
from shared.redis import keys
from shared.redis.entry_state import EntryState, add_parts, event_in, is_of_form, state_in
from shared.redis.lifetimes import UNBOUNDED, Lifetimes
from shared.redis.piece_reader import PieceReader
from shared.redis.scripts import Batch
from shared.redis.withdrawals import KnownWithdrawals
from shared.resources.resource import Resource
from shared.segmented_array import Piece
from shared.segmented_entry import NO_PIECES, PieceStore, assembled
from shared.stored_numbers import count_of
from shared.time_bounds import is_past, time_of

_OF_ALL: Final = (keys.RESUMED, keys.WITHDRAWN_REVISION)  # read with each state
_READINGS: Final = 3  # of a list whose segments are replaced while they are read


@dataclass(frozen=True)
class Pulse:
    """What changes in Redis for all resources together.

    Args:
        changes: the counter that grows with every announcement; 0 in an empty Redis.
        is_suspended: an operator has paused refreshing.
    """

    changes: int
    is_suspended: bool


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
        lifetimes: Lifetimes = UNBOUNDED,
        pieces: PieceStore = NO_PIECES,
        pause: Callable[[], None] = _no_pause,
        withdrawals: KnownWithdrawals | None = None,
    ) -> None:
        self._redis = redis
        self._clock = FleetClock() if clock is None else clock
        self.withdrawals = withdrawals or KnownWithdrawals(redis, self._clock.now)
        self._pieces = PieceReader(redis, pieces, pause)
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
        return 2 + add_parts(pipeline, resource)

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
        numbers = [add_parts(batch.pipeline, resource) for resource in resources]
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
        number = add_parts(batch.pipeline, resource, has_entry=True)
        add(batch)
        time, of_all, fields, *replies = batch.execute(may_be_damaged=True)
        for reply in replies[number:]:
            _check(reply)
        fields = _fields_in(fields)
        resumed_at = self._heard(time, of_all, sent_at=sent_at)
        metadata = [fields.get(name.encode()) for name in METADATA_FIELDS]
        state = self._state(resource, [metadata, *replies[:number]], resumed_at)
        entry = self._entry(
            resource, fields, event_in(resource, replies[:number], self._clock.now())
        )
        return entry, state, replies[number:]

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

    def _state(self, resource: Resource, parts: Sequence[Any], resumed_at: float) -> EntryState:
        return state_in(
            resource,
            parts,
            lifetimes=self._lifetimes,
            resumed_at=resumed_at,
            now=self._clock.now(),
        )

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
        if entry is None or not is_of_form(resource, entry.metadata):
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
            if not manifests or metadata is None or not is_of_form(resource, metadata):
                return entry_from(fields)
            if self._pieces.find(resource, manifests, pieces):
                return assembled(metadata, manifests, pieces)
            fields = self._fields(resource)
        raise UnreadableError


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
