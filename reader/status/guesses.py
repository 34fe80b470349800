"""How guesses of `ADMIN_TOKEN` are slowed: wrong ones are counted together in the whole fleet.

Not by client address: behind a balancer all clients have one, and whoever has many would guess from
each. The right token is looked at first and answered at once, however many wrong ones are given:
an attack must not keep the operator out. So silence tells a client that gives up early that its
guess was wrong; what such a client cannot get around is the token's length, see docs/security.md.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import cast

from redis import Redis, RedisError

from shared.redis import keys

# Of the wrong tokens that were given in this minute of the clock and in the one before it:
AT_ONCE = 5  # so many are answered without delay: an operator mistypes
ANSWERED = 60  # and so many are answered at all
_SECONDS_EACH = 0.5  # that each one more has the answer wait
LONGEST = 10.0  # seconds that it waits at the most
_MINUTE = 60
_KEPT_S = 3 * _MINUTE


@dataclass(frozen=True)
class Slowing:
    """What becomes of the answer to a wrong token.

    Args:
        seconds: that it is held back.
        is_answered: False if the connection is closed then, without an answer.
    """

    seconds: float
    is_answered: bool

    @property
    def is_slow(self) -> bool:
        """Whether there were more wrong tokens than somebody mistypes."""
        return self.seconds > 0


def slowing(lately: int) -> Slowing:
    """What becomes of a wrong token's answer.

    Args:
        lately: wrong tokens that were given in this and in the last minute, this one included.
    """
    seconds = min(LONGEST, _SECONDS_EACH * max(0, lately - AT_ONCE))
    return Slowing(seconds, is_answered=lately <= ANSWERED)


class Guesses:
    """Counts wrong tokens in Redis for the whole fleet; by itself while Redis is away.

    Args:
        clock: gives Unix time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = Lock()
        self._own: dict[int, int] = {}  # by minute

    def count(self, redis: Redis | None) -> int:
        """Count a wrong token; returns how many were given in this and in the last minute.

        Args:
            redis: None if it is known to be away.
        """
        minute = int(self._clock() // _MINUTE)
        own = self._count_own(minute)
        if redis is None:
            return own
        try:
            return max(own, _count_all(redis, minute))
        except (RedisError, TimeoutError):
            return own

    def _count_own(self, minute: int) -> int:
        with self._lock:
            before = self._own.get(minute - 1, 0)
            here = self._own.get(minute, 0) + 1
            self._own = {minute - 1: before, minute: here}
        return before + here


def _count_all(redis: Redis, minute: int) -> int:
    with redis.pipeline() as pipeline:
        pipeline.incr(keys.guesses(minute))
        pipeline.expire(keys.guesses(minute), _KEPT_S)
        pipeline.get(keys.guesses(minute - 1))
        here, _, before = cast(tuple[int, bool, bytes | None], pipeline.execute())
    return here + int(before or 0)
