"""Waiting for content that is nowhere yet: who waits, and the signal that something was learnt."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition

from shared.redis.store import EntryState
from shared.resources.resource import Resource


@dataclass(frozen=True)
class CheckResult:
    """What a look at Redis taught.

    Args:
        look: what it holds.
        turned_away: a refresh was called for, but the queue is full.
        suspended: an operator has refreshing paused.
    """

    state: EntryState
    turned_away: bool = False
    suspended: bool = False


class Waiter:
    """One thread's wait for a resource.

    It begins before the first look at Redis, so that no news can fall in between:

        waiter: looks, finds nothing     refresher: stores, announces    waiter: begins to wait

    would lose the announcement; with the wait begun first it is remembered.
    """

    def __init__(self) -> None:
        self._condition = Condition()
        self._result: CheckResult | None = None

    def tell(self, result: CheckResult) -> None:
        """Say what was just learnt."""
        with self._condition:
            self._result = result
            self._condition.notify_all()

    def wait(self, seconds: float) -> CheckResult | None:
        """Wait for news and take it; None when there was none in so many seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._result is not None, seconds)
            result, self._result = self._result, None
            return result


class Waiters:
    """The resources that threads of this process wait for, one thread each."""

    def __init__(self) -> None:
        self._waiters: dict[str, Waiter] = {}

    @contextmanager
    def waiting_for(self, resource: Resource) -> Iterator[Waiter]:
        """Be told of news of a resource until the block is left."""
        waiter = self._waiters[resource.id] = Waiter()
        try:
            yield waiter
        finally:
            if self._waiters.get(resource.id) is waiter:
                del self._waiters[resource.id]

    def has_waiter(self, resource: Resource) -> bool:
        """Whether a thread waits for a resource."""
        return resource.id in self._waiters

    def tell(self, resource: Resource, result: CheckResult) -> None:
        """Tell whoever waits for a resource what was just learnt of it."""
        waiter = self._waiters.get(resource.id)
        if waiter is not None:
            waiter.tell(result)
