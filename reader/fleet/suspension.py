"""Pauses and resumes all refreshers, with RQ's own means: `rq suspend` and `rq resume` do the same.

The time at which the pause began is stored as well, for people.
"""

from redis import Redis
from rq import suspension

from shared.redis import keys


def suspend(redis: Redis, *, now: float) -> None:
    """Suspend the refreshers: they take no more jobs; may raise `redis.RedisError`.

    Args:
        redis: a client.
        now: Unix time in seconds; kept if refreshing is paused already.
    """
    redis.set(keys.SUSPENDED, now, nx=True)
    suspension.suspend(redis)


def resume(redis: Redis) -> None:
    """Let the refreshers take jobs again; may raise `redis.RedisError`."""
    suspension.resume(redis)
    redis.delete(keys.SUSPENDED)
