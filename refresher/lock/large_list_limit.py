"""Bulkhead: large lists never occupy all refreshers; one stays free for everything else.

A list of 7,000 repositories keeps a refresher busy for a minute. With several organisations of that
size, as many refreshers would be busy, and a small resource that a client waits for would come
after all of them. So a large list is held back while large lists are being refreshed by all
refreshers except one. Like any stale resource, it is requested again within a second or two.

Which lists are being refreshed is read from the marks of their locks. These expire with their
processes, so nothing has to be released (Nygard, "Release It!", calls this a bulkhead).
"""

from collections.abc import Sequence
from typing import cast

from redis import Redis
from rq import Queue, Worker

from shared.queueing import QUEUE
from shared.redis import keys
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource

LARGE = 10  # pages


class LargeListLimit:
    """Decides whether a large list may be refreshed now; methods may raise `redis.RedisError`.

    Args:
        redis: holds the marks of locks and the registered workers.
        catalogue: the tracked resources; no other resource is expanded.
    """

    def __init__(self, redis: Redis, catalogue: Catalogue) -> None:
        self._redis = redis
        self._lists = [resource for resource in catalogue.tracked if resource.kind.is_expanded]

    def holds_back(self, resource: Resource) -> bool:
        """Whether a resource, whose lock we hold, is a large list that must wait."""
        if not resource.kind.is_expanded or not self._is_large([resource])[0]:
            return False
        others = [other for other in self._lists if other != resource]
        if not others:
            return False
        large = [
            other for other, found in zip(others, self._is_large(others), strict=True) if found
        ]
        at_work = self._redis.exists(*map(keys.running, large)) if large else 0
        return at_work >= max(1, self._workers() - 1)

    def note(self, resource: Resource, pages: int) -> bool:
        """Record a list's length in pages; return whether it is large and was not known to be."""
        if pages >= LARGE:
            return bool(self._redis.sadd(keys.LARGE, resource.id))
        self._redis.srem(keys.LARGE, resource.id)
        return False

    def _is_large(self, resources: Sequence[Resource]) -> list[bool]:
        found = self._redis.smismember(keys.LARGE, [resource.id for resource in resources])
        return [bool(one) for one in cast(list[int], found)]

    def _workers(self) -> int:
        return Worker.count(queue=Queue(QUEUE, connection=self._redis))
