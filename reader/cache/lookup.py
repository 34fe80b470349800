"""The read path of a request: local cache, then Redis, then a wait for a refresher."""

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

# Seconds between checks while waiting: needed only if an announcement was lost.
_POLL = 1.0
# Seconds of `Retry-After`.
_PAUSED = 60
_QUEUE_FULL = 5


@dataclass(frozen=True)
class Found:
    """An entry for a request.

    Args:
        entry: fresh or stale.
        served: where it was found.
    """

    entry: Entry
    served: Served


@dataclass(frozen=True)
class WaitLimits:
    """Limits of the wait for content that is neither in memory nor in Redis.

    Args:
        seconds: that a request waits at most.
        requests: that may wait at once, so that threads are left for hits.
    """

    seconds: float
    requests: int


class Lookup:
    """Finds the entry for a request.

    Args:
        local: the local cache.
        store: Redis.
        synchronizer: checks entries that are due or stale.
        waiters: for content that is neither in memory nor in Redis.
        limits: of the wait for it.
        clock: returns Unix time in seconds.
        stopwatch: returns seconds from any fixed point; never set back.
    """

    def __init__(
        self,
        *,
        local: LocalCache,
        store: Store,
        synchronizer: Synchronizer,
        waiters: Waiters,
        limits: WaitLimits,
        clock: Callable[[], float],
        stopwatch: Callable[[], float],
    ) -> None:
        self._local = local
        self._store = store
        self._synchronizer = synchronizer
        self._waiters = waiters
        self._limits = limits
        self._waiting = 0
        self._lock = Lock()
        self._clock = clock
        self._stopwatch = stopwatch
        self._flights: SingleFlight[Found | None] = SingleFlight()

    def get(self, resource: Resource, *, request_id: str | None = None) -> Found:
        """The entry of a resource, fresh or stale.

        Args:
            resource: of the request.
            request_id: of the client's request; a refresh that it causes carries it.

        Raises:
            Unavailable: no entry was found, and none arrived in time.
        """
        entry = self.in_memory(resource, request_id=request_id)
        if entry is None:
            return self._miss(resource, request_id)
        return Found(entry, Served.LOCAL)

    def in_memory(self, resource: Resource, *, request_id: str | None) -> Entry | None:
        """The entry of a resource if it is in memory, for a request; schedules a check if due."""
        now = self._clock()
        held = self._local.get(resource, now)
        if held is None:
            return None
        if held.is_due(now):
            self._synchronizer.schedule_check(resource, request_id)
        return held.entry

    @property
    def waiting(self) -> int:
        """Number of requests that wait for content."""
        return self._waiting

    def _miss(self, resource: Resource, request_id: str | None) -> Found:
        with self._lock:
            if self._waiting >= self._limits.requests:
                raise Unavailable("Too many requests are waiting for content.", retry_after=1)
            self._waiting += 1
        try:
            return self._wait(resource, self._stopwatch() + self._limits.seconds, request_id)
        finally:
            with self._lock:
                self._waiting -= 1

    def _wait(self, resource: Resource, deadline: float, request_id: str | None) -> Found:
        """Lead the flight for the resource, or wait for its leader and lead when that gives up."""
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
        """The entry as soon as Redis has it; None if the time is over first."""
        # Another flight may have loaded it between this request's miss and the start of its own.
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
            # The check requests a refresh if one is due. A result without an entry is no reason to
            # check again at once: the next change is announced.
            if is_silent:
                self._synchronizer.schedule_check(resource, request_id)
            result = waiter.wait(min(_POLL, remaining))
            is_silent = result is None
            held = self._local.get(resource, self._clock())
            entry = held.entry if held else None
            if entry is None and result is not None:
                self._give_up_early(result, remaining)
                # The entry may be too large for the local cache.
                entry = self._read(resource) if result.state.metadata else None
            if entry is not None:
                return Found(entry, Served.WAITED)
        return None

    def _give_up_early(self, result: CheckResult, remaining: float) -> None:
        """End the wait at once if no content can come before its end."""
        if result.suspended and result.state.metadata is None:
            raise Unavailable("Refreshing is paused by an operator.", retry_after=_PAUSED)
        if result.turned_away:
            raise Unavailable("Too many refreshes are queued.", retry_after=_QUEUE_FULL)
        failure = result.state.failure
        if result.state.metadata is None and failure is not None:
            pause = failure.retry_at - self._clock()
            if pause > remaining:
                reason = f"GitHub could not be read: {failure.reason}"
                raise Unavailable(reason, retry_after=ceil(pause))
