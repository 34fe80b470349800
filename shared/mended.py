"""Damaged values in Redis that were removed or given an expiry: what refreshers tell of them."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import cast

from redis import Redis
from redis.client import Pipeline

from shared import measures
from shared.measures import Measure
from shared.redis import keys
from shared.time_bounds import showable

_MOST = 20  # that are told of
_KEPT_S = 7 * 24 * 3600


class Damage(StrEnum):
    """What was wrong with a value."""

    TYPE = "type"  # it was of another type, and was removed
    EXPIRY = "expiry"  # it would never have expired


@dataclass(frozen=True)
class Mended:
    """A value that was damaged.

    Args:
        at: Unix time in seconds.
        key: where it was, with `*` for each id: an id may be a digest of a secret, or an address.
        damage: what was wrong.
        found: the type that it had.
    """

    at: float
    key: str
    damage: Damage
    found: str

    @property
    def words(self) -> str:
        """What was wrong, for people."""
        if self.damage is Damage.TYPE:
            return f"{self.key} held a {self.found}"
        return f"{self.key} did not expire"


def add(pipeline: Pipeline, mended: Sequence[Mended]) -> None:
    """Add what was mended to a pipeline of commands."""
    for one in mended:
        pipeline.lpush(keys.MENDED, json.dumps(asdict(one)))
    pipeline.ltrim(keys.MENDED, 0, _MOST - 1)
    pipeline.expire(keys.MENDED, _KEPT_S)
    measures.add(pipeline, Counter((Measure.MENDED, (one.damage,)) for one in mended))


def read(redis: Redis) -> tuple[Mended, ...]:
    """The values that were mended last, the latest first; may raise `redis.RedisError`."""
    texts = cast(list[bytes], redis.lrange(keys.MENDED, 0, _MOST - 1))
    return tuple(one for one in map(_parse, texts) if one is not None)


def _parse(text: bytes) -> Mended | None:
    try:
        known = json.loads(text)
        at, key, found = float(known["at"]), str(known["key"]), str(known["found"])
        damage = Damage(known["damage"])
    except (OverflowError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return Mended(showable(at), key, damage, found) if math.isfinite(at) else None
