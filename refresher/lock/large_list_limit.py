"""Bulkhead: a process refreshes few large lists at the same time, so that small refreshes go on.

A large list needs memory for five times its size, and processor time for seconds: splitting 7,000
repositories, and compressing 40 MB. Two at once would take from small refreshes twice as much
(Nygard, "Release It!", calls such a limit a bulkhead).

The queue keeps the same limit for the lists that are known to be large: they wait in a lane of
their own (`shared.queue_order`). This limit also holds for a list that turns out to be large when
its first page is read, and for one that a worker of RQ's own takes.
"""

from threading import Lock

from redis import Redis

from shared.redis import keys
from shared.resources.resource import Resource

LARGE = 10  # pages
_FEW = 4  # refreshes at once; with fewer, one large list at once


def large_at_once(refreshes: int) -> int:
    """How many large lists a process may refresh, by the number of all its refreshes."""
    return 2 if refreshes >= _FEW else 1


class LargeListLimit:
    """Counts the large lists that a process refreshes; thread-safe.

    Args:
        redis: holds the names of lists that are known to be large.
        at_once: most large lists that are refreshed at the same time.
    """

    def __init__(self, redis: Redis, at_once: int) -> None:
        self._redis = redis
        self._at_once = at_once
        self._entered: set[str] = set()
        self._lock = Lock()

    def try_enter(self, resource: Resource) -> bool:
        """Enter if a resource, whose lock we hold, is a large list; False if it must wait.

        The caller calls `leave` when the refresh ends. May raise `redis.RedisError`.
        """
        if not resource.kind.is_expanded:
            return True
        if not self._redis.sismember(keys.LARGE, resource.id):
            return True
        return self._enter(resource)

    def leave(self, resource: Resource) -> None:
        """Make room for another large list, if this one had entered."""
        with self._lock:
            self._entered.discard(resource.id)

    def note(self, resource: Resource, pages: int) -> bool:
        """Record a list's length in pages; enter if it is a large one; False if it must wait.

        May raise `redis.RedisError`.
        """
        if pages < LARGE:
            self._redis.srem(keys.LARGE, resource.id)
            self.leave(resource)
            return True
        self._redis.sadd(keys.LARGE, resource.id)
        return self._enter(resource)

    def _enter(self, resource: Resource) -> bool:
        with self._lock:
            if resource.id in self._entered:
                return True
            if len(self._entered) >= self._at_once:
                return False
            self._entered.add(resource.id)
            return True
