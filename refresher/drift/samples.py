"""Which resource is compared with GitHub: at random, each page of the fleet's about as often."""

from collections.abc import Callable, Sequence
from typing import cast

from redis import Redis

from refresher.content.pagination import PER_PAGE
from shared.redis import keys
from shared.redis.entry_state import EntryState
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource

_TRIED = 10  # resources on demand, of which one is fresh enough
_LEAST = 0.25  # share of checks that tracked and on-demand content have at least
Sample = tuple[Resource, EntryState]


def is_undisputed(state: EntryState) -> bool:
    """Whether content is stored, and no event, failure or doubt about it is pending."""
    metadata, pending = state.metadata, (state.invalidated_by, state.failure, state.suspicion)
    return (
        metadata is not None
        and metadata.status == 200
        and not metadata.is_awaited
        and all(one is None for one in pending)
        and state.is_complete
    )


class Samples:
    """Chooses resources; methods may raise `redis.RedisError`.

    Args:
        redis: the fleet's Redis.
        catalogue: the tracked resources.
        store: reads the states of resources.
        chance: returns a random number from 0 up to 1.
    """

    def __init__(
        self, redis: Redis, catalogue: Catalogue, store: Store, chance: Callable[[], float]
    ) -> None:
        self._redis = redis
        self._catalogue = catalogue
        self._store = store
        self._chance = chance

    def one(self, now: float) -> Sample | None:
        """A resource whose content is fresh and undisputed; None if none was found.

        Args:
            now: Unix time in seconds.
        """
        tracked = self._fresh(self._catalogue.tracked, now)
        weights = [_pages(state) for _, state in tracked]
        on_demand = int(self._redis.zcard(keys.KEPT))
        if tracked and self._chance() < _share(sum(weights), on_demand):
            return tracked[self._weighed(weights)]
        found = self._fresh(self._on_demand(), now) if on_demand else []
        if found:
            return found[0]
        return tracked[self._weighed(weights)] if tracked else None

    def named(self, name: str) -> Resource | None:
        """The resource of that name, if this process may fetch it."""
        return self._catalogue.named(name)

    def number(self, count: int) -> int:
        """One of so many numbers, from 0."""
        return min(int(self._chance() * count), count - 1)

    def _weighed(self, weights: Sequence[int]) -> int:
        """A number of an element, as probable as its weight."""
        left = self.number(sum(weights))
        for at, weight in enumerate(weights):
            if left < weight:
                return at
            left -= weight
        return 0

    def _fresh(self, resources: Sequence[Resource], now: float) -> list[Sample]:
        # A search has a limit of its own, and shows the same in another order.
        resources = [one for one in resources if not one.path.startswith("/search/")]
        if not resources:
            return []
        states = self._store.states(resources)
        return [
            (resource, state)
            for resource, state in zip(resources, states, strict=True)
            if is_undisputed(state) and state.is_current(now)
        ]

    def _on_demand(self) -> list[Resource]:
        """Some of the resources on demand that are stored, in a random order."""
        ids = cast(list[bytes], self._redis.zrandmember(keys.KEPT, _TRIED))
        with self._redis.pipeline(transaction=False) as pipeline:
            for one in ids:
                pipeline.hget(keys.content_of(one.decode())[0], "name")
            names = cast(list[bytes | None], pipeline.execute())
        found = [
            None if name is None else self._catalogue.named(name.decode(errors="replace"))
            for name in names
        ]
        return [one for one in found if one is not None and not one.tracked]


def _pages(state: EntryState) -> int:
    items = state.metadata.items if state.metadata else None
    return 1 + (items or 0) // PER_PAGE


def _share(tracked: int, on_demand: int) -> float:
    """The share of checks for tracked content."""
    if not on_demand:
        return 1.0
    return min(max(tracked / (tracked + on_demand), _LEAST), 1 - _LEAST)
