"""Drift: stored content that differs from GitHub's although GitHub has confirmed it.

Refreshers look for it (`refresher.drift`), and tell of it in a list of the last finds.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import cast

from redis import Redis
from redis.client import Pipeline

from shared.errors import UnreadableError
from shared.redis import keys
from shared.time_bounds import showable

_MOST = 20  # finds that are kept
_KEPT_S = 7 * 24 * 3600
_MOST_ITEMS = 100  # of a find that are named
_DAMAGE = (OverflowError, ValueError, KeyError, TypeError, RecursionError)


@dataclass(frozen=True)
class Drift:
    """A find.

    Args:
        at: Unix time in seconds.
        resource: its name.
        items: GitHub's ids of the public items that differ, as text; empty for anything but a list.
    """

    at: float
    resource: str
    items: Sequence[str] = ()

    def to_json(self) -> str:
        """The record as it is stored."""
        return json.dumps({**asdict(self), "items": list(self.items)[:_MOST_ITEMS]})

    @classmethod
    def from_json(cls, text: bytes | str) -> "Drift":
        """The inverse of `to_json`.

        Raises:
            UnreadableError: the text is malformed.
        """
        try:
            known = json.loads(text)
            at, resource, items = float(known["at"]), known["resource"], known["items"]
        except _DAMAGE as error:
            raise UnreadableError from error
        texts = [resource, *items] if isinstance(items, list) else [None]
        if not math.isfinite(at) or not all(isinstance(one, str) for one in texts):
            raise UnreadableError
        return cls(showable(at), resource, tuple(items))


def add(pipeline: Pipeline, found: Drift) -> None:
    """Add a find to a pipeline of commands."""
    pipeline.lpush(keys.DRIFT, found.to_json())
    pipeline.ltrim(keys.DRIFT, 0, _MOST - 1)
    pipeline.expire(keys.DRIFT, _KEPT_S)


def read(redis: Redis) -> tuple[Drift, ...]:
    """The last finds, the latest first; may raise `redis.RedisError`."""
    found = []
    for text in cast(list[bytes], redis.lrange(keys.DRIFT, 0, _MOST - 1)):
        try:
            found.append(Drift.from_json(text))
        except UnreadableError:
            continue
    return tuple(found)
