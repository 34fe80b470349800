"""The read path of a request: local cache, then Redis, then a wait for a refresher."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from threading import Lock

from redis import RedisError

from reader.cache.local_cache import LocalCache
from reader.cache.refresh_requests import RefreshRequests, Requester
from reader.cache.single_flight import SingleFlight
from reader.cache.synchronizer import Synchronizer
from reader.cache.waiters import Waiter, Waiters
from reader.errors import ApiError, TooMany, Unavailable
from reader.telemetry.counters import Counters
from shared.entry import Entry
from shared.measures import Measure
from shared.outcomes import Refusal, Served
from shared.queueing import Asked
from shared.redis.store import EntryState, Store
from shared.resources.resource import Resource

# Seconds between two reads of Redis while waiting: needed only if an announcement was lost.
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
class ClientRefusal:
    """Why the client that leads a flight is refused; others may be served.

    Args:
        client: its address.
        error: the response.
    """

    client: str
    error: ApiError


@dataclass(frozen=True)
class WaitLimits:
    """Limits of the wait for content that is neither in memory nor in Redis.

    Args:
        seconds: that a request waits at most.
        requests: that may wait at once, so that threads are left for hits. One client may have
            three quarters of them.
    """

    seconds: float
    requests: int

    def refusal(self, waiting: int, of_client: int) -> Refusal | None:
        """Why one more request may not wait; None if it may.

        Args:
            waiting: requests that wait.
            of_client: those of them that come from the same client.
        """
        if waiting >= self.requests:
            return Refusal.THREADS
        is_greedy = of_client >= self.requests - self.requests // 4
        return Refusal.CLIENT_THREADS if is_greedy else None


class Lookup:
    """Finds the entry for a request.

    Args:
        local: the local cache.
        store: Redis.
        synchronizer: checks entries that are due or stale.
        waiters: for content that is neither in memory nor in Redis.
        refresh_requests: for content that is missing.
        counters: of the process.
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
        refresh_requests: RefreshRequests,
        counters: Counters,
        limits: WaitLimits,
        clock: Callable[[], float],
        stopwatch: Callable[[], float],
    ) -> None:
        self._local = local
        self._store = store
        self._synchronizer = synchronizer
        self._waiters = waiters
        self._refresh_requests = refresh_requests
        self._counters = counters
        self._limits = limits
        self._waiting: Counter[str] = Counter()  # by client
        self._lock = Lock()
        self._clock = clock
        self._stopwatch = stopwatch
        self._flights: SingleFlight[Found | ClientRefusal | float] = SingleFlight()

    def get(self, resource: Resource, requester: Requester) -> Found:
        """The entry of a resource, fresh or stale.

        Args:
            resource: of the request.
            requester: of the request; a refresh that it causes carries its id.

        Raises:
            Unavailable: no entry was found, and none arrived in time.
            TooMany: none was found, and this client waits for too much already.
        """
        entry = self.in_memory(resource, request_id=requester.request_id)
        if entry is None:
            return self._miss(resource, requester)
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
        return self._waiting.total()

    def _miss(self, resource: Resource, requester: Requester) -> Found:
        client = requester.client
        with self._lock:
            refusal = self._limits.refusal(self._waiting.total(), self._waiting[client])
            self._waiting[client] += 1
        try:
            if refusal is not None:
                raise self._refused(refusal)
            return self._wait(resource, self._stopwatch() + self._limits.seconds, requester)
        finally:
            with self._lock:
                self._waiting[client] -= 1
                if not self._waiting[client]:
                    del self._waiting[client]

    def _wait(self, resource: Resource, deadline: float, requester: Requester) -> Found:
        """Lead the flight for the resource, or wait for its leader and lead when that gives up."""
        seconds = 0.0
        while (remaining := deadline - self._stopwatch()) > 0:
            if self._waiters.joins(resource, requester.client):
                self._join(resource, requester)
            try:
                found = self._flights.do(
                    resource.id,
                    lambda: self._fetch(resource, deadline, requester),
                    timeout=remaining,
                )
            except TimeoutError:
                seconds = self._waiters.seconds(resource)
                break
            match found:
                case Found():
                    return found
                case ClientRefusal(client, error):
                    # Another client's turn may come sooner: then this thread leads next.
                    if client == requester.client:
                        raise error
                case float(seconds):
                    pass
        raise self._refused(Refusal.TIMED_OUT, seconds)

    def _join(self, resource: Resource, requester: Requester) -> None:
        """Count this client's turn for a resource that another client waits for already."""
        try:
            self._refresh_requests.join(resource, requester)
        except RedisError as error:
            raise self._refused(Refusal.STORE_AWAY) from error

    def _fetch(
        self, resource: Resource, deadline: float, requester: Requester
    ) -> Found | ClientRefusal | float:
        """The entry as soon as Redis has it.

        If the time is over first: estimate of the seconds until then; 0 if it is not known.
        """
        # Another flight may have loaded it between this request's miss and the start of its own.
        held = self._local.get(resource, self._clock())
        if held is not None:
            return Found(held.entry, Served.REDIS)
        served = Served.REDIS
        with self._waiters.waiting_for(resource, requester.client) as waiter:
            while True:
                entry, state = self._read(resource)
                if entry is not None:
                    if not entry.metadata.is_fresh(self._clock()):
                        self._synchronizer.schedule_check(resource, requester.request_id)
                    return Found(entry, served)
                remaining = deadline - self._stopwatch()
                if remaining <= 0:
                    return waiter.seconds
                refusal = self._request(resource, state, requester, waiter, remaining)
                if refusal is not None:
                    return refusal
                waiter.wait(min(_POLL, remaining))
                served = Served.WAITED

    def _read(self, resource: Resource) -> tuple[Entry | None, EntryState]:
        try:
            entry, state = self._store.read_with_state(resource)
        except RedisError as error:
            raise self._refused(Refusal.STORE_AWAY) from error
        if entry is not None:
            entry = self._local.put(resource, entry, self._clock())
        return entry, state

    def _request(
        self,
        resource: Resource,
        state: EntryState,
        requester: Requester,
        waiter: Waiter,
        remaining: float,
    ) -> ClientRefusal | None:
        """Request a refresh; end the wait at once if no content can come before its end."""
        now = self._clock()
        failure = state.failure
        if failure is not None and failure.retry_at - now > remaining:
            raise self._refused(Refusal.FAILING, failure.retry_at - now, failure.reason)
        try:
            result = self._refresh_requests.request_for(resource, state, requester, now=now)
        except RedisError as error:
            raise self._refused(Refusal.STORE_AWAY) from error
        if result is None:
            return None
        refusal = _REFUSED.get(result.asked)
        if refusal is None:
            waiter.seconds = result.seconds or waiter.seconds
            return None
        response = self._refused(refusal, result.seconds)
        if refusal in {Refusal.CLIENT_WAITS, Refusal.TOO_LATE}:
            return ClientRefusal(requester.client, response)
        raise response

    def _refused(self, refusal: Refusal, seconds: float = 0.0, reason: str = "") -> ApiError:
        """Count a refusal; return the error to raise.

        Args:
            refusal: why the request is not served.
            seconds: after which another try is useful; 0 if it is not known.
            reason: of a failure of GitHub's, for people.
        """
        self._counters.count(Measure.REFUSALS, refusal)
        message, usual = _MESSAGES[refusal]
        retry_after = max(ceil(seconds), usual)
        if refusal in {Refusal.CLIENT_WAITS, Refusal.CLIENT_THREADS}:
            return TooMany(message, retry_after=retry_after)
        return Unavailable(message + reason, retry_after=retry_after)


