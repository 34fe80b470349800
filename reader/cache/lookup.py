"""The read path of a request: local cache, then Redis, then a wait for a refresher."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock

from redis import RedisError

from reader.cache.age_bound import ANY_AGE, AgeBound
from reader.cache.local_cache import Held, LocalCache
from reader.cache.refresh_requests import RefreshRequests, Requester
from reader.cache.refusals import refused, refused_by_store
from reader.cache.single_flight import SingleFlight
from reader.cache.synchronizer import Synchronizer
from reader.cache.waiters import Waiter, Waiters
from reader.errors import ApiError, NotHeld
from shared.clock import Clock
from shared.entry import Entry, Metadata
from shared.outcomes import FailureKind, Refusal, Served
from shared.queueing import Asked, AskResult
from shared.redis.entry_state import EntryState
from shared.redis.store import Store
from shared.resources.resource import Resource

# Seconds between two reads of Redis while waiting: needed only if an announcement was lost.
_POLL = 1.0
# Seconds for which content that an event has touched is served from memory after newer content was
# refused: while GitHub fails, a hit costs what it always costs.
_PAUSE = 1.0
_MOST_PAUSES = 10_000
# With these no newer answer can come, whoever asks. With any other, too many ask: a client has only
# to ask again, and a wrong 404 would be worse.
_CANNOT_COME = frozenset(
    {
        *(Refusal.STORE_AWAY, Refusal.SUSPENDED, Refusal.FAILING, Refusal.BUDGET_SPENT),
        *(Refusal.TIMED_OUT, Refusal.STORE_REFUSES),
    }
)


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
    """Why the client whose thread does the work of a single flight is refused.

    Others may be served.

    Args:
        client: its address.
        error: the response.
    """

    client: str
    error: ApiError


@dataclass(frozen=True)
class _Wanted:
    """What a client wants, and until when it waits for that.

    Args:
        requester: the client.
        deadline: of its wait, by the monotonic clock.
        bound: how old the content may be.
        asked_at: Unix time in seconds of the request.
    """

    requester: Requester
    deadline: float
    bound: AgeBound
    asked_at: float

    def is_met_by(self, metadata: Metadata, now: float) -> bool:
        """Whether the client gets content, instead of waiting for newer one."""
        is_taken = self.bound.admits(metadata, asked_at=self.asked_at, now=now)
        return is_taken and not metadata.is_outlived(now)


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


class Lookup:
    """Finds the entry for a request.

    A negative answer past its lifetime counts as a miss. It is served nevertheless if no newer one
    can come: while Redis is away, refreshing is paused, or GitHub cannot be asked or does not
    answer in time; but not because too many ask. So does content that an event has touched, but it
    is served also if too many ask.

    Args:
        local: the local cache.
        store: Redis.
        synchronizer: checks entries that are due or stale.
        waiters: for content that is neither in memory nor in Redis.
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
        self._pauses: dict[str, float] = {}  # their ends, monotonic, by id
        self._lock = Lock()
        self._clock = clock
        self._flights: SingleFlight[Found | ClientRefusal | float] = SingleFlight()

    def get(self, resource: Resource, requester: Requester, bound: AgeBound = ANY_AGE) -> Found:
        """The entry of a resource, fresh or stale.

        Tracked content is kept up to date in any case: a bound makes nobody ask for it. On demand,
        the client waits for newer content, as for a miss. If none can come, it gets what is held.

        Args:
            resource: of the request.
            requester: of the request; a refresh that it causes carries its id.
            bound: how old the content may be.

        Raises:
            NotHeld: no entry within the bound was found, and the client does not wait.
            Unavailable: no entry was found, and none arrived in time.
            TooMany: none was found, and this client waits for too much already.
        """
        now, deadline = self._clock.now(), self._clock.monotonic() + self._limits.seconds
        wanted = _Wanted(requester, deadline, ANY_AGE if resource.tracked else bound, now)
        if bound.only_if_cached:
            return self._stored(resource, wanted)
        found = self._of_any_age(resource, replace(wanted, bound=ANY_AGE))
        if wanted.bound.admits(found.entry.metadata, asked_at=now, now=self._clock.now()):
            return found
        return self._newer(resource, wanted)

    def _of_any_age(self, resource: Resource, wanted: _Wanted) -> Found:
        entry = self.in_memory(resource, request_id=wanted.requester.request_id)
        if entry is not None:
            return Found(entry, Served.LOCAL)
        try:
            return self._miss(resource, wanted)
        except ApiError as error:
            outlived = self._local.peek(resource)
            if outlived is None:
                raise
            metadata = outlived.entry.metadata
            if not metadata.is_outlived(self._clock.now()):
                pass  # the refused flight was that of a client that takes newer content only
            # Content that an event has touched was right a moment ago, and its `Age` shows that.
            elif metadata.is_content:
                self._pause(resource)
            elif error.refusal not in _CANNOT_COME:
                raise
            return Found(outlived.entry, Served.LOCAL)

    def _newer(self, resource: Resource, wanted: _Wanted) -> Found:
        """Newer content than what is held; if none comes in time, what is held then.

        What was held before may have been removed meanwhile, and must not be served any more.

        Raises:
            Unavailable, TooMany: no newer content came, and nothing is held any more.
        """
        held = self._local.peek(resource)
        if held is not None and self._is_served_anyway(held):
            return Found(held.entry, Served.TOO_OLD)
        try:
            return self._miss(resource, wanted)
        except ApiError as error:
            is_late = error.refusal is Refusal.TIMED_OUT
            held = self._local.peek(resource)
            entry = self._read(resource)[0] if held is None else held.entry
            if entry is None:
                raise
            return Found(entry, Served.UNANSWERED if is_late else Served.TOO_OLD)

    def _stored(self, resource: Resource, wanted: _Wanted) -> Found:
        """What is in memory or in Redis, for a client that does not wait.

        Raises:
            NotHeld: nothing is, or it is older than the client wants it to be.
            Unavailable: Redis does not respond.
        """
        entry = self.in_memory(resource, request_id=wanted.requester.request_id)
        served = Served.LOCAL
        if entry is None or not wanted.is_met_by(entry.metadata, self._clock.now()):
            (entry, _), served = self._read(resource), Served.REDIS
        if entry is None or not wanted.is_met_by(entry.metadata, self._clock.now()):
            raise NotHeld
        return self._found(resource, entry, served, wanted.requester)

    def in_memory(self, resource: Resource, *, request_id: str | None) -> Entry | None:
        """The entry of a resource if it is in memory, for a request; schedules a check if due.

        None for what `Metadata.is_outlived` names, unless Redis is away, or newer content was
        refused a moment ago.
        """
        now = self._clock.now()
        held = self._local.get(resource, now)
        if held is None:
            return None
        if held.entry.metadata.is_outlived(now) and not self._is_served_anyway(held):
            return None
        if held.is_due(now):
            self._synchronizer.schedule_check(resource, request_id)
        return held.entry

    def _is_served_anyway(self, held: Held) -> bool:
        if self._synchronizer.away_since is not None:
            return True
        pause = self._pauses.get(held.resource.id)
        is_content = held.entry.metadata.is_content
        return pause is not None and is_content and self._clock.monotonic() < pause

    def _pause(self, resource: Resource) -> None:
        with self._lock:
            if len(self._pauses) >= _MOST_PAUSES:
                self._pauses.clear()
            self._pauses[resource.id] = self._clock.monotonic() + _PAUSE

    @property
    def local(self) -> LocalCache:
        """The local cache."""
        return self._local

    @property
    def waiting(self) -> int:
        """Number of requests that wait for content."""
        return self._waiting.total()

    def _miss(self, resource: Resource, wanted: _Wanted) -> Found:
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

    def _wait(self, resource: Resource, wanted: _Wanted) -> Found:
        """Fetch the content, or wait for the thread that does; if it gives up, try to fetch.

        The thread that fetches may want older content than this one: then this one fetches next.
        """
        seconds, client = 0.0, wanted.requester.client
        while (remaining := wanted.deadline - self._clock.monotonic()) > 0:
            if self._waiters.joins(resource, client):
                self._join(resource, [client])
            try:
                found = self._flights.do(
                    resource.id, lambda: self._fetch(resource, wanted), timeout=remaining
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

    def _fetch(self, resource: Resource, wanted: _Wanted) -> Found | ClientRefusal | float:
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
                        return self._found(resource, entry, served, requester)
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

    def _found(
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
        self, resource: Resource, wanted: _Wanted
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

    def _read(self, resource: Resource) -> tuple[Entry | None, EntryState]:
        try:
            entry, state = self._store.read_with_state(resource)
        except RedisError as error:
            raise refused_by_store(error) from error
        return self._kept(resource, entry), state

    def _kept(self, resource: Resource, entry: Entry | None) -> Entry | None:
        """The entry as the local cache keeps it."""
        return None if entry is None else self._local.put(resource, entry, self._clock.now())

    def _request(
        self, resource: Resource, state: EntryState, wanted: _Wanted, entry: Entry | None
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


_REFUSED = {
    Asked.TURNED_AWAY: Refusal.QUEUE_FULL,
    Asked.TOO_LATE: Refusal.TOO_LATE,
    Asked.TOO_MANY: Refusal.CLIENT_WAITS,
    Asked.SUSPENDED: Refusal.SUSPENDED,
}
