"""Holding a resource's Redlock for as long as a refresh takes."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from redis import ConnectionError as RedisConnectionError
from redis import Redis, RedisError

from refresher.errors import LeaseLostError
from refresher.redlock import PrimitiveError, QuorumIsImpossible, Redlock
from shared import keys
from shared.resources import Resource

# The lock is extended for as long as its holder lives; the job's own time limit ends that.
_UNLIMITED = 1_000_000


class Lease:
    """A held lock, extended by a thread of its own until it is released or lost.

    Not a guarantee: a holder that is stopped for longer than the lock lives learns of the loss
    only afterwards. That is what the fencing token of `refresher.writes` is for.

    Args:
        lock: just acquired.
        lifetime: seconds that the lock lives without being extended.
    """

    def __init__(self, lock: Redlock, lifetime: float) -> None:
        self._lock = lock
        self._lifetime = lifetime
        self._released = Event()
        self._lost = Event()
        self._parent = os.getppid()
        self._thread = Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Go on only while the lock is ours.

        Raises:
            LeaseLostError: it no longer is.
        """
        if self._lost.is_set():
            raise LeaseLostError

    def release(self) -> None:
        """Give the lock back, if it is still ours to give."""
        self._released.set()
        self._thread.join()
        with suppress(PrimitiveError, RedisError):  # expired, or Redis is away: it will expire
            self._lock.release()

    def _keep(self) -> None:
        """Extend the lock three times in its life, so that one lost message loses nothing."""
        extended_at = time.monotonic()
        while not self._released.wait(min(self._lifetime / 3, 1.0)):
            self._end_with_parent()
            if time.monotonic() - extended_at < self._lifetime / 3:
                continue
            with suppress(PrimitiveError, RedisError):
                self._lock.extend()
                extended_at = time.monotonic()
            if time.monotonic() - extended_at > self._lifetime:
                self._lost.set()
                return

    def _end_with_parent(self) -> None:
        """End a work horse whose RQ worker is gone: nobody is left to end it if it hangs.

        Without this a worker that was killed, or a Ctrl-C that ran out of patience, leaves an
        orphan behind. Its lock expires, and another worker takes over.
        """
        if os.getppid() != self._parent:
            os._exit(1)


@contextmanager
def lease(resource: Resource, redis: Redis, *, lifetime: float) -> Iterator[Lease | None]:
    """Hold a resource's lock inside the block; None, without waiting, when another holds it.

    Args:
        resource: what to lock.
        redis: where the lock lives.
        lifetime: seconds that the lock outlives a holder that died.

    Raises:
        redis.RedisError: Redis is away.
    """
    lock = Redlock(
        key=keys.lock_name(resource),
        masters={redis},
        auto_release_time=lifetime,
        num_extensions=_UNLIMITED,
        raise_on_redis_errors=True,
    )
    if not _acquire(lock):
        yield None
        return
    held = Lease(lock, lifetime)
    try:
        yield held
    finally:
        held.release()


def _acquire(lock: Redlock) -> bool:
    try:
        return lock.acquire(blocking=False)
    except QuorumIsImpossible as error:
        raise RedisConnectionError("no lock can be taken: Redis is away") from error
