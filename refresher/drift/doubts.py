"""Differences that are not understood yet, in Redis: one hash, one field for a resource."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis

from refresher.drift.comparison import Difference
from shared.redis import keys
from shared.resources.resource import Resource

_MOST = 50  # doubts at the same time
_KEPT_S = 7 * 24 * 3600
_DAMAGE = (ValueError, KeyError, TypeError, RecursionError, OverflowError)


@dataclass(frozen=True)
class Doubt:
    """A page that differs from GitHub's, and may only be older.

    Args:
        name: of the resource.
        url: of the page.
        at: Unix time in seconds of the request that showed it.
        differences: of the page.
    """

    name: str
    url: str
    at: float
    differences: Sequence[Difference]

    def to_json(self) -> str:
        """The record as it is stored."""
        return json.dumps([self.name, self.url, self.at, self.differences])

    @classmethod
    def from_json(cls, text: bytes) -> "Doubt | None":
        """The inverse of `to_json`; None if the text is malformed."""
        try:
            name, url, at, differences = json.loads(text)
            known = [_difference(*one) for one in differences]
        except _DAMAGE:
            return None
        is_well_formed = isinstance(name, str) and isinstance(url, str) and type(at) is float
        return cls(name, url, at, known) if is_well_formed and math.isfinite(at) else None


def _difference(name: Any, stored: Any, shown: Any) -> Difference:
    if not isinstance(name, str) or not all(
        one is None or isinstance(one, str) for one in (stored, shown)
    ):
        raise TypeError("a value has another type")
    return name, stored, shown


class Doubts:
    """All doubts of the fleet; methods may raise `redis.RedisError`.

    Args:
        redis: the fleet's Redis.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def all(self) -> list[tuple[str, Doubt | None]]:
        """The fields, and the doubt in each; None for a damaged one."""
        found = cast(dict[bytes, bytes], self._redis.hgetall(keys.DRIFT_DOUBTS))
        return [
            (field.decode(errors="replace"), Doubt.from_json(text)) for field, text in found.items()
        ]

    def add(self, resource: Resource, doubt: Doubt) -> None:
        """Remember a doubt, unless there is one about the resource, or there are too many."""
        if self._redis.hlen(keys.DRIFT_DOUBTS) < _MOST:
            with self._redis.pipeline() as pipeline:
                pipeline.hsetnx(keys.DRIFT_DOUBTS, resource.id, doubt.to_json())
                pipeline.expire(keys.DRIFT_DOUBTS, _KEPT_S)
                pipeline.execute()

    def drop(self, field: str) -> None:
        """Forget a doubt."""
        self._redis.hdel(keys.DRIFT_DOUBTS, field)
