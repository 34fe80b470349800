"""Waiting for content that is neither in memory nor in Redis: who waits, and the signal to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition

from shared.redis.store import EntryState
from shared.resources.resource import Resource


@dataclass(frozen=True)
class CheckResult:
    """The result of checking a resource in Redis.

    Args:
        state: of the resource.
        turned_away: a refresh was due, but the queue is full.
        suspended: an operator has paused refreshing.
    """

    state: EntryState
    turned_away: bool = False
    suspended: bool = False


class Waiter:
    """One thread's wait for a resource.

    It begins before the first read of Redis, so that no news can be missed in between:

        waiter: reads, finds nothing     refresher: stores, announces    waiter: begins to wait

    would lose the announcement; with the wait begun first it is remembered.
    """

    def __init__(self) -> None:
        self._condition = Condition()
        self._result: CheckResult | None = None

    def tell(self, result: CheckResult) -> None:
        """Hand over the result of a check."""
        with self._condition:
            self._result = result
            self._condition.notify_all()

    def wait(self, seconds: float) -> CheckResult | None:
        """Wait for a result and take it; None if none came in so many seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._result is not None, seconds)
            result, self._result = self._result, None
            return result


class Waiters:
    """The waiters of a process: at most one for a resource, by single flight."""

    def __init__(self) -> None:
        self._waiters: dict[str, Waiter] = {}

    @contextmanager
    def waiting_for(self, resource: Resource) -> Iterator[Waiter]:
        """A waiter that receives the results of checks of a resource inside the block."""
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
        """Hand the result of a check to the waiter for a resource, if there is one."""
        waiter = self._waiters.get(resource.id)
        if waiter is not None:
            waiter.tell(result)
