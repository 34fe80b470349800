"""Delays for wrong `ADMIN_TOKEN`s, which are counted together for the whole fleet.

They are not counted by client address: behind a load balancer all clients have the same address,
and an attacker with many addresses would guess from each. The correct token is checked first and
answered at once, however many wrong ones arrive: an attack must not lock the operator out. So a
client that gives up early learns from the silence that its guess was wrong. The token's length
protects against such a client, see docs/security.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import cast

from redis import Redis, RedisError

from reader.fleet.hold_facts import AT_ONCE, MINUTE_S
from shared.redis import keys

# Of the wrong tokens in this minute of the clock and the one before it:
ANSWERED = 60  # so many get a response at all, `AT_ONCE` of them without delay: operators mistype
_SECONDS_EACH = 0.5  # by which each further one delays the response
LONGEST = 10.0  # seconds, the longest delay
_KEPT_S = 3 * MINUTE_S


@dataclass(frozen=True)
class Throttling:
    """What happens to the response to a wrong token.

    Args:
        seconds: by which it is delayed.
        is_answered: False if the connection is then closed without a response.
    """

    seconds: float
    is_answered: bool

    @property
    def is_slow(self) -> bool:
        """Whether there were more wrong tokens than a mistyping operator sends."""
        return self.seconds > 0


def throttling(recent: int) -> Throttling:
    """The treatment of a wrong token.

    Args:
        recent: wrong tokens in this and the last minute, this one included.
    """
    seconds = min(LONGEST, _SECONDS_EACH * max(0, recent - AT_ONCE))
    return Throttling(seconds, is_answered=recent <= ANSWERED)


class Guesses:
    """Counts wrong tokens in Redis for the whole fleet; in memory while Redis is unavailable.

    Args:
        clock: returns Unix time in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._own: dict[int, int] = {}  # by minute

    def count(self, redis: Redis | None) -> int:
        """Count a wrong token; returns how many there were in this and the last minute.

        Args:
            redis: None if it is known to be away.
        """
        minute = int(self._clock() // MINUTE_S)
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
