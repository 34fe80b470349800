"""Holding a resource's Redlock for as long as a refresh takes."""

import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from redis import ConnectionError as RedisConnectionError
from redis import Redis, RedisError

from refresher.errors import LeaseLostError, NoQuorumError
from refresher.lock.redlock_import import PrimitiveError, QuorumIsImpossible, Redlock
from shared.redis import keys
from shared.resources.resource import Resource

# The lock is extended for as long as its holder lives; the job's own time limit ends that.
_UNLIMITED = 1_000_000
# The share of a lock's life that clocks may disagree by (Redis, "Distributed Locks with Redis").
_CLOCK_DRIFT = 0.01


class HeldLock:
    """A held lock, extended by a thread of its own until it is released or lost.

    Not a guarantee: between a `check` and the write that follows, a process may be stopped for
    longer than the lock lives. That is what the fencing token of `refresher.storage.entry_writer`
    is for.

    Args:
        lock: just acquired.
        mark: tells everybody that somebody holds the lock.
        lifetime: seconds that the lock lives without being extended.
        since: `time.monotonic()` from before it was asked for.
    """

    def __init__(self, lock: Redlock, mark: "Mark", *, lifetime: float, since: float) -> None:
        self._lock = lock
        self._mark = mark
        self._lifetime = lifetime
        self._extended_at = since
        self._released = Event()
        self._parent = os.getppid()
        self._thread = Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Go on only while the lock is ours, by our own clock: a stopped process has it, too.

        Raises:
            LeaseLostError: it no longer is.
        """
        if self._is_lost():
            raise LeaseLostError

    def release(self) -> None:
        """Give the lock back, if it is still ours to give."""
        self._released.set()
        self._thread.join()
        if not self._is_lost():
            self._mark.remove()
        with suppress(PrimitiveError, RedisError):  # expired, or Redis is away: it will expire
            self._lock.release()

    def _is_lost(self) -> bool:
        return time.monotonic() - self._extended_at > self._lifetime * (1 - _CLOCK_DRIFT)

    def _keep(self) -> None:
        """Extend the lock three times in its life, so that one lost message loses nothing.

        Its new life counts from when it was asked for: the answer may be late.
        """
        while not self._released.wait(min(self._lifetime / 3, 1.0)):
            self._end_with_parent()
            now = time.monotonic()
            if now - self._extended_at < self._lifetime / 3:
                continue
            if self._is_lost():
                return
            with suppress(PrimitiveError, RedisError):
                self._lock.extend()
                self._extended_at = now
                self._mark.renew()

    def _end_with_parent(self) -> None:
        """End a work horse whose RQ worker is gone: nobody is left to end it if it hangs.

        Without this a worker that was killed, or a Ctrl-C that ran out of patience, leaves an
        orphan behind. Its lock expires, and another worker takes over.
        """
        if os.getppid() != self._parent:
            os._exit(1)


class Mark:
    """Says in the Redis that everybody looks at that somebody holds a resource's lock.

    It is no lock, and nobody relies on it: at worst a refresh is queued that finds the lock taken,
    or one is asked for a little late.

    Args:
        redis: that readers look at.
        resource: whose lock it is.
        lifetime: seconds that it outlives its maker.
    """

    def __init__(self, redis: Redis, resource: Resource, *, lifetime: float) -> None:
        self._redis = redis
        self._key = keys.running(resource)
        self._life_ms = int(1000 * lifetime)

    def renew(self) -> None:
        """Set it, for one more life; may raise `redis.RedisError`."""
        self._redis.set(self._key, 1, px=self._life_ms)

    def remove(self) -> None:
        """Take it away; where Redis is away it ends by itself."""
        with suppress(RedisError):
            self._redis.delete(self._key)


@contextmanager
def lease(
    resource: Resource, redis: Redis, *, lifetime: float, masters: Collection[Redis] = ()
) -> Iterator[HeldLock | None]:
    """Hold a resource's lock inside the block; None, without waiting, when another holds it.

    Args:
        resource: what to lock.
        redis: where readers see that it is held; the lock lives there, too, without `masters`.
        lifetime: seconds that the lock outlives a holder that died.
        masters: independent ones, of which a majority gives the lock.

    Raises:
        NoQuorumError: too few of the masters answer.
        redis.RedisError: Redis is away.
    """
    lock = Redlock(
        key=keys.lock_name(resource),
        masters=masters or {redis},
        auto_release_time=lifetime,
        num_extensions=_UNLIMITED,
        raise_on_redis_errors=True,
    )
    since = time.monotonic()
    try:
        acquired = lock.acquire(blocking=False)
    except QuorumIsImpossible as error:
        if masters:
            raise NoQuorumError from error
        raise RedisConnectionError("no lock can be taken: Redis is away") from error
    if not acquired:
        yield None
        return
    mark = Mark(redis, resource, lifetime=lifetime)
    held = HeldLock(lock, mark, lifetime=lifetime, since=since)
    try:
        mark.renew()
        yield held
    finally:
        held.release()
