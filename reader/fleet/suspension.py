"""Pausing and resuming all refreshers, by RQ's own means: `rq suspend` and `rq resume` do the same.

Since when it lasts is noted beside, for people.
"""

import time

from redis import Redis
from rq import suspension

from shared.redis import keys


def suspend(redis: Redis) -> None:
    """Have refreshers take no more jobs; may raise `redis.RedisError`."""
    redis.set(keys.SUSPENDED, time.time(), nx=True)
    suspension.suspend(redis)


def resume(redis: Redis) -> None:
    """Have them go on; may raise `redis.RedisError`."""
    suspension.resume(redis)
    redis.delete(keys.SUSPENDED)
