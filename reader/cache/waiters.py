"""Waiting for content that is neither in memory nor in Redis: who waits, and the signal to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock

from shared.resources.resource import Resource


class Waiter:
    """One thread's wait for a resource.

    It begins before the first read of Redis. If it began after the read, an announcement between
    the two would be lost:

        waiter: reads, finds nothing     refresher: stores, announces    waiter: begins to wait
    """

    def __init__(self, client: str) -> None:
        self._news = Event()
        self._lock = Lock()
        self._clients = {client}
        self._joined: list[str] = []  # clients whose turns are not counted yet
        self._is_requested = False
        # Estimate of when the refresh is done: a time of the monotonic clock; 0 if not known.
        self.done_at = 0.0

    def joins(self, client: str) -> bool:
        """Note a client that waits too; return whether it has to request its turn itself.

        Until the refresh is requested, the thread that requests it does that for all.
        """
        with self._lock:
            if client in self._clients:
                return False
            self._clients.add(client)
            if not self._is_requested:
                self._joined.append(client)
            return self._is_requested

    def requested(self) -> list[str]:
        """Note that the refresh is requested; return the clients that have joined before."""
        with self._lock:
            self._is_requested = True
            joined, self._joined = self._joined, []
            return joined

    def notify(self) -> None:
        """Signal that Redis may hold something new."""
        self._news.set()

    def wait(self, seconds: float) -> bool:
        """Wait for a signal and take it; return whether it came in so many seconds."""
        came = self._news.wait(seconds)
        self._news.clear()
        return came


class Waiters:
    """The waiters of a process: at most one for a resource, by single flight; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiters: dict[str, Waiter] = {}

    @contextmanager
    def waiting_for(self, resource: Resource, client: str) -> Iterator[Waiter]:
        """Wait for news about a resource inside the block.

        Args:
            resource: that is waited for.
            client: address of the client that waits.
        """
        waiter = Waiter(client)
        with self._lock:
            self._waiters[resource.id] = waiter
        try:
            yield waiter
        finally:
            with self._lock:
                if self._waiters.get(resource.id) is waiter:
                    del self._waiters[resource.id]

    def joins(self, resource: Resource, client: str) -> bool:
        """Whether a client, new among those that wait, has to request its turn itself."""
        waiter = self._waiters.get(resource.id)
        return waiter is not None and waiter.joins(client)

    def has_waiter(self, resource: Resource) -> bool:
        """Whether a thread waits for a resource."""
        return resource.id in self._waiters

    def done_at(self, resource: Resource) -> float:
        """Estimate of when the content is there, as `Waiter.done_at`; 0 if it is not known."""
        waiter = self._waiters.get(resource.id)
        return 0.0 if waiter is None else waiter.done_at

    def notify(self, resource: Resource) -> None:
        """Signal news about a resource to its waiter, if there is one."""
        waiter = self._waiters.get(resource.id)
        if waiter is not None:
            waiter.notify()

    def notify_all(self) -> None:
        """Signal to every waiter that news may have been lost."""
        with self._lock:
            waiters = list(self._waiters.values())
        for waiter in waiters:
            waiter.notify()
