"""Everything in Redis that a refresh reads and writes, in one record."""

from dataclasses import dataclass

from redis import Redis

from refresher.storage import page_store
from refresher.storage.entry_writer import EntryWriter
from refresher.storage.page_store import KnownPages
from shared.clock import FleetClock
from shared.redis.store import Lifetimes, Store
from shared.resources.resource import Resource
from shared.settings import Settings


@dataclass(frozen=True)
class Storage:
    """The reading and the writing side of Redis; methods may raise `redis.RedisError`.

    Args:
        redis: the fleet's Redis.
        store: reads entries, as readers do.
        writer: writes entries, if the fencing token is valid.
    """

    redis: Redis
    store: Store
    writer: EntryWriter

    @classmethod
    def of(cls, redis: Redis, settings: Settings, *, clock: FleetClock | None = None) -> "Storage":
        """The storage in a Redis.

        Args:
            redis: a client.
            settings: the lifetimes and the bounds of content.
            clock: is told Redis's time with each token and each reading of states.
        """
        store = Store(redis, clock=clock, lifetimes=Lifetimes.of(settings))
        return cls(redis, store, EntryWriter(redis, settings, clock=clock))

    def pages(self, resource: Resource) -> KnownPages:
        """The stored pages of a resource; empty if none are stored."""
        return page_store.load(self.redis, resource)
