"""Large lists never take all refreshers: one is left for everything else.

A list of 7,000 repositories keeps a refresher busy for a minute. Where several organisations are
that large, as many refreshers would be, and a small thing that a client waits for would come after
all of them. So a large list is left for later while large lists are at work in all refreshers but
one. It is asked for again within a second or two, as whatever is stale is.

Who is at work is read from marks that end with their makers, so nothing has to be given back
(Nygard, "Release It!", calls this a bulkhead).
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
    """Who may begin with a large list; methods may raise `redis.RedisError`.

    Args:
        redis: where who is at work, and the workers, are known.
        catalogue: what is tracked: nothing else is expanded.
    """

    def __init__(self, redis: Redis, catalogue: Catalogue) -> None:
        self._redis = redis
        self._lists = [resource for resource in catalogue.tracked if resource.kind.is_list]

    def holds_back(self, resource: Resource) -> bool:
        """Whether a resource, whose lock is held, is a large list that should wait."""
        if not resource.kind.is_list or not self._is_large([resource])[0]:
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
        """Take note of a list's length; gives whether it turned out to be a large one just now."""
        if pages >= LARGE:
            return bool(self._redis.sadd(keys.LARGE, resource.id))
        self._redis.srem(keys.LARGE, resource.id)
        return False

    def _is_large(self, resources: Sequence[Resource]) -> list[bool]:
        found = self._redis.smismember(keys.LARGE, [resource.id for resource in resources])
        return [bool(one) for one in cast(list[int], found)]

    def _workers(self) -> int:
        return Worker.count(queue=Queue(QUEUE, connection=self._redis))
