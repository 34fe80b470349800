"""The fleet's rate limiter: each request to GitHub is reserved before and settled after.

It keeps GitHub's rules on limits for all refreshers together:
https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api

- Primary limit: a number of requests per hour for each credential and each class of resources (see
  `rate_limit_class`). The credential with the most requests left is used. When all are spent, no
  request is sent until the first of their windows ends. On-demand refreshes leave a share
  (`BUDGET_RESERVE`) to tracked ones.
- Secondary limits: a number of requests in flight, and a number per minute
  (`shared.point_buckets`). Both parties always have a share of them. A request waits for a place
  in flight and a point: a tracked one as long as necessary, one on demand for at most `MISS_WAIT`.
  A response which says that a secondary limit was met pauses every refresher for the time that it
  names, or else for one minute, then two, then four, up to an hour. What asks for more than an hour
  is cut to an hour; afterwards one request is let through every ten minutes, until one succeeds.

A reservation that is never settled, because its refresher died, costs one request of the hour. Its
place in flight is free again after `LOCK_TTL`, like the lock: refreshers renew the places of their
requests under way. A work horse of RQ's own worker cannot do that, so its places last for
`ORIGIN_DEADLINE`.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Event, Lock
from typing import cast

from redis import Redis

from refresher.errors import OriginError, StoppedError
from refresher.github.addresses import Place, place_of
from refresher.github.auth.credentials import ANONYMOUS, REFUSED_FOR, Credential
from refresher.github.budget_scripts import PAUSE, REFUSE, RENEW, RESERVE, SET_ASIDE, SETTLE
from refresher.github.rate_limit_class import CORE, RateLimitClasses, shape_of
from refresher.github.rate_limit_headers import UNSAID_PAUSE, WINDOW, class_in, primary_limit
from refresher.github.rate_limiter import Reservation
from refresher.github.settlements import Settlements
from refresher.github.turns import Turns
from refresher.party_limits import limits_of
from shared import budgets
from shared.clock import Clock
from shared.outcomes import FailureKind
from shared.redis import keys
from shared.redis.scripts import Script
from shared.settings import Settings

log = logging.getLogger("refresher")

_SETTINGS = "GITHUB_API_TOKEN, GITHUB_APP_..."  # where credentials come from
_POLL = 0.05  # seconds between two tries to get a place that another process frees
_RESERVE, _RENEW, _SETTLE = Script(RESERVE), Script(RENEW), Script(SETTLE)
_PAUSE, _SET_ASIDE, _REFUSE = Script(PAUSE), Script(SET_ASIDE), Script(REFUSE)
_MOST_PLACES = 500  # in which one credential is refused; requests choose them
_LONGEST = 300  # characters of a reason that are kept


class Share(StrEnum):
    """Whose share of GitHub's limits a request uses."""

    TRACKED = "tracked"
    FURTHER_PAGES = "pages"  # of a tracked list: they leave points to small tracked resources
    ON_DEMAND = "on-demand"

    @property
    def party(self) -> str:
        """The party, as prefix of request ids: requests in flight are counted by it."""
        return "on-demand:" if self is Share.ON_DEMAND else "tracked:"


@dataclass(frozen=True)
class _Attempt:
    """A request that is to be reserved, with one id for all tries."""

    share: Share
    request_id: str
    place: Place
    shape: str
    resource_class: str
    credentials: Sequence[Credential]

    @property
    def is_anonymous(self) -> bool:
        return _is_anonymous(self.credentials)


