"""Reading what the refreshers stored: entries, their metadata, their failures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from redis import Redis
from rq.suspension import WORKERS_SUSPENDED

from shared.entry import METADATA_FIELDS, Entry, Metadata, entry_from, metadata_from
from shared.errors import UnreadableError
from shared.failure import Failure
from shared.redis import keys
from shared.resources.resource import Resource
from shared.stored_form import lacks, left_until


@dataclass(frozen=True)
class EntryState:
    """What Redis knows of a resource, without the body of its entry.

    Args:
        metadata: of its entry; None if it has no entry.
        failure: of its last refresh; None if that succeeded, or if there was none.
        invalidated_by: id of the latest invalidation (webhook or operator) that no refresh has
            handled; None if every invalidation is handled.
        forgotten: versions up to this one must not be served any more; 0 if there are none.
        is_complete: the entry holds all that this process derives for its kind.
        left_until: Unix time in seconds before which an incomplete entry is not rebuilt, because
            a release that derives something else stored it.
    """

    metadata: Metadata | None
    failure: Failure | None
    invalidated_by: str | None = None
    forgotten: int = 0
    is_complete: bool = True
    left_until: float = 0

    def is_current(self, now: float) -> bool:
        """Whether there is an entry that is fresh, not invalidated, and not to be completed now.

        Args:
            now: Unix time in seconds.
        """
        return (
            self.metadata is not None
            and self.metadata.is_fresh(now)
            and (self.is_complete or now < self.left_until)
            and self.invalidated_by is None
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


class Store:
    """The reading side of the Redis schema; every method may raise `redis.RedisError`.

    An entry that this process cannot read, or that was made for another form (see
    `shared.stored_form`), counts as absent: the next refresh replaces it.

    Not the writing side: only refreshers write entries, in `refresher.storage.entry_writer`.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def state(self, resource: Resource) -> EntryState:
        """The metadata and the last failure of a resource, without its body."""
        return self.states([resource])[0]

    def states(self, resources: Sequence[Resource]) -> list[EntryState]:
        """The same for several resources, in one round trip."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for resource in resources:
                pipeline.hmget(keys.entry(resource), METADATA_FIELDS)
                pipeline.mget(*_beside(resource))
            replies = pipeline.execute()
        return [
            _state(resource, entry, beside)
            for resource, entry, beside in zip(resources, replies[::2], replies[1::2], strict=True)
        ]

    def read(self, resource: Resource) -> Entry | None:
        """The whole entry of a resource, of one version throughout; None if it has no entry."""
        return _entry(resource, cast(dict[bytes, bytes], self._redis.hgetall(keys.entry(resource))))

    def read_with_state(self, resource: Resource) -> tuple[Entry | None, EntryState]:
        """The whole entry of a resource, and its state, in one round trip."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(keys.entry(resource))
            pipeline.mget(*_beside(resource))
            fields, beside = pipeline.execute()
        metadata = [fields.get(name.encode()) for name in METADATA_FIELDS]
        return _entry(resource, fields), _state(resource, metadata, beside)

    def pulse(self) -> Pulse:
        """What every reader process reads once a second."""
        changes, suspended = cast(
            list[bytes | None], self._redis.mget(keys.CHANGES, WORKERS_SUSPENDED)
        )
        return Pulse(int(changes or 0), suspended is not None)


def _beside(resource: Resource) -> list[str]:
    """The keys that hold what is known of a resource beside its entry."""
    return [keys.failure(resource), keys.invalidated_by(resource), keys.forgotten(resource)]


def _entry(resource: Resource, fields: Mapping[bytes, bytes]) -> Entry | None:
    try:
        entry = entry_from(fields)
    except UnreadableError:
        return None
    return entry if entry is not None and _is_of(resource, entry.metadata) else None


def _state(
    resource: Resource, entry: Sequence[bytes | None], beside: Sequence[bytes | None]
) -> EntryState:
    failure, invalidated_by, forgotten = beside
    metadata = _metadata(resource, entry)
    state = EntryState(
        metadata,
        _failure(failure),
        None if invalidated_by is None else invalidated_by.decode(),
        int(forgotten or 0),
    )
    if metadata is None or is_complete(resource, metadata):
        return state
    until = left_until(metadata.derived, resource.kind.derived, validated_at=metadata.validated_at)
    return replace(state, is_complete=False, left_until=until)


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


def _failure(value: bytes | None) -> Failure | None:
    try:
        return None if value is None else Failure.from_json(value)
    except UnreadableError:
        return None
