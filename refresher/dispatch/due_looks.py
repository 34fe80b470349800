"""Enqueues the looks at tracked resources that are due after events (`shared.looks`).

The times of the next looks lie in Redis, and every refresher enqueues what is due: the queue takes
one job of a resource. A look leaves the set only when a refresh has stored its result, so one whose
refresher was killed is enqueued again. It needs no scheduler.
"""

from collections.abc import Sequence
from typing import cast

from redis import Redis

from shared.looks import APART_S, LAST_S
from shared.marking import REMEMBER_S, member_of
from shared.queue_order import Priority
from shared.queueing import RefreshQueue, RefreshRequest
from shared.redis import keys
from shared.redis.scripts import Script
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.time_bounds import TOLERANCE

_Found = tuple[int, list[tuple[bytes, float]], list[bytes]]
_MOST = 1000  # looks that are enqueued at once

# Removes a resource whose invalidation is done with from the set of looks.
# KEYS: looks, invalidated. ARGV: the member.
_FORGET = Script("""
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
""")


class DueLooks:
    """The looks that are due; methods may raise `redis.RedisError`.

    Args:
        redis: the fleet's Redis.
        catalogue: the tracked resources.
        store: reads the states of resources.
        queue: of refreshes.
    """

    def __init__(
        self, redis: Redis, catalogue: Catalogue, store: Store, queue: RefreshQueue
    ) -> None:
        self._redis = redis
        self._catalogue = catalogue
        self._store = store
        self._queue = queue

    def ask(self, now: float) -> float | None:
        """Enqueue the looks that are due.

        Args:
            now: Unix time in seconds.

        Returns:
            Seconds until the next look is due, if that is within a second; None if not.
        """
        soon = now + APART_S
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zremrangebyscore(keys.LOOKS, "-inf", now - REMEMBER_S)
            pipeline.zrangebyscore(keys.LOOKS, "-inf", soon, start=0, num=_MOST, withscores=True)
            # No look is planned for so late: Redis's clock was set back since.
            late = now + LAST_S + TOLERANCE
            pipeline.zrangebyscore(keys.LOOKS, late, "+inf", start=0, num=_MOST)
            _, found, late_ones = cast(_Found, tuple(pipeline.execute()))
        due = [member.decode() for member in [*late_ones, *(one for one, at in found if at <= now)]]
        self._ask([one for one in map(self._resource, due) if one is not None], now)
        later = [at - now for _, at in found if at > now]
        return min(later) if later else None

    def _resource(self, member: str) -> Resource | None:
        """The resource of a member; None if processes with other settings keep it."""
        resource = self._catalogue.named(member.partition(" ")[2])
        return resource if resource is not None and member_of(resource) == member else None

    def _ask(self, resources: Sequence[Resource], now: float) -> None:
        """Enqueue looks, unless something holds them back: then they are still due afterwards."""
        if not resources:
            return
        states = self._store.states(resources)
        requests = []
        for resource, state in zip(resources, states, strict=True):
            if state.invalidated_by is None:
                _FORGET(
                    self._redis, [keys.LOOKS, keys.invalidated_by(resource)], [member_of(resource)]
                )
            elif not (state.is_asked or state.is_held_back(now) or state.is_current(now)):
                requests.append(RefreshRequest(resource, Priority.INVALIDATED))
        self._queue.ask_all(requests)