class Budget:
    """The fleet's rate limiter as one process uses it, in several threads.

    Methods may raise `redis.RedisError`.

    Args:
        redis: holds the fleet's budget.
        settings: the limits.
        credentials: all that the settings give, see `credentials_of`.
        clock: the process's clock.
        new_id: returns a request id that is unique in the fleet.
        should_stop: returns whether requests are to stop waiting, because the process shuts down.
        wait: waits until an event is set, or for a number of seconds.
    """

    def __init__(
        self,
        redis: Redis,
        settings: Settings,
        credentials: Sequence[Credential],
        *,
        clock: Clock,
        new_id: Callable[[], str],
        should_stop: Callable[[], bool] = lambda: False,
        wait: Callable[[Event, float], object] = Event.wait,
    ) -> None:
        self._redis = redis
        self._settings = settings
        self.credentials = credentials
        self._monotonic = clock.monotonic
        self._new_id = new_id
        self._should_stop = should_stop
        self._classes = RateLimitClasses(redis, clock=clock)
        self._turns = {share: Turns(wait) for share in Share}
        self._places = _places_of(settings)
        self._settlements: Settlements | None = None
        self._lock = Lock()
        self._under_way: set[str] = set()  # ids of requests

    def limiter(self, share: Share) -> "BudgetLimiter":
        """The rate limiter of one refresh, whose requests use this share; cheap to make."""
        return BudgetLimiter(self, share)

    def reserve(self, share: Share, target: str, *, among: Collection[str] | None) -> Reservation:
        """Reserve one request; wait for a place in flight and for points.

        A request of a tracked resource waits as long as necessary, one on demand for at most
        `MISS_WAIT`. Threads of this process are served about in the order in which they came.

        Args:
            share: that the request uses.
            target: path below the API's base URL. It decides which limit counts.
            among: ids of the credentials that may be used, besides the anonymous one; None for any.

        Raises:
            OriginError: no request may be sent now. `retry_after` says when.
            StoppedError: the process shuts down, or the request waited too long.
        """
        shape = shape_of(target)
        attempt = _Attempt(
            share,
            f"{share.party}{self._new_id()}",
            place_of(target),
            shape,
            self._classes.of(shape),
            self._usable(among),
        )
        turns = self._turns[share]
        pause = 0.0
        if turns.is_empty:
            found = self._try(attempt)
            if isinstance(found, Reservation):
                return found
            pause = found
        is_patient = share is not Share.ON_DEMAND
        ends_at = self._monotonic() + self._settings.miss_wait
        with turns.joined() as mine:
            while is_patient or self._monotonic() < ends_at:
                if self._should_stop():
                    raise StoppedError
                if not turns.comes(mine, pause=pause):
                    continue
                found = self._try(attempt)
                if isinstance(found, Reservation):
                    return found
                pause = found
        raise StoppedError

    def settle(self, reservation: Reservation, status: int, headers: Mapping[str, str]) -> None:
        """Update the budget from a response; `status` is 0 if none came."""
        with self._lock:
            self._under_way.discard(reservation.request_id)
        if status == 401:  # it reports the limit of requests without a credential
            headers = {}
        said = primary_limit(headers)
        credential, reserved = reservation.credential.id, reservation.resource_class
        reported = class_in(headers) or reserved
        if reported != reserved:
            self._classes.remember(reservation.shape, reported)
        is_free = status == 304 and not reservation.credential.is_anonymous
        is_welcome = 200 <= status < 500 and status not in {401, 403, 429}
        script_keys = [
            keys.IN_FLIGHT,
            keys.budget(credential, reserved),
            keys.PAUSES,
            keys.budget(credential, reported),
            keys.BUDGETS,
            keys.budget_history(credential, reported),
            keys.PAUSE,
        ]
        args = [
            reservation.request_id,
            *((said.limit, said.remaining, said.reset) if said else ("", "", "")),
            int(is_welcome),
            budgets.name_of(credential, reported),
            int(is_free),
        ]
        if self._settlements is not None and is_welcome:
            self._settlements.add(script_keys, args)
        else:  # the next reservation has to know
            _SETTLE(self._redis, script_keys, args)
            self._wake(1)

    def start(self) -> None:
        """From now on settle in a thread of its own; `close` it at the end.

        Without it, each request waits for its settlement, as it must in a process that ends right
        after a refresh.
        """
        self._settlements = Settlements(self._redis, _SETTLE, done=self._wake)

    def renew(self) -> None:
        """Keep the places in flight of requests under way; call it once a second after `start`.

        So the places of a refresher that dies expire as soon as its locks.
        """
        with self._lock:
            under_way = sorted(self._under_way)
        if under_way:
            _RENEW(self._redis, [keys.IN_FLIGHT], [self._place_life, *under_way])

    @property
    def _place_life(self) -> float:
        """Seconds until a place in flight expires that is not renewed."""
        settings = self._settings
        return settings.origin_deadline if self._settlements is None else settings.lock_ttl

    def close(self) -> None:
        """Settle what has not been settled."""
        if self._settlements is not None:
            self._settlements.close()
            self._settlements = None

    def _wake(self, freed: int) -> None:
        """Wake waiting requests, as many of each share as places were freed."""
        for turns in self._turns.values():
            for _ in range(freed):
                turns.wake()

    def pause(self, seconds: float | None) -> float:
        """Pause all refreshers; return for how many seconds.

        Args:
            seconds: that GitHub asks for, at least 1; None if it names none: then a minute, doubled
                with each pause in a row, up to an hour.
        """
        asked = "" if seconds is None else max(seconds, 1.0)
        script_keys = [keys.PAUSE, keys.PAUSES, keys.RESUMED]
        pause = float(_PAUSE(self._redis, script_keys, [asked, UNSAID_PAUSE, WINDOW]))
        log.warning("GitHub's secondary limit was met: all refreshers pause %.0f s", pause)
        return pause

    def set_aside(self, credential: Credential, reason: str, seconds: float = REFUSED_FOR) -> bool:
        """Do not use a credential for a while. There is always another one, or none is sent."""
        log.error(
            "credential %s is set aside for %.0f s: %s; check %s",
            credential.id,
            seconds,
            reason,
            _SETTINGS,
        )
        script_keys = [keys.aside(credential.id), keys.BUDGETS]
        name = budgets.name_of(credential.id, CORE)
        _SET_ASIDE(self._redis, script_keys, [seconds, name, reason[:_LONGEST]])
        return not credential.is_anonymous

    def refuse(self, credential: Credential, place: Place, message: str) -> bool:
        """Do not use a credential in one place for a while, and log what was not known."""
        arguments = [name_of_place(place), REFUSED_FOR, message, _MOST_PLACES, budgets.REMEMBER_S]
        if _REFUSE(self._redis, [keys.refused(credential.id)], arguments):
            log.warning(
                "GitHub refuses credential %s for %s: %s; others are used, or none",
                credential.id,
                name_of_place(place),
                message,
            )
        return not credential.is_anonymous

    @property
    def has_others(self) -> bool:
        """Whether there is more than one credential."""
        return len(self.credentials) > 1

    def _share_kept(self, attempt: "_Attempt") -> float:
        """The share of the hour's requests to keep for tracked resources.

        It is 0 for anonymous requests of a fleet with credentials, unless `TRACK` is set: what
        `ORGS` tracks is hardly ever requested so.
        """
        is_beside = attempt.is_anonymous and not _is_anonymous(self.credentials)
        is_beside = is_beside and not self._settings.track
        is_kept = attempt.share is Share.ON_DEMAND and not is_beside
        return self._settings.budget_reserve if is_kept else 0.0

    def _usable(self, among: Collection[str] | None) -> Sequence[Credential]:
        """The credentials of these ids and the anonymous one, which has a budget of its own."""
        if among is None:
            return self.credentials
        return [*(one for one in self.credentials if one.id in among), ANONYMOUS]

    def _try(self, attempt: "_Attempt") -> Reservation | float:
        """A reservation, or the seconds after which another try is useful.

        If no credential is accepted, requests carry none.

        Raises:
            OriginError: waiting would be of no use.
        """
        settings, credentials = self._settings, attempt.credentials
        budget_keys: list[str] = []
        for one in credentials:
            budget_keys += [keys.budget(one.id, attempt.resource_class), keys.aside(one.id)]
            budget_keys.append(keys.refused(one.id))
        response = _RESERVE(
            self._redis,
            [keys.PAUSE, keys.IN_FLIGHT, keys.POINTS, keys.RESUMED, *budget_keys],
            [
                attempt.request_id,
                attempt.share.party,
                self._share_kept(attempt),
                settings.origin_concurrency,
                self._places[attempt.share.party],
                self._place_life,
                settings.origin_points_per_minute,
                settings.budget_reserve,
                attempt.share.value,
                name_of_place(attempt.place._replace(operation="")),
                name_of_place(attempt.place),
                *(credential.assumed_limit for credential in credentials),
            ],
        )
        state, *more = (part.decode() for part in cast(list[bytes], response))
        if state == "taken":
            credential = credentials[int(float(more[0])) - 1]
            with self._lock:
                self._under_way.add(attempt.request_id)
            return Reservation(
                credential, attempt.request_id, attempt.resource_class, attempt.shape
            )
        if state == "refused" and ANONYMOUS not in credentials:
            return self._try(replace(attempt, credentials=[ANONYMOUS]))
        if state == "busy":
            return _POLL
        if state == "crowded":
            return float(more[0])
        raise self._refusal(state, float(more[0]), attempt)

    def _refusal(self, state: str, pause: float, attempt: "_Attempt") -> OriginError:
        spent = "GitHub's rate limit is spent"
        if attempt.is_anonymous and not _is_anonymous(self.credentials):
            spent += " for requests without a credential"
        if self._share_kept(attempt):
            spent += ", except what is kept for tracked resources"
        refused = f"no credential can be used at the moment: check {_SETTINGS}"
        paused = "GitHub's secondary limit was met a moment ago"
        reason = {"paused": paused, "spent": spent, "refused": refused}[state]
        is_refused = state == "refused"
        kind = FailureKind.UNAUTHORIZED if is_refused else FailureKind.RATE_LIMITED
        return OriginError(kind, reason, retry_after=max(pause, 1.0))