# The message of each refusal, and its `Retry-After` in seconds if nothing better is known.
_MESSAGES = {
    Refusal.THREADS: ("Too many requests are waiting for content.", 1),
    Refusal.CLIENT_THREADS: ("Too many requests of this address are waiting for content.", 1),
    Refusal.CLIENT_WAITS: (
        "This address waits for as much content as one client may (CLIENT_MAX_WAITING).",
        1,
    ),
    Refusal.TIMED_OUT: ("The content is still being fetched from GitHub.", 1),
    Refusal.TOO_LATE: ("So many clients wait for content that the turn would come too late.", 1),
    Refusal.QUEUE_FULL: ("Too many refreshes are queued.", _QUEUE_FULL),
    Refusal.SUSPENDED: ("Refreshing is paused by an operator.", _PAUSED),
    Refusal.FAILING: ("GitHub could not be read: ", 1),
    Refusal.STORE_AWAY: ("The cache's store cannot be reached.", 1),
}

_REFUSED = {
    Asked.TURNED_AWAY: Refusal.QUEUE_FULL,
    Asked.TOO_LATE: Refusal.TOO_LATE,
    Asked.TOO_MANY: Refusal.CLIENT_WAITS,
    Asked.SUSPENDED: Refusal.SUSPENDED,
}
