"""Time that passes for what the budget has stored in Redis, without waiting for it.

The budget's scripts read Redis's clock. So a test makes what is stored older instead. The clock
itself stands still, for Redis too: a test that gets no processor for a while finds the same.
"""

import time
from typing import cast

import pytest
from redis import Redis

from refresher.github import budget
from shared.budgets import SLOT_SECONDS, SLOTS
from shared.redis import keys
from shared.redis.scripts import Script

_TIMES = ("at", "until", "hold", "reset")
_SCRIPTS = ("_RESERVE", "_RENEW", "_SETTLE", "_PAUSE", "_SET_ASIDE", "_REFUSE")
_CLOCK = "redis.call('TIME')"


class Passing:
    """The clock of a process in a test: `later` moves it, and ages what Redis holds.

    Args:
        redis: holds a budget.
        patch: stops the clocks, until the test ends.

    Attributes:
        now: Unix time in seconds, by every clock.
        passed: seconds that the test has let pass.
    """

    def __init__(self, redis: Redis, patch: pytest.MonkeyPatch) -> None:
        self._redis = redis
        self.passed = 0.0
        seconds, microseconds = redis.time()
        self.now = seconds + microseconds / 1e6
        patch.setattr(time, "time", lambda: self.now)
        for name in _SCRIPTS:
            text: str = getattr(budget, name).text
            assert _CLOCK in text
            stopped = text.replace(_CLOCK, f"{{{seconds}, {microseconds}}}")
            patch.setattr(budget, name, Script(stopped))

    def monotonic(self) -> float:
        """Seconds since a fixed point."""
        return self.passed

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.passed += seconds
        redis = self._redis
        for key in cast(list[bytes], redis.keys("*")):
            if redis.type(key) == b"hash" and b":budget-history:" in key:
                self._turn(key, seconds)
            elif redis.type(key) == b"hash":
                if b":refused:" in key:
                    self._age_refusals(key.decode(), seconds)
                for name in _TIMES:
                    value = cast(bytes | None, redis.hget(key.decode(), name))
                    if value is not None:
                        redis.hset(key.decode(), name, str(float(value) - seconds))
            if 0 <= redis.pttl(key) <= 1000 * seconds:
                redis.delete(key)
            elif redis.pttl(key) > 0:
                redis.pexpire(key, redis.pttl(key) - int(1000 * seconds))
        for name in (keys.IN_FLIGHT, keys.BUDGETS):
            for member, score in cast(
                list[tuple[bytes, float]], redis.zrange(name, 0, -1, withscores=True)
            ):
                redis.zadd(name, {member: score - seconds})

    def _age_refusals(self, key: str, seconds: float) -> None:
        """Make older where a credential is refused."""
        for place, value in cast(dict[bytes, bytes], self._redis.hgetall(key)).items():
            at, until, message = value.decode().split(" ", 2)
            aged = f"{float(at) - seconds:.6f} {float(until) - seconds:.6f} {message}"
            self._redis.hset(key, place.decode(), aged)

    def _turn(self, key: bytes, seconds: float) -> None:
        """Move a history by whole slots."""
        values = cast(list[bytes], self._redis.hvals(key.decode()))
        self._redis.delete(key)
        for value in values:
            slot, left = value.split()
            moved = int(slot) - round(seconds / SLOT_SECONDS)
            self._redis.hset(key.decode(), str(moved % SLOTS), f"{moved} {left.decode()}")