class BudgetLimiter:
    """The rate limiter of one refresh: the budget, with the share that its requests use."""

    def __init__(self, budget: Budget, share: Share) -> None:
        self._budget = budget
        self._share = share

    @property
    def credentials(self) -> Sequence[Credential]:
        """All credentials; only the anonymous one if none are configured."""
        return self._budget.credentials

    @property
    def has_others(self) -> bool:
        """Whether there is more than one credential."""
        return self._budget.has_others

    @property
    def for_further_pages(self) -> "BudgetLimiter":
        """The rate limiter for the pages of a list after its first one."""
        if self._share is Share.ON_DEMAND:
            return self
        return BudgetLimiter(self._budget, Share.FURTHER_PAGES)

    def reserve(self, target: str = "/", *, among: Collection[str] | None = None) -> Reservation:
        """See `Budget.reserve`."""
        return self._budget.reserve(self._share, target, among=among)

    def settle(self, reservation: Reservation, status: int, headers: Mapping[str, str]) -> None:
        """See `Budget.settle`."""
        self._budget.settle(reservation, status, headers)

    def pause(self, seconds: float | None) -> float:
        """See `Budget.pause`."""
        return self._budget.pause(seconds)

    def set_aside(self, credential: Credential, reason: str, seconds: float = REFUSED_FOR) -> bool:
        """See `Budget.set_aside`."""
        return self._budget.set_aside(credential, reason, seconds)

    def refuse(self, credential: Credential, place: Place, message: str) -> bool:
        """See `Budget.refuse`."""
        return self._budget.refuse(credential, place, message)


def name_of_place(place: Place) -> str:
    """The name of a place in which a credential is refused, as Redis and people read it."""
    return f"{place.owner} {place.operation}".rstrip()


def _is_anonymous(credentials: Sequence[Credential]) -> bool:
    return all(credential.is_anonymous for credential in credentials)


def _places_of(settings: Settings) -> Mapping[str, int]:
    """How many of the requests in flight may be of each party, so that each has places."""
    limits = limits_of(settings.origin_concurrency, reserve=settings.budget_reserve)
    return {Share.TRACKED.party: limits.tracked, Share.ON_DEMAND.party: limits.on_demand}
