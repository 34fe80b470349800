"""Reading what the refreshers stored: entries, their metadata, their failures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from redis import Redis

from shared import keys
from shared.entry import METADATA_FIELDS, Entry, Metadata, entry_from, metadata_from
from shared.errors import UnreadableError
from shared.failure import Failure
from shared.resources import Resource


@dataclass(frozen=True)
class Look:
    """What Redis knows of a resource, but for its body.

    Args:
        metadata: of its entry; None where there is none.
        failure: of its last refresh; None where that succeeded, or never was.
        told: mark of a change that the origin told of and no refresh has seen; None for none.
    """

    metadata: Metadata | None
    failure: Failure | None
    told: str | None = None

    def is_current(self, now: float) -> bool:
        """Whether there is an entry, fresh, and the origin has told of no change since."""
        return self.metadata is not None and self.metadata.is_fresh(now) and self.told is None


class Store:
    """The reading side of the Redis schema; every method may raise `redis.RedisError`.

    What this process cannot read counts as absent: a refresh will write it anew.

    Not the writing side: only refreshers write entries, in `refresher.writes`.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def look(self, resource: Resource) -> Look:
        """The metadata and the last failure of a resource, without its body."""
        return self.look_at_all([resource])[0]

    def look_at_all(self, resources: Sequence[Resource]) -> list[Look]:
        """The same for several resources, in one round trip."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for resource in resources:
                pipeline.hmget(keys.entry(resource), METADATA_FIELDS)
                pipeline.mget(keys.failure(resource), keys.told(resource))
            answers = pipeline.execute()
        return [
            _look(entry, beside) for entry, beside in zip(answers[::2], answers[1::2], strict=True)
        ]

    def read(self, resource: Resource) -> Entry | None:
        """The whole entry of a resource, of one version throughout; None where there is none."""
        fields = cast(dict[bytes, bytes], self._redis.hgetall(keys.entry(resource)))
        try:
            return entry_from(fields)
        except UnreadableError:
            return None

    def changes(self) -> int:
        """The counter that grows with every announcement; 0 in an empty Redis."""
        return int(cast(bytes | None, self._redis.get(keys.CHANGES)) or 0)


def _look(entry: Sequence[bytes | None], beside: Sequence[bytes | None]) -> Look:
    failure, told = beside
    return Look(_metadata(entry), _failure(failure), None if told is None else told.decode())


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
