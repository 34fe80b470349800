"""Everything in Redis that a refresh reads and writes, in one record."""

from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis, RedisError
from redis.client import Pipeline
from redis.exceptions import ResponseError

from refresher.storage import page_store
from refresher.storage.entry_writer import EntryWriter
from refresher.storage.mending import Mender
from refresher.storage.page_store import KnownPages
from refresher.storage.unfinished_readings import UnfinishedReadings
from shared.clock import FleetClock
from shared.redis import keys
from shared.redis.entry_state import EntryState
from shared.redis.lifetimes import Lifetimes
from shared.redis.scripts import Batch, is_of_wrong_type
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
        clock: Redis's clock.
        mender: removes damaged values.
    """

    redis: Redis
    store: Store
    writer: EntryWriter
    readings: UnfinishedReadings
    clock: FleetClock
    mender: Mender

    @classmethod
    def of(cls, redis: Redis, settings: Settings, *, clock: FleetClock | None = None) -> "Storage":
        """The storage in a Redis.

        Args:
            redis: a client.
            settings: the lifetimes and the bounds of content.
            clock: is told Redis's time with each token and each reading of states.
        """
        clock = FleetClock() if clock is None else clock
        store = Store(redis, clock=clock, lifetimes=Lifetimes.of(settings))
        readings = UnfinishedReadings(redis, settings)
        keep = settings.on_demand_ttl + settings.on_demand_keep
        mender = Mender(redis, keep=keep, now=clock.now)
        return cls(redis, store, EntryWriter(redis, settings, clock=clock), readings, clock, mender)

    def begin(self, resource: Resource, mark: Callable[[Pipeline], None]) -> tuple[int, EntryState]:
        """A fencing token for a refresh, and the state of its entry, in one round trip.

        Args:
            resource: to refresh, with its lock held.
            mark: adds the mark of the lock's holder.
        """
        batch, sent_at = Batch(self.redis), self.clock.monotonic()
        self.writer.add_draw(batch, resource)
        self.store.add_state(batch.pipeline, resource)
        mark(batch.pipeline)
        drawn, *state, _ = batch.execute(may_be_damaged=True)
        if isinstance(drawn, RedisError):
            raise drawn
        token = self.writer.drawn(drawn, sent_at=sent_at)
        return token, self.store.state_from(resource, state, sent_at=sent_at)

    def pages(self, resource: Resource) -> KnownPages:
        """The stored pages of a resource; empty if none are stored."""
        return page_store.load(self.redis, resource)

    def replaced_until(self, resource: Resource, etag: str) -> float:
        """Unix time in seconds until which looks do not take this content again; 0 for now."""
        try:
            until = self.redis.zscore(keys.replaced(resource), etag)
        except ResponseError as error:
            if is_of_wrong_type(error):
                return 0.0
            raise
        return float(until or 0)
