"""Pauses and resumes all refreshers, with RQ's own means: `rq suspend` and `rq resume` do the same.

The time at which the pause began is stored as well, for people. Resuming also ends every pause that
GitHub or our own caution imposed before: its time is stored, and what was recorded before that time
holds nothing back any more.
"""

from redis import Redis
from rq import suspension

from shared.clock import seconds_of
from shared.redis import keys

_REMEMBER_S = 7200  # longer than any pause


def suspend(redis: Redis, *, now: float) -> None:
    """Suspend the refreshers: they take no more jobs; may raise `redis.RedisError`.

    Args:
        redis: a client.
        now: Unix time in seconds; kept if refreshing is paused already.
    """
    # `rq resume` leaves the time of an earlier pause behind.
    redis.set(keys.SUSPENDED, now, nx=bool(suspension.is_suspended(redis)))
    suspension.suspend(redis)


def resume(redis: Redis) -> None:
    """Let the refreshers take jobs again, and end all pauses; may raise `redis.RedisError`."""
    now = seconds_of(redis.time())
    redis.set(keys.RESUMED, now, ex=_REMEMBER_S)
    suspension.resume(redis)
    redis.delete(keys.SUSPENDED)
