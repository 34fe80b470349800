"""The wait of a client for content that only a refresher can bring."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock

from redis import RedisError

from reader.cache.local_cache import LocalCache
from reader.cache.refresh_requests import RefreshRequests, Requester
from reader.cache.refusals import refused, refused_by_store
from reader.cache.single_flight import SingleFlight
from reader.cache.synchronizer import Synchronizer
from reader.cache.waiters import Waiter, Waiters
from reader.cache.wanted import Found, Wanted
from reader.errors import ApiError
from shared.clock import Clock
from shared.entry import Entry
from shared.outcomes import FailureKind, Refusal, Served
from shared.queueing import Asked, AskResult
from shared.redis.entry_state import EntryState
from shared.redis.store import Store
from shared.resources.resource import Resource

# Seconds between two reads of Redis while waiting: needed only if an announcement was lost.
_POLL = 1.0
_REFUSED = {
    Asked.TURNED_AWAY: Refusal.QUEUE_FULL,
    Asked.TOO_LATE: Refusal.TOO_LATE,
    Asked.TOO_MANY: Refusal.CLIENT_WAITS,
    Asked.SUSPENDED: Refusal.SUSPENDED,
}


@dataclass(frozen=True)
class ClientRefusal:
    """Why the client whose thread does the work of a single flight is refused.

    Others may be served.

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
        requests: that may wait at the same time, so that threads are left for hits. One client may
            have three quarters of them.
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


