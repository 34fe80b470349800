"""Everything in Redis that a refresh reads and writes, in one record."""

from dataclasses import dataclass

from redis import Redis

from refresher.storage import page_store
from refresher.storage.entry_writer import EntryWriter
from refresher.storage.page_store import KnownPages
from refresher.storage.unfinished_readings import UnfinishedReadings
from shared.redis.store import Store
from shared.resources.resource import Resource
from shared.settings import Settings


@dataclass(frozen=True)
class Storage:
    """The reading and the writing side of Redis; methods may raise `redis.RedisError`.

    Args:
        redis: the fleet's Redis.
        store: reads entries, as readers do.
        writer: writes entries, if the fencing token is valid.
        readings: keeps the pages of lists that are being read, under the same condition.
    """

    redis: Redis
    store: Store
    writer: EntryWriter
    readings: UnfinishedReadings

    @classmethod
    def of(cls, redis: Redis, settings: Settings) -> "Storage":
        """The storage in a Redis."""
        readings = UnfinishedReadings(redis, settings)
        return cls(redis, Store(redis), EntryWriter(redis, settings), readings)

    def pages(self, resource: Resource) -> KnownPages:
        """The stored pages of a resource; empty if none are stored."""
        return page_store.load(self.redis, resource)
