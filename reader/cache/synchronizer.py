"""The one thread of a reader process that keeps what it holds up to date.

Requests and announcements only say what is due; every look at Redis beside a miss's first read
is made here, one after the other, so a slow Redis never has more than this thread waiting.
"""

import logging
from collections.abc import Callable, Sequence
from threading import Condition, Event, Thread

from redis import RedisError

from reader.cache.check_schedule import wants_refresh
from reader.cache.local_cache import LocalCache
from reader.cache.waiters import CheckResult, Waiters
from reader.telemetry.counters import Counters
from shared.measures import Measure
from shared.queueing import Asked, RefreshQueue
from shared.redis.connection import reason_of
from shared.redis.store import EntryState, Store
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource

log = logging.getLogger("reader")

TICK = 1.0  # seconds
_CHECKS_AT_ONCE = 100


class Synchronizer:
    """Looks at Redis for what is due, takes over what changed, asks for what is stale.

    Args:
        catalogue: what is tracked; looked after even when nobody asks.
        local: what is held.
        arrivals: who waits for what is not held yet.
        store: Redis.
        queue: where refreshes are asked for.
        totals: where it counts what it did.
        keep: seconds that an on-demand entry is held when nobody asks for it.
        clock: gives Unix time in seconds.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        local: LocalCache,
        waiters: Waiters,
        store: Store,
        queue: RefreshQueue,
        counters: Counters,
        keep: float,
        clock: Callable[[], float],
    ) -> None:
        self._catalogue = catalogue
        self._local = local
        self._waiters = waiters
        self._store = store
        self._queue = queue
        self._counters = counters
        self._keep = keep
        self._clock = clock
        # What is due, and the id of the request that was first to find it so, if it was one.
        self._due: dict[str, tuple[Resource, str | None]] = {}
        self._condition = Condition()
        self._stopped = Event()
        self._away_since: float | None = None
        self._is_suspended = False
        self.is_deaf = Event()  # announcements were lost: the listener should subscribe anew
        self._announced = 0  # the number of the last announcement that reached us
        self._counted: int | None = None  # the counter at the last tick

    def start(self) -> None:
        """Begin; call it in the process that is to be cared for, after any fork."""
        Thread(target=self._run, name="caretaker", daemon=True).start()

    def stop(self) -> None:
        """End the thread after what it is doing."""
        self._stopped.set()
        with self._condition:
            self._condition.notify()

    @property
    def away_since(self) -> float | None:
        """Unix time in seconds since when Redis does not answer; None where it does."""
        return self._away_since

    def schedule_check(self, resource: Resource, request_id: str | None = None) -> None:
        """Have a resource looked at; returns at once, and many calls make one look.

        Args:
            resource: what is due.
            request_id: of the request that found it so.
        """
        with self._condition:
            _, first = self._due.get(resource.id, (resource, None))
            self._due[resource.id] = (resource, first or request_id)
            self._condition.notify()

    def announced(self, resource: Resource | None, number: int) -> None:
        """Take note of an announcement, and look at the resource if it matters here."""
        self._counters.count(Measure.ANNOUNCEMENTS)
        self._announced = max(self._announced, number)
        if resource is None:
            return
        if self._local.peek(resource) is not None or self._waiters.has_waiter(resource):
            self.schedule_check(resource)

    def subscribed(self) -> None:
        """Look at everything again: announcements were lost before this subscription."""
        self._schedule_all_checks()

    def _schedule_all_checks(self) -> None:
        for resource in {*self._catalogue.tracked, *self._local.resources()}:
            self.schedule_check(resource)

    def _run(self) -> None:
        next_tick = 0.0
        while not self._stopped.is_set():
            now = self._clock()
            if now >= next_tick or next_tick > now + TICK:  # the clock may be set back
                next_tick = now + TICK
                self._guarded(self.tick)
            with self._condition:
                if not self._due:
                    self._condition.wait(max(0.0, next_tick - self._clock()))
            self._guarded(self.check_due)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Outlive every error: this thread is what brings the process back after one."""
        try:
            work()
        except RedisError as error:
            if self._away_since is None:
                log.warning("Redis is away, serving from memory: %s", reason_of(error))
                self._away_since = self._clock()
        except Exception:
            log.exception("unexpected error while looking at Redis")
        else:
            if self._away_since is not None and work == self.tick:
                log.warning("Redis is back")
                self._away_since = None
                self._schedule_all_checks()

    def tick(self) -> None:
        """What is done once a second: tracked resources that are due, lost announcements, age."""
        now = self._clock()
        for resource in self._catalogue.tracked:
            held = self._local.peek(resource)
            if held is None or held.check_at <= now:
                self.schedule_check(resource)
        pulse = self._store.pulse()
        self._is_suspended = pulse.is_suspended
        self._check_announcements(pulse.changes)
        self._local.drop_unasked(since=now - self._keep)

    def _check_announcements(self, counter: int) -> None:
        """Look at everything again when an announcement was lost, or Redis's data was.

        What was counted a tick ago must have been announced by now, and a counter only goes back
        with the data of its Redis.
        """
        before, self._counted = self._counted, counter
        if before is None:
            self._announced = max(self._announced, counter)
        elif self._announced < before or counter < before:
            self._announced = counter
            self.is_deaf.set()
            self._schedule_all_checks()

    def check_due(self) -> None:
        """Look at everything that is due, and act on what is found."""
        with self._condition:
            due, self._due = list(self._due.values()), {}
        for at in range(0, len(due), _CHECKS_AT_ONCE):
            self._check(due[at : at + _CHECKS_AT_ONCE])

    def _check(self, due: Sequence[tuple[Resource, str | None]]) -> None:
        try:
            states = self._store.states([resource for resource, _ in due])
            self._counters.count(Measure.REDIS_READS, "look", by=len(due))
            for (resource, request_id), state in zip(due, states, strict=True):
                self._take_over(resource, state, request_id)
        except RedisError:
            for resource, _ in due:
                self._local.postpone(resource, self._clock() + TICK)
            raise

    def _take_over(self, resource: Resource, state: EntryState, request_id: str | None) -> None:
        now = self._clock()
        if state.forgotten:
            self._local.forget(resource, state.forgotten)
        if state.metadata is not None:
            held = self._local.peek(resource)
            if held is not None and held.entry.metadata.version == state.metadata.version:
                self._local.confirm(resource, state.metadata, now)
            elif held is None or state.metadata.is_newer_than(held.entry.metadata):
                self._load(resource)
            else:
                self._local.postpone(resource, now + TICK)
        else:
            self._local.postpone(resource, now + TICK)
        if state.invalidated_by is not None:  # looked at again until a refresh has seen the change
            self._local.postpone(resource, now + TICK)
        asked = None
        if wants_refresh(state, now) and not self._is_let_go(resource, state):
            urgent = state.metadata is None
            asked = self._queue.ask(resource, urgent=urgent, request_id=request_id)
            self._counters.count(Measure.ASKED, asked)
        turned_away = asked is Asked.TURNED_AWAY
        result = CheckResult(state, turned_away=turned_away, suspended=self._is_suspended)
        self._waiters.tell(resource, result)

    def _is_let_go(self, resource: Resource, state: EntryState) -> bool:
        """Whether it was forgotten, and nobody here wants it: asking would bring it back."""
        is_gone = bool(state.forgotten) and state.metadata is None
        return is_gone and not self._is_wanted(resource)

    def _load(self, resource: Resource) -> None:
        if not self._is_wanted(resource):
            return
        entry = self._store.read(resource)
        self._counters.count(Measure.REDIS_READS, "body")
        if entry is not None:
            self._local.put(resource, entry, self._clock())

    def _is_wanted(self, resource: Resource) -> bool:
        """Whether it is tracked, held, or waited for."""
        if resource.tracked or self._local.peek(resource) is not None:
            return True
        return self._waiters.has_waiter(resource)
