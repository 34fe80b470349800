"""Waiting for content that is nowhere yet: who waits, and the signal that something was learnt."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition

from shared.redis.store import Look
from shared.resources.resource import Resource


@dataclass(frozen=True)
class News:
    """What a look at Redis taught.

    Args:
        look: what it holds.
        turned_away: a refresh was called for, but the queue is full.
        suspended: an operator has refreshing paused.
    """

    look: Look
    turned_away: bool = False
    suspended: bool = False


class Expected:
    """One thread's wait for a resource.

    It begins before the first look at Redis, so that no news can fall in between:

        waiter: looks, finds nothing     refresher: stores, announces    waiter: begins to wait

    would lose the announcement; with the wait begun first it is remembered.
    """

    def __init__(self) -> None:
        self._condition = Condition()
        self._news: News | None = None

    def tell(self, news: News) -> None:
        """Say what was just learnt."""
        with self._condition:
            self._news = news
            self._condition.notify_all()

    def wait(self, seconds: float) -> News | None:
        """Wait for news and take it; None when there was none in so many seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._news is not None, seconds)
            news, self._news = self._news, None
            return news


class Arrivals:
    """The resources that threads of this process wait for, one thread each."""

    def __init__(self) -> None:
        self._expected: dict[str, Expected] = {}

    @contextmanager
    def expect(self, resource: Resource) -> Iterator[Expected]:
        """Be told of news of a resource until the block is left."""
        expected = self._expected[resource.id] = Expected()
        try:
            yield expected
        finally:
            if self._expected.get(resource.id) is expected:
                del self._expected[resource.id]

    def is_expected(self, resource: Resource) -> bool:
        """Whether a thread waits for a resource."""
        return resource.id in self._expected

    def tell(self, resource: Resource, news: News) -> None:
        """Tell whoever waits for a resource what was just learnt of it."""
        expected = self._expected.get(resource.id)
        if expected is not None:
            expected.tell(news)
