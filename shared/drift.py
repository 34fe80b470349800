"""Drift: stored content that differs from GitHub's although GitHub has confirmed it.

Refreshers look for it (`refresher.drift`), and tell of it in a list of the last finds. Differences
that may only be older than GitHub's are doubts, and the next comparison may be put off.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from redis import Redis
from redis.client import Pipeline

from shared.errors import UnreadableError
from shared.redis import keys
from shared.time_bounds import showable

# Seconds in which a resource is read anew once: what that does not help must not use the budget up.
HEALED_FOR_S = 3600
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


@dataclass(frozen=True)
class DriftDoubt:
    """A page that differs from GitHub's, and may only be older.

    Args:
        at: Unix time in seconds.
        resource: its name.
    """

    at: float
    resource: str


@dataclass(frozen=True)
class PutOff:
    """No page is compared, because GitHub did not show one.

    Args:
        since: Unix time in seconds.
        until: Unix time in seconds of the next comparison.
    """

    since: float
    until: float

    def to_json(self) -> str:
        """The record as it is stored."""
        return json.dumps(asdict(self))


def put_off_in(text: bytes | None) -> PutOff | None:
    """The record in the turn of comparisons; None if it is absent or damaged."""
    try:
        known = json.loads(text or b"")
        since, until = float(known["since"]), float(known["until"])
    except _DAMAGE:
        return None
    if not (math.isfinite(since) and math.isfinite(until)):
        return None
    return PutOff(showable(since), showable(until))


def doubts_in(known: Mapping[bytes, bytes]) -> tuple[DriftDoubt, ...]:
    """The doubts in the hash `keys.DRIFT_DOUBTS`, the oldest first; without damaged ones."""
    found = []
    for text in known.values():
        try:
            name, _, at, _ = json.loads(text)
        except _DAMAGE:
            continue
        if isinstance(name, str) and type(at) in {int, float} and math.isfinite(at):
            found.append(DriftDoubt(showable(at), name))
    return tuple(sorted(found, key=lambda one: one.at))


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
