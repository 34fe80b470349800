"""Reading what the refreshers stored: entries, their metadata, their failures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from redis import Redis
from rq.suspension import WORKERS_SUSPENDED

from shared.entry import METADATA_FIELDS, Entry, Metadata, entry_from, metadata_from
from shared.errors import UnreadableError
from shared.failure import Failure
from shared.redis import keys
from shared.resources.resource import Resource


@dataclass(frozen=True)
class EntryState:
    """What Redis knows of a resource, but for its body.

    Args:
        metadata: of its entry; None where there is none.
        failure: of its last refresh; None where that succeeded, or never was.
        told: mark of a change that the origin told of and no refresh has seen; None for none.
        forgotten: versions up to this one are not to be served any more; 0 for none.
    """

    metadata: Metadata | None
    failure: Failure | None
    invalidated_by: str | None = None
    forgotten: int = 0

    def is_current(self, now: float) -> bool:
        """Whether there is an entry, fresh, and the origin has told of no change since."""
        return (
            self.metadata is not None
            and self.metadata.is_fresh(now)
            and self.invalidated_by is None
        )


@dataclass(frozen=True)
class Pulse:
    """What changes in Redis without a resource being looked at.

    Args:
        changes: the counter that grows with every announcement; 0 in an empty Redis.
        is_suspended: whether an operator has refreshing paused.
    """

    changes: int
    is_suspended: bool


class Store:
    """The reading side of the Redis schema; every method may raise `redis.RedisError`.

    What this process cannot read counts as absent: a refresh will write it anew.

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
                pipeline.mget(
                    keys.failure(resource), keys.invalidated_by(resource), keys.forgotten(resource)
                )
            answers = pipeline.execute()
        return [
            _state(entry, beside) for entry, beside in zip(answers[::2], answers[1::2], strict=True)
        ]

    def read(self, resource: Resource) -> Entry | None:
        """The whole entry of a resource, of one version throughout; None where there is none."""
        fields = cast(dict[bytes, bytes], self._redis.hgetall(keys.entry(resource)))
        try:
            return entry_from(fields)
        except UnreadableError:
            return None

    def pulse(self) -> Pulse:
        """What every reader looks at once a second."""
        changes, suspended = cast(
            list[bytes | None], self._redis.mget(keys.CHANGES, WORKERS_SUSPENDED)
        )
        return Pulse(int(changes or 0), suspended is not None)


def _state(entry: Sequence[bytes | None], beside: Sequence[bytes | None]) -> EntryState:
    failure, invalidated_by, forgotten = beside
    return EntryState(
        _metadata(entry),
        _failure(failure),
        None if invalidated_by is None else invalidated_by.decode(),
        int(forgotten or 0),
    )


def _metadata(values: Sequence[bytes | None]) -> Metadata | None:
    try:
        return metadata_from(values)
    except UnreadableError:
        return None


def _failure(value: bytes | None) -> Failure | None:
    try:
        return None if value is None else Failure.from_json(value)
    except UnreadableError:
        return None
