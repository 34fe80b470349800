"""The thread of a reader process that brings the local cache up to date with Redis.

Requests and announcements only schedule checks. This thread makes all reads of Redis except the
first read of a miss, one after the other, so a slow Redis never has more than one thread waiting.
"""

import logging
from collections.abc import Callable, Sequence
from threading import Condition, Event, Thread
from typing import NamedTuple

from redis import RedisError

from reader.cache.local_cache import Held, LocalCache
from reader.cache.refresh_requests import Checked, RefreshRequests
from reader.cache.waiters import Waiters
from reader.telemetry.counters import Counters
from shared.entry import Metadata
from shared.holds import redis_away
from shared.measures import Measure
from shared.redis.connection import reason_of
from shared.redis.entry_state import EntryState
from shared.redis.store import Store
from shared.redis.trouble import trouble_of
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.suspicion import SECOND_LOOK_S
from shared.time_bounds import is_past

log = logging.getLogger("reader")

TICK = 1.0  # seconds
_CHECKS_AT_ONCE = 100


class _Due(NamedTuple):
    """A scheduled check.

    Args:
        resource: to check.
        request_id: of the first request that found it due, if any.
        is_requested: a client requests it.
    """

    resource: Resource
    request_id: str | None
    is_requested: bool


class Synchronizer:
    """Checks entries in Redis when they are due, loads new versions, requests refreshes.

    Args:
        catalogue: of tracked resources, which are kept up to date even without requests.
        local: the local cache.
        waiters: threads that wait for content.
        store: Redis.
        refresh_requests: for entries that are stale or missing.
        counters: of the process.
        clock: returns Unix time in seconds.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        local: LocalCache,
        waiters: Waiters,
        store: Store,
        refresh_requests: RefreshRequests,
        counters: Counters,
        clock: Callable[[], float],
    ) -> None:
        self._catalogue = catalogue
        self._local = local
        self._waiters = waiters
        self._store = store
        self._refresh_requests = refresh_requests
        self._counters = counters
        self._clock = clock
        self._due: dict[str, _Due] = {}  # scheduled checks, by the id of the resource
        self._condition = Condition()
        self._stopped = Event()
        self._away_since: float | None = None
        self._is_loading = False
        self._losses = 0
        self._announced = 0  # the number of the last announcement that reached this process
        self._counted: int | None = None  # the counter of announcements at the last tick

    def start(self) -> None:
        """Start the thread; call it after any fork."""
        self._is_loading = True
        Thread(target=self._run, name="synchronizer", daemon=True).start()

    def stop(self) -> None:
        """End the thread after its current work."""
        self._stopped.set()
        with self._condition:
            self._condition.notify()

    @property
    def away_since(self) -> float | None:
        """Unix time in seconds since which Redis does not respond; None while it does."""
        return self._away_since

    @property
    def is_loading(self) -> bool:
        """Whether the thread has begun, and not yet loaded what Redis holds of tracked content."""
        return self._is_loading

    @property
    def losses(self) -> int:
        """How often a loss of announcements was found; the subscriber then subscribes again."""
        return self._losses

    def schedule_check(
        self, resource: Resource, request_id: str | None = None, *, is_requested: bool = True
    ) -> None:
        """Schedule a check of a resource and return at once; many calls make one check.

        A check without a client's request brings memory up to date, but requests no refresh of
        on-demand content. Otherwise, after an outage of Redis, all that is in memory would be
        refreshed, and what clients do request would wait for that.

        Args:
            resource: to check.
            request_id: of the request that found it due.
            is_requested: a client requests the resource.
        """
        new = _Due(resource, request_id, is_requested)
        with self._condition:
            before = self._due.get(resource.id, new)
            self._due[resource.id] = _Due(
                resource,
                before.request_id or request_id,
                before.is_requested or is_requested,
            )
            self._condition.notify()

    def announced(self, resource: Resource | None, number: int) -> None:
        """Take note of an announcement; check its resource if this process has use for it.

        Args:
            resource: None if this process does not know it.
            number: of the announcement.
        """
        self._counters.count(Measure.ANNOUNCEMENTS)
        self._announced = max(self._announced, number)
        if resource is None:
            return
        self._waiters.notify(resource)
        if self._local.peek(resource) is not None or resource.tracked:
            self.schedule_check(resource, is_requested=False)

    def touched(self, scopes: Sequence[str], at: float) -> None:
        """Take note of an event of GitHub's; nothing is read until a client requests it.

        Args:
            scopes: that it touches.
            at: Unix time in seconds; of the future only if Redis's clock was set back.
        """
        if is_past(at, self._clock()):
            self._local.touch(scopes, at)

    def withdrawn(self, revision: str) -> None:
        """Learn at once what is withdrawn now; may raise `redis.RedisError`.

        If this announcement is lost, the next reading of Redis tells of it, within a second.

        Args:
            revision: of the withdrawals, as it was announced.
        """
        self._store.withdrawals.heard(revision.encode())

    def subscribed(self) -> None:
        """Check everything: announcements before this subscription were lost."""
        self._schedule_all_checks()

    def _schedule_all_checks(self) -> None:
        self._waiters.notify_all()
        for resource in dict.fromkeys([*self._catalogue.tracked, *self._local.resources()]):
            self.schedule_check(resource, is_requested=False)

    def _run(self) -> None:
        next_tick = 0.0
        while not self._stopped.is_set():
            now = self._clock()
            if now >= next_tick or next_tick > now + TICK:  # the clock may be set back
                next_tick = now + TICK
                self.guarded_tick()
            with self._condition:
                if not self._due:
                    self._condition.wait(max(0.0, next_tick - self._clock()))
            self._guarded(self.check_due)
            self._is_loading = False

    def guarded_tick(self) -> None:
        """Do a tick, survive its errors, and keep `away_since`."""
        if self._guarded(self.tick) and self._away_since is not None:
            lasted = redis_away(self._away_since).lasted_words(self._clock())
            log.warning("Redis is back. %s", lasted)
            self._away_since = None
            self._schedule_all_checks()

    def _guarded(self, work: Callable[[], None]) -> bool:
        """Whether the work succeeded; survives every error, or the process would never recover."""
        try:
            work()
        except RedisError as error:
            if trouble_of(error) is not None:  # it answers; the trouble is logged when it is met
                return False
            if self._away_since is None:
                self._away_since = since = self._clock()
                when = redis_away(since).when_words(since)
                log.warning("Redis is away, serving from memory: %s. %s", reason_of(error), when)
        except Exception:
            log.exception("unexpected error while checking Redis")
        else:
            return True
        return False

    def tick(self) -> None:
        """Once a second: check tracked resources that are due, find lost announcements, drop."""
        now = self._clock()
        for resource in self._catalogue.tracked:
            held = self._local.peek(resource)
            if held is None or held.is_due(now):
                self.schedule_check(resource, is_requested=False)
        pulse = self._store.pulse()
        self._find_losses(pulse.changes)
        self._local.drop_unasked(now)

    def _find_losses(self, counter: int) -> None:
        """Check everything if an announcement was lost, or Redis has lost its data.

        The announcements that the counter had counted at the last tick must have arrived by now,
        and a counter decreases only if its Redis has lost data.
        """
        before, self._counted = self._counted, counter
        if before is None:
            self._announced = max(self._announced, counter)
        elif self._announced < before or counter < before:
            self._announced = counter
            self._losses += 1
            self._schedule_all_checks()

    def check_due(self) -> None:
        """Make all scheduled checks."""
        with self._condition:
            due, self._due = list(self._due.values()), {}
        for at in range(0, len(due), _CHECKS_AT_ONCE):
            self._check(due[at : at + _CHECKS_AT_ONCE])

    def _check(self, due: Sequence[_Due]) -> None:
        try:
            states = self._store.states([one.resource for one in due])
            self._counters.count(Measure.REDIS_READS, "look", by=len(due))
            checked = []
            for one, state in zip(due, states, strict=True):
                resource = one.resource
                self._update_local(resource, state, self._clock())
                if self._may_request(one, state):
                    is_wanted = self._is_wanted(resource)
                    checked.append(Checked(resource, state, is_wanted, one.request_id))
            self._refresh_requests.request_all(checked, now=self._clock())
        except RedisError:
            for one in due:
                self._local.postpone(one.resource, self._clock() + TICK)
            raise

    def _update_local(self, resource: Resource, state: EntryState, now: float) -> None:
        if state.forgotten:
            self._local.forget(resource, state.forgotten)
        held = self._local.peek(resource)
        if state.metadata is None:
            self._local.postpone(resource, now + TICK)
            if state.failure is not None or state.suspicion is not None:
                self._local.note_tried(resource)
        elif held is not None and held.entry.metadata.version == state.metadata.version:
            self._local.confirm(resource, state.metadata, now)
        elif held is None or state.metadata.is_newer_than(held.entry.metadata, now):
            if held is None or not state.metadata.may_lack_items_of(held.stored):
                self._load(resource)
            else:
                self._doubt(held, state.metadata, now)
        else:
            self._local.postpone(resource, now + TICK)
        # until a refresh has handled the invalidation, or ended the doubt
        if state.invalidated_by is not None or state.suspicion is not None:
            self._local.postpone(resource, now + TICK)

    def _doubt(self, held: Held, stored: Metadata, now: float) -> None:
        """Keep a list that Redis has lost, and have GitHub asked a second time, once it is time."""
        resource = held.resource
        self._local.postpone(resource, now + TICK)
        if self._refresh_requests.look_twice(resource, stored.first_at, now=now):
            log.warning(
                "Redis had lost %s, and GitHub then showed %s items where this process holds %s:"
                " these are served until GitHub has been asked again, at least %.0f s later",
                resource.name,
                stored.items,
                held.stored.items,
                SECOND_LOOK_S,
            )

    def _load(self, resource: Resource) -> None:
        if not self._is_wanted(resource):
            return
        entry = self._store.read(resource)
        self._counters.count(Measure.REDIS_READS, "body")
        if entry is not None:
            self._local.put(resource, entry, self._clock())
            self._waiters.notify(resource)
        elif resource.tracked and self._refresh_requests.read_anew(resource, now=self._clock()):
            log.warning("what is stored of %s is damaged: it is read anew", resource.name)
            self._local.postpone(resource, self._clock() + TICK)

    def _may_request(self, due: _Due, state: EntryState) -> bool:
        """Whether the check may request a refresh of its resource."""
        if due.is_requested or due.resource.tracked or state.is_to_be_read_anew:
            return True
        # After an event, content on demand is fetched when somebody requests it.
        if state.invalidated_by is not None and state.looks is None:
            return True
        return self._waiters.has_waiter(due.resource)

    def _is_wanted(self, resource: Resource) -> bool:
        """Whether it is tracked, in memory, or waited for."""
        if resource.tracked or self._local.peek(resource) is not None:
            return True
        return self._waiters.has_waiter(resource)
