"""Makes all content stale, as if an event had touched each part of it.

So many lost deliveries are made good at the price of one look at everything: tracked content is
refreshed now, and on-demand content when somebody reads it.
"""

from redis import Redis

from shared.queue_order import Priority
from shared.queueing import RefreshQueue, RefreshRequest
from shared.redis import event_record, keys
from shared.redis.announcements import Announcement
from shared.resources.catalogue import Catalogue
from shared.resources.event_scopes import EVERYTHING


class Everything:
    """All content of the cache; methods may raise `redis.RedisError`.

    Args:
        redis: the fleet's Redis.
        catalogue: the tracked resources.
        queue: of refreshes.
        remember: seconds for which on-demand content from before an event may be held.
    """

    def __init__(
        self, redis: Redis, catalogue: Catalogue, queue: RefreshQueue, *, remember: float
    ) -> None:
        self._redis = redis
        self._catalogue = catalogue
        self._queue = queue
        self._remember = remember

    def make_stale(self) -> None:
        """Invalidate all content."""
        event_record.record(self._redis, [EVERYTHING], remember=self._remember)
        for resource in self._catalogue.tracked:
            self._queue.mark(resource)
            self._queue.ask(RefreshRequest(resource, Priority.INVALIDATED))
            number = self._redis.incr(keys.CHANGES)
            self._redis.publish(keys.ANNOUNCE, Announcement(resource.name, number).to_json())
