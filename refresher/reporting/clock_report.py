"""What a refresher says of its machine's clock: once in its log, and in Redis for readers."""

import logging

from redis import Redis

from shared.clock import FleetClock
from shared.clock_skew import SkewLog
from shared.redis import keys

_PAUSE = 10.0  # seconds between two reports
_REMEMBER_S = 1800  # longer than a job may take, during which the worker reports nothing


class ClockReport:
    """Reports how far a refresher's clock is from Redis's.

    Args:
        redis: the fleet's Redis.
        name: of the refresher in RQ's registry.
        clock: Redis's clock as the process knows it.
        log: the process's log.
    """

    def __init__(self, redis: Redis, name: str, *, clock: FleetClock, log: logging.Logger) -> None:
        self._redis = redis
        self._key = keys.refresher(name)
        self._clock = clock
        self._skew_log = SkewLog(clock, log)
        self._reported_at = float("-inf")

    def report(self) -> None:
        """Measure and report, unless that was done a moment ago; may raise `redis.RedisError`."""
        now = self._clock.monotonic()
        if now - self._reported_at < _PAUSE:
            return
        self._reported_at = now
        self._clock.measure(self._redis)
        with self._redis.pipeline() as pipeline:
            pipeline.hset(self._key, "skew", str(round(self._skew_log.check(), 1)))
            pipeline.expire(self._key, _REMEMBER_S)
            pipeline.execute()
