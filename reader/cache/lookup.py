"""The read path of a request: local cache, then Redis, then a wait for a refresher."""

from dataclasses import replace
from threading import Lock

from reader.cache.age_bound import ANY_AGE, AgeBound
from reader.cache.local_cache import Held, LocalCache
from reader.cache.misses import Misses
from reader.cache.refresh_requests import Requester
from reader.cache.synchronizer import Synchronizer
from reader.cache.wanted import Found, Wanted
from reader.errors import ApiError, NotHeld
from shared.clock import Clock
from shared.entry import Entry
from shared.outcomes import Refusal, Served
from shared.resources.resource import Resource

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


class Lookup:
    """Finds the entry for a request.

    A negative answer past its lifetime counts as a miss. It is served nevertheless if no newer one
    can come: while Redis is away, refreshing is paused, or GitHub cannot be asked or does not
    answer in time; but not because too many ask. So does content that an event has touched, but it
    is served also if too many ask.

    Args:
        local: the local cache.
        synchronizer: checks entries that are due or stale.
        misses: waits for content that is not in memory, or not as a client wants it.
        clock: Redis's clock as the process knows it.
    """

    def __init__(
        self, *, local: LocalCache, synchronizer: Synchronizer, misses: Misses, clock: Clock
    ) -> None:
        self._local = local
        self._synchronizer = synchronizer
        self._misses = misses
        self._pauses: dict[str, float] = {}  # their ends, monotonic, by id
        self._lock = Lock()
        self._clock = clock

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
        now, deadline = self._clock.now(), self._clock.monotonic() + self._misses.seconds
        wanted = Wanted(requester, deadline, ANY_AGE if resource.tracked else bound, now)
        if bound.only_if_cached:
            return self._stored(resource, wanted)
        found = self._of_any_age(resource, replace(wanted, bound=ANY_AGE))
        if wanted.bound.admits(found.entry.metadata, asked_at=now, now=self._clock.now()):
            return found
        return self._newer(resource, wanted)

    def _of_any_age(self, resource: Resource, wanted: Wanted) -> Found:
        entry = self.in_memory(resource, request_id=wanted.requester.request_id)
        if entry is not None:
            return Found(entry, Served.LOCAL)
        try:
            return self._misses.fetch(resource, wanted)
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

    def _newer(self, resource: Resource, wanted: Wanted) -> Found:
        """Newer content than what is held; if none comes in time, what is held then.

        What was held before may have been removed meanwhile, and must not be served any more.

        Raises:
            Unavailable, TooMany: no newer content came, and nothing is held any more.
        """
        held = self._local.peek(resource)
        if held is not None and self._is_served_anyway(held):
            return Found(held.entry, Served.TOO_OLD)
        try:
            return self._misses.fetch(resource, wanted)
        except ApiError as error:
            is_late = error.refusal is Refusal.TIMED_OUT
            held = self._local.peek(resource)
            entry = self._misses.read(resource)[0] if held is None else held.entry
            if entry is None:
                raise
            return Found(entry, Served.UNANSWERED if is_late else Served.TOO_OLD)

    def _stored(self, resource: Resource, wanted: Wanted) -> Found:
        """What is in memory or in Redis, for a client that does not wait.

        Raises:
            NotHeld: nothing is, or it is older than the client wants it to be.
            Unavailable: Redis does not respond.
        """
        entry = self.in_memory(resource, request_id=wanted.requester.request_id)
        served = Served.LOCAL
        if entry is None or not wanted.is_met_by(entry.metadata, self._clock.now()):
            (entry, _), served = self._misses.read(resource), Served.REDIS
        if entry is None or not wanted.is_met_by(entry.metadata, self._clock.now()):
            raise NotHeld
        return self._misses.found(resource, entry, served, wanted.requester)

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
        return self._misses.waiting