class Misses:
    """Requests refreshes, and waits for what they store: one thread for all clients of a resource.

    Args:
        local: the local cache, which keeps what comes.
        store: Redis.
        synchronizer: checks what was found stale.
        waiters: are told when content comes.
        refresh_requests: for content that is missing.
        limits: of the wait for it.
        clock: Redis's clock as the process knows it.
    """

    def __init__(
        self,
        *,
        local: LocalCache,
        store: Store,
        synchronizer: Synchronizer,
        waiters: Waiters,
        refresh_requests: RefreshRequests,
        limits: WaitLimits,
        clock: Clock,
    ) -> None:
        self._local = local
        self._store = store
        self._synchronizer = synchronizer
        self._waiters = waiters
        self._refresh_requests = refresh_requests
        self._limits = limits
        self._waiting: Counter[str] = Counter()  # by client
        self._lock = Lock()
        self._clock = clock
        self._flights: SingleFlight[Found | ClientRefusal | float] = SingleFlight()

    @property
    def waiting(self) -> int:
        """Number of requests that wait for content."""
        return self._waiting.total()

    @property
    def seconds(self) -> float:
        """Seconds that a request waits at most."""
        return self._limits.seconds

    def fetch(self, resource: Resource, wanted: Wanted) -> Found:
        """The content as soon as Redis has it, once a refresher has stored it.

        Args:
            resource: that is not held, or not as the client wants it.
            wanted: by the client.

        Raises:
            Unavailable: no content came in time.
            TooMany: this client waits for too much already.
        """
        client = wanted.requester.client
        with self._lock:
            refusal = self._limits.refusal(self._waiting.total(), self._waiting[client])
            self._waiting[client] += 1
        try:
            if refusal is not None:
                raise refused(refusal)
            return self._wait(resource, wanted)
        finally:
            with self._lock:
                self._waiting[client] -= 1
                if not self._waiting[client]:
                    del self._waiting[client]

    def _wait(self, resource: Resource, wanted: Wanted) -> Found:
        """Fetch the content, or wait for the thread that does; if it gives up, try to fetch.

        The thread that fetches may want older content than this one: then this one fetches next.
        """
        seconds, client = 0.0, wanted.requester.client
        while (remaining := wanted.deadline - self._clock.monotonic()) > 0:
            if self._waiters.joins(resource, client):
                self._join(resource, [client])
            try:
                found = self._flights.do(
                    resource.id, lambda: self._read_until(resource, wanted), timeout=remaining
                )
            except TimeoutError:
                seconds = self._until(self._waiters.done_at(resource))
                break
            match found:
                case Found(entry):
                    if wanted.is_met_by(entry.metadata, self._clock.now()):
                        return found
                case ClientRefusal(refused_client, error):
                    # Another client's turn may come sooner: then this thread fetches next.
                    if refused_client == client:
                        raise error
                case float(seconds):
                    pass
        raise refused(Refusal.TIMED_OUT, seconds)

    def _join(self, resource: Resource, clients: Sequence[str]) -> None:
        """Count the turns of clients that wait for a refresh that another one has requested."""
        try:
            self._refresh_requests.join(resource, clients)
        except RedisError as error:
            raise refused_by_store(error) from error

    def _read_until(self, resource: Resource, wanted: Wanted) -> Found | ClientRefusal | float:
        """The entry as soon as Redis has it.

        If the time is over first: estimate of the seconds until then; 0 if it is not known.
        """
        requester, clock = wanted.requester, self._clock
        # Another flight may have loaded it between this request's miss and the start of its own.
        held = self._local.get(resource, clock.now())
        if held is not None and wanted.is_met_by(held.entry.metadata, clock.now()):
            return Found(held.entry, Served.REDIS)
        served, after_wait = Served.REDIS, Served.WAITED
        with self._waiters.waiting_for(resource, requester.client) as waiter:
            entry, state, result = self._read_or_request(resource, wanted)
            while True:
                if entry is not None:
                    if wanted.is_met_by(entry.metadata, clock.now()):
                        return self.found(resource, entry, served, requester)
                    is_outlived = entry.metadata.is_outlived(clock.now())
                    after_wait = Served.RENEWED if is_outlived else Served.BOUNDED
                remaining = wanted.deadline - clock.monotonic()
                if remaining <= 0:
                    return self._until(waiter.done_at)
                result = result or self._request(resource, state, wanted, entry)
                refusal = result and self._requested(resource, result, requester, waiter)
                if refusal is not None:
                    return refusal
                waiter.wait(min(_POLL, remaining))
                # In one step: content that comes between a look and a request would leave a job.
                entry, state, result = self._read_or_request(resource, wanted)
                served = after_wait

    def found(
        self, resource: Resource, entry: Entry, served: Served, requester: Requester
    ) -> Found:
        """An entry from Redis; schedules a check if it is stale."""
        if not entry.metadata.is_fresh(self._clock.now()):
            self._synchronizer.schedule_check(resource, requester.request_id)
        return Found(entry, served)

    def _until(self, moment: float) -> float:
        """Seconds until a time of the monotonic clock; 0 if it is past."""
        return max(0.0, moment - self._clock.monotonic())

    def _read_or_request(
        self, resource: Resource, wanted: Wanted
    ) -> tuple[Entry | None, EntryState, AskResult | None]:
        """Read a resource; if nothing is stored of it, request its refresh in the same round trip.

        The result of the request is None if something is stored.
        """
        waiting = replace(wanted.requester, patience=wanted.deadline - self._clock.monotonic())
        try:
            entry, state, (reply,) = self._store.read_with(
                resource, lambda batch: self._refresh_requests.add_first(batch, resource, waiting)
            )
        except RedisError as error:
            raise refused_by_store(error) from error
        return self._kept(resource, entry), state, self._refresh_requests.first_result(reply)

    def read(self, resource: Resource) -> tuple[Entry | None, EntryState]:
        try:
            entry, state = self._store.read_with_state(resource)
        except RedisError as error:
            raise refused_by_store(error) from error
        return self._kept(resource, entry), state

    def _kept(self, resource: Resource, entry: Entry | None) -> Entry | None:
        """The entry as the local cache keeps it."""
        return None if entry is None else self._local.put(resource, entry, self._clock.now())

    def _request(
        self, resource: Resource, state: EntryState, wanted: Wanted, entry: Entry | None
    ) -> AskResult | None:
        """Request a refresh; end the wait immediately if no content can come before its end.

        Args:
            resource: to refresh.
            state: in Redis.
            wanted: what the client waits for.
            entry: what is stored, which is not what it wants.
        """
        now, remaining = self._clock.now(), wanted.deadline - self._clock.monotonic()
        failure, suspicion = state.failure, state.suspicion
        if failure is not None and failure.retry_at - now > remaining:
            is_spent = failure.kind is FailureKind.RATE_LIMITED
            refusal = Refusal.BUDGET_SPENT if is_spent else Refusal.FAILING
            raise refused(refusal, failure.retry_at - now, failure.reason)
        if suspicion is not None and suspicion.holds_back(now + remaining):
            raise refused(Refusal.FAILING, suspicion.look_at - now, suspicion.reason)
        # Content that is fresh is asked for anew because of the client's bound only.
        is_too_old = entry is not None and not wanted.bound.is_any
        waiting = replace(wanted.requester, patience=remaining)
        try:
            return self._refresh_requests.request_for(
                resource, state, waiting, now=now, newer=is_too_old
            )
        except RedisError as error:
            raise refused_by_store(error) from error

    def _requested(
        self, resource: Resource, result: AskResult, requester: Requester, waiter: Waiter
    ) -> ClientRefusal | None:
        """Go by the result of a request: wait, or end the wait at once."""
        refusal = _REFUSED.get(result.asked)
        if refusal is None:
            if result.seconds:
                waiter.done_at = self._clock.monotonic() + result.seconds
            self._join(resource, waiter.requested())
            return None
        response = refused(refusal, result.seconds)
        if refusal in {Refusal.CLIENT_WAITS, Refusal.TOO_LATE}:
            return ClientRefusal(requester.client, response)
        raise response
