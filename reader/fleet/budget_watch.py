"""The thread that reads once a second what the fleet has left of GitHub's limits.

Responses say it, and must not wait for Redis. While Redis is away, the last known goes on to count.
"""

import logging
from collections.abc import Callable
from threading import Event, Thread

from redis import Redis, RedisError

from reader.response.rate_limits import RateLimits
from shared import budgets

log = logging.getLogger("reader")

_TICK = 1.0  # seconds


class BudgetWatch:
    """Keeps the limits of a process up to date; made after the fork.

    Args:
        redis: a client.
        limits: to keep up to date.
        clock: returns Unix time in seconds, by Redis's clock.
    """

    def __init__(self, redis: Redis, limits: RateLimits, *, clock: Callable[[], float]) -> None:
        self._redis = redis
        self.limits = limits
        self._clock = clock
        self._stopped = Event()

    def start(self) -> None:
        """Start the thread; call it after any fork."""
        Thread(target=self._run, name="budget-watch", daemon=True).start()

    def stop(self) -> None:
        """End the thread after its current look."""
        self._stopped.set()

    def look(self) -> None:
        """Read the budgets once; may raise `redis.RedisError`."""
        self.limits.learn(budgets.read_left(self._redis, now=self._clock()))

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except RedisError:
                pass  # the synchronizer has logged it
            except Exception:
                log.exception("unexpected error while reading budgets")
            if self._stopped.wait(_TICK):
                return
