"""Takes a resource's Redlock, and holds it for as long as a refresh takes.

No other module takes a lock. See `docs/locking.md` for what the lock guarantees and what the
fencing token of `refresher.storage.entry_writer` guarantees.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress

from redis import ConnectionError as RedisConnectionError
from redis import Redis, RedisError
from redis.client import Pipeline

from refresher.errors import NoQuorumError
from refresher.lock.lock_keeper import LockKeeper
from refresher.lock.redlock_import import (
    PrimitiveError,
    QuorumIsImpossible,
    Redlock,
    inline,
)
from shared.clock import Clock
from shared.queueing import CLAIM
from shared.redis import keys
from shared.redis.scripts import Script
from shared.resources.resource import Resource

# The lock is extended for as long as its holder lives; the job's own time limit ends that.
_UNLIMITED = 1_000_000
# The share of a lock's life that clocks may disagree by (Redis, "Distributed Locks with Redis").
_CLOCK_DRIFT = 0.01
_LONGEST_WAIT = 1.0  # seconds between two checks whether the lock must be extended

# Deletes a mark that no holder of the lock has set. KEYS: the mark. ARGV: the value of a claim.
_REMOVE_CLAIM = Script(
    "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
)


def remove_claim(redis: Redis, key: str) -> None:
    """Delete a mark that no holder of the lock has set; if Redis is unavailable, it expires.

    Args:
        redis: the fleet's Redis.
        key: `keys.running` of a resource.
    """
    with suppress(RedisError):
        _REMOVE_CLAIM(redis, [key], [CLAIM])


class HeldLock:
    """A held lock. `extend_if_due` keeps it; it is lost when it was not extended in time.

    This is not a guarantee: between a check of `is_lost` and the write that follows, the process
    may be stopped for longer than the lock lives. The fencing token of
    `refresher.storage.entry_writer` covers that case.

    Args:
        lock: just acquired.
        mark: tells readers and other refreshers that the lock is held.
        lifetime: seconds that the lock lives without being extended.
        since: `clock.monotonic()` from before the lock was requested.
        clock: the process's clock.
    """

    def __init__(
        self, lock: Redlock, mark: "Mark", *, lifetime: float, since: float, clock: Clock
    ) -> None:
        self._lock = lock
        self._mark = mark
        self._lifetime = lifetime
        self._taken_at = self._extended_at = since
        self._clock = clock

    @property
    def is_lost(self) -> bool:
        """Whether the lock has expired by our own clock, which a stopped process has, too."""
        age = self._clock.monotonic() - self._extended_at
        return age > self._lifetime * (1 - _CLOCK_DRIFT)

    @property
    def age(self) -> float:
        """Seconds since the lock was taken."""
        return self._clock.monotonic() - self._taken_at

    @property
    def is_due(self) -> bool:
        """Whether a third of the lock's life has passed."""
        return self._clock.monotonic() - self._extended_at >= self._lifetime / 3

    def extend_if_due(self) -> bool:
        """Extend the lock if a third of its life has passed; return whether it is still held.

        It is extended three times in its life, so that one lost message loses nothing. Its new life
        counts from the request: the response may be late.
        """
        now = self._clock.monotonic()
        if now - self._extended_at < self._lifetime / 3:
            return True
        if self.is_lost:
            return False
        with suppress(PrimitiveError, RedisError), inline(masters=len(self._lock.masters)):
            self._lock.extend()
            self._extended_at = now
            self._mark.renew()
        return True

    def add_mark(self, pipeline: Pipeline) -> None:
        """Add the mark of the lock's holder to a pipeline."""
        self._mark.add(pipeline)

    def release(self) -> None:
        """Release the lock, if it is still held."""
        if not self.is_lost:
            self._mark.remove()
        # Expired, or Redis is unavailable: it will expire.
        with suppress(PrimitiveError, RedisError), inline(masters=len(self._lock.masters)):
            self._lock.release()


class Mark:
    """A key in the Redis that readers use, which says that a resource's lock is held.

    It is not a lock, and nothing depends on it: in the worst case a refresh is queued that finds
    the lock taken, or a refresh is requested a little late.

    Args:
        redis: the Redis that readers use.
        resource: the locked resource.
        lifetime: seconds until the key expires if its process dies.
    """

    def __init__(self, redis: Redis, resource: Resource, *, lifetime: float) -> None:
        self._redis = redis
        self._key = keys.running(resource)
        self._life_ms = int(1000 * lifetime)

    def renew(self) -> None:
        """Set the key for one more life; may raise `redis.RedisError`."""
        self.add(self._redis)

    def add(self, client: Redis | Pipeline) -> None:
        """The same in a pipeline."""
        client.set(self._key, 1, px=self._life_ms)

    def remove_claim(self) -> None:
        """Delete the key if it is only a claim: the holder of the lock has not set it."""
        remove_claim(self._redis, self._key)

    def remove(self) -> None:
        """Delete the key; if Redis is unavailable, it expires."""
        with suppress(RedisError):
            self._redis.delete(self._key)


class RefreshLocks:
    """Takes the locks of resources.

    Args:
        redis: the Redis that readers use. Without `masters` the locks are there, too.
        lifetime: seconds after which a lock expires if its holder dies.
        clock: the process's clock.
        masters: independent Redis masters; a majority of them grants a lock.
        watchdog: called about once a second while a lock is held, in a thread of its own.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        lifetime: float,
        clock: Clock,
        masters: Collection[Redis] = (),
        watchdog: Callable[[], None] = lambda: None,
    ) -> None:
        self._redis = redis
        self.lifetime = lifetime
        self._clock = clock
        self._masters = masters
        self._keeper = LockKeeper(pause=min(lifetime / 3, _LONGEST_WAIT), watchdog=watchdog)

    def close(self) -> None:
        """End the thread that extends the locks."""
        self._keeper.close()

    @contextmanager
    def take(self, resource: Resource) -> Iterator[HeldLock | None]:
        """Hold a resource's lock inside the block; None, without waiting, if another holds it.

        Raises:
            NoQuorumError: too few of the masters respond.
            redis.RedisError: Redis is unavailable.
        """
        lock = Redlock(
            key=keys.lock_name(resource),
            masters=self._masters or {self._redis},
            auto_release_time=self.lifetime,
            num_extensions=_UNLIMITED,
            raise_on_redis_errors=True,
        )
        since = self._clock.monotonic()
        mark = Mark(self._redis, resource, lifetime=self.lifetime)
        if not self._acquire(lock):
            mark.remove_claim()
            yield None
            return
        held = HeldLock(lock, mark, lifetime=self.lifetime, since=since, clock=self._clock)
        self._keeper.keep(held)
        try:
            yield held
        finally:
            self._keeper.drop(held)
            held.release()

    def _acquire(self, lock: Redlock) -> bool:
        try:
            with inline(masters=len(lock.masters)):
                return bool(lock.acquire(blocking=False))
        except QuorumIsImpossible as error:
            if self._masters:
                raise NoQuorumError from error
            raise RedisConnectionError("no lock can be taken: Redis is away") from error
