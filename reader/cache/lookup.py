"""The read path: local cache, then Redis, then wait for a refresher."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from threading import Lock

from redis import RedisError

from reader.cache.local_cache import LocalCache
from reader.cache.single_flight import SingleFlight
from reader.cache.synchronizer import Synchronizer
from reader.cache.waiters import CheckResult, Waiter, Waiters
from reader.errors import Unavailable
from shared.entry import Entry
from shared.outcomes import Served
from shared.redis.store import Store
from shared.resources.resource import Resource

# Seconds between looks while waiting: only for the announcement that got lost.
_POLL = 1.0


@dataclass(frozen=True)
class Found:
    """Content for a client.

    Args:
        entry: the content, fresh or stale.
        served: where it came from.
    """

    entry: Entry
    served: Served


class Lookup:
    """Finds the entry that answers a request, in as few steps as there are.

    Args:
        local: the local cache.
        store: Redis.
        caretaker: told what is due for another look.
        arrivals: where threads wait for what is nowhere yet.
        miss_wait: seconds that a client waits at the most.
        max_waiting: threads that may wait at once, so that others are left for hits.
        clock: gives Unix time in seconds.
        stopwatch: gives seconds from any fixed point, never set back.
    """

    def __init__(
        self,
        *,
        local: LocalCache,
        store: Store,
        synchronizer: Synchronizer,
        waiters: Waiters,
        miss_wait: float,
        max_waiting: int,
        clock: Callable[[], float],
        stopwatch: Callable[[], float],
    ) -> None:
        self._local = local
        self._store = store
        self._synchronizer = synchronizer
        self._waiters = waiters
        self._miss_wait = miss_wait
        self._max_waiting = max_waiting
        self._waiting = 0
        self._lock = Lock()
        self._clock = clock
        self._stopwatch = stopwatch
        self._flights: SingleFlight[Found | None] = SingleFlight()

    def get(self, resource: Resource, *, request_id: str | None = None) -> Found:
        """The content of a resource, fresh or stale.

        Args:
            resource: what is asked for.
            request_id: of the client's request; a refresh that it causes is known by it.

        Raises:
            Unavailable: there is none, and none came in time.
        """
        now = self._clock()
        held = self._local.get(resource, now)
        if held is None:
            return self._miss(resource, request_id)
        if held.check_at <= now:
            self._synchronizer.schedule_check(resource, request_id)
        return Found(held.entry, Served.LOCAL)

    @property
    def waiting(self) -> int:
        """How many threads wait for content."""
        return self._waiting

    def _miss(self, resource: Resource, request_id: str | None) -> Found:
        with self._lock:
            if self._waiting >= self._max_waiting:
                raise Unavailable("Too many requests are waiting for content.", retry_after=1)
            self._waiting += 1
        try:
            return self._wait(resource, self._stopwatch() + self._miss_wait, request_id)
        finally:
            with self._lock:
                self._waiting -= 1

    def _wait(self, resource: Resource, deadline: float, request_id: str | None) -> Found:
        """Lead the flight for the resource, or wait for its leader; lead on when he gives up."""
        while (remaining := deadline - self._stopwatch()) > 0:
            try:
                found = self._flights.do(
                    resource.id,
                    lambda: self._fetch(resource, deadline, request_id),
                    timeout=remaining,
                )
            except TimeoutError:
                break
            if found is not None:
                return found
        raise Unavailable("The content is still being fetched from GitHub.", retry_after=1)

    def _fetch(self, resource: Resource, deadline: float, request_id: str | None) -> Found | None:
        """The content from Redis, as soon as it is there; None when the time is up."""
        # What landed between this request's miss and its take-off need not be read again.
        held = self._local.get(resource, self._clock())
        if held is not None:
            return Found(held.entry, Served.REDIS)
        with self._waiters.waiting_for(resource) as waiter:
            entry = self._read(resource)
            if entry is None:
                return self._await_refresh(resource, waiter, deadline, request_id)
        if not entry.metadata.is_fresh(self._clock()):
            self._synchronizer.schedule_check(resource, request_id)
        return Found(entry, Served.REDIS)

    def _read(self, resource: Resource) -> Entry | None:
        try:
            entry = self._store.read(resource)
        except RedisError as error:
            raise Unavailable("The cache's store cannot be reached.", retry_after=1) from error
        return None if entry is None else self._local.put(resource, entry, self._clock())

    def _await_refresh(
        self,
        resource: Resource,
        waiter: Waiter,
        deadline: float,
        request_id: str | None,
    ) -> Found | None:
        is_silent = True
        while (remaining := deadline - self._stopwatch()) > 0:
            # Asks for a refresh where one is called for. News that brings nothing is no reason to
            # look again at once: what comes next is announced.
            if is_silent:
                self._synchronizer.schedule_check(resource, request_id)
            result = waiter.wait(min(_POLL, remaining))
            is_silent = result is None
            held = self._local.get(resource, self._clock())
            entry = held.entry if held else None
            if entry is None and result is not None:
                self._give_up_early(result, remaining)
                # Held for less than a moment: too large for the local cache.
                entry = self._read(resource) if result.state.metadata else None
            if entry is not None:
                return Found(entry, Served.WAITED)
        return None

    def _give_up_early(self, result: CheckResult, remaining: float) -> None:
        """Send the client away at once when nothing can come while it waits."""
        if result.suspended and result.state.metadata is None:
            raise Unavailable("Refreshing is paused by an operator.", retry_after=60)
        if result.turned_away:
            raise Unavailable("Too many refreshes are queued.", retry_after=5)
        failure = result.state.failure
        if result.state.metadata is None and failure is not None:
            pause = failure.retry_at - self._clock()
            if pause > remaining:
                reason = f"GitHub could not be read: {failure.reason}"
                raise Unavailable(reason, retry_after=ceil(pause))
