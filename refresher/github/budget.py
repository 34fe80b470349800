"""The fleet's rate limiter: each request to GitHub is reserved before and settled after.

It keeps GitHub's rules on limits for all refreshers together:
https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api

- Primary limit: a number of requests per hour for each credential and each class of resources (see
  `rate_limit_class`). The credential with the most requests left is used. When all are spent, no
  request is sent until the first of their windows ends. On-demand refreshes leave a share
  (`BUDGET_RESERVE`) to tracked ones.
- Secondary limits: a number of requests in flight, and a number per minute. A response which says
  that a secondary limit was met pauses every refresher for the time that it names, or else for one
  minute, then two, then four, up to an hour.

A reservation that is never settled, because its refresher died, costs one request of the hour. It
occupies its place in flight until `ORIGIN_DEADLINE`.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast

from redis import Redis

from refresher.errors import OriginError
from refresher.github.auth.credentials import ANONYMOUS, REFUSED_FOR, Credential
from refresher.github.auth.pool import credentials_of
from refresher.github.budget_scripts import PAUSE, RESERVE, SETTLE
from refresher.github.rate_limit_class import CORE, RateLimitClasses, shape_of
from refresher.github.rate_limit_headers import UNSAID_PAUSE, WINDOW, class_in, primary_limit
from refresher.github.rate_limiter import Reservation
from shared import budgets
from shared.clock import Clock
from shared.outcomes import FailureKind
from shared.redis import keys
from shared.settings import Settings

log = logging.getLogger("refresher")

_SETTINGS = "GITHUB_API_TOKEN, GITHUB_APP_..."  # where credentials come from
_POLL = 0.05  # seconds between two tries to get a place in flight


class Budget:
    """The fleet's rate limiter; methods may raise `redis.RedisError`.

    Args:
        redis: holds the fleet's budget.
        settings: the credentials and the limits.
        tracked: whether requests are for tracked resources, which may use the kept share too.
        clock: the process's clock.
        new_id: returns a request id that is unique in the fleet.
    """

    def __init__(
        self,
        redis: Redis,
        settings: Settings,
        *,
        tracked: bool,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._redis = redis
        self._settings = settings
        self._share = 0.0 if tracked else settings.budget_reserve
        self._clock = clock
        self._new_id = new_id
        self._credentials = credentials_of(settings, redis, clock=clock)
        self._classes = RateLimitClasses(redis)
        self._reserve = redis.register_script(RESERVE)
        self._settle = redis.register_script(SETTLE)
        self._pause = redis.register_script(PAUSE)

    @property
    def credentials(self) -> Sequence[Credential]:
        """All credentials; only the anonymous one if none are configured."""
        return self._credentials

    def reserve(self, target: str = "/", *, among: Collection[str] | None = None) -> Reservation:
        """Reserve one request; wait up to `ORIGIN_DEADLINE` for a place in flight.

        Args:
            target: path below the API's base URL. It decides which limit counts.
            among: ids of the credentials that may be used, besides the anonymous one; None for any.

        Raises:
            OriginError: no request may be sent now. `retry_after` says when.
        """
        request_id, shape = self._new_id(), shape_of(target)
        resource_class = self._classes.of(shape)
        credentials = self._usable(among)
        patience = self._settings.origin_deadline
        while patience > 0:
            state, *more = self._try(request_id, resource_class, credentials)
            if state == "taken":
                credential = credentials[int(float(more[0])) - 1]
                return Reservation(credential, request_id, resource_class, shape)
            if state != "busy":
                raise self._refusal(state, float(more[0]), credentials)
            self._clock.sleep(_POLL)
            patience -= _POLL
        raise OriginError(
            FailureKind.RATE_LIMITED, "too many requests to GitHub are under way", retry_after=1
        )

    def settle(self, reservation: Reservation, status: int, headers: Mapping[str, str]) -> None:
        """Update the budget from a response; `status` is 0 if none came."""
        if status == 401:  # it reports the limit of requests without a credential
            headers = {}
        said = primary_limit(headers)
        credential, reserved = reservation.credential.id, reservation.resource_class
        reported = class_in(headers) or reserved
        if reported != reserved:
            self._classes.remember(reservation.shape, reported)
        now = self._clock.now()
        slot = budgets.slot_at(now)
        self._settle(
            keys=[
                keys.IN_FLIGHT,
                keys.budget(credential, reserved),
                keys.PAUSES,
                keys.budget(credential, reported),
                keys.BUDGETS,
                keys.budget_history(credential, reported),
            ],
            args=[
                reservation.request_id,
                *((said.limit, said.remaining, said.reset) if said else ("", "", "")),
                int(status in {200, 304}),
                now,
                budgets.name_of(credential, reported),
                slot % budgets.SLOTS,
                slot,
            ],
        )

    def pause(self, seconds: float | None) -> float:
        """Pause all refreshers; return for how many seconds."""
        now = self._clock.now()
        asked = "" if seconds is None else max(seconds, 1.0)
        until = float(
            cast(
                bytes,
                self._pause(
                    keys=[keys.PAUSE, keys.PAUSES],
                    args=[now, asked, UNSAID_PAUSE, WINDOW],
                ),
            )
        )
        log.warning("GitHub's secondary limit was met: all refreshers pause %.0f s", until - now)
        return until - now

    def set_aside(self, credential: Credential, reason: str, seconds: float = REFUSED_FOR) -> bool:
        """Do not use a credential for a while; return whether there are others."""
        log.error(
            "credential %s is set aside for %.0f s: %s; check %s",
            credential.id,
            seconds,
            reason,
            _SETTINGS,
        )
        now = self._clock.now()
        self._redis.set(
            keys.aside(credential.id), str(now + seconds), px=int(seconds * 1000) + 1000
        )
        # List it, so that the status page shows it although GitHub does not report its limit.
        self._redis.zadd(keys.BUDGETS, {budgets.name_of(credential.id, CORE): now})
        return self.has_others

    @property
    def has_others(self) -> bool:
        """Whether there is more than one credential."""
        return len(self._credentials) > 1

    def _share_kept(self, credentials: Sequence[Credential]) -> float:
        """The share to keep for tracked resources.

        It is 0 for anonymous requests of a fleet with credentials: these are never for tracked
        resources.
        """
        is_beside = _is_anonymous(credentials) and not _is_anonymous(self._credentials)
        return 0.0 if is_beside else self._share

    def _usable(self, among: Collection[str] | None) -> Sequence[Credential]:
        """The credentials of these ids and the anonymous one, which has a budget of its own."""
        if among is None:
            return self._credentials
        return [*(one for one in self._credentials if one.id in among), ANONYMOUS]

    def _try(
        self, request_id: str, resource_class: str, credentials: Sequence[Credential]
    ) -> Sequence[str]:
        now, settings = self._clock.now(), self._settings
        budget_keys: list[str] = []
        for credential in credentials:
            budget_keys += [keys.budget(credential.id, resource_class), keys.aside(credential.id)]
        response = self._reserve(
            keys=[keys.PAUSE, keys.IN_FLIGHT, keys.points(int(now // 60)), *budget_keys],
            args=[
                now,
                request_id,
                self._share_kept(credentials),
                settings.origin_concurrency,
                settings.origin_deadline,
                settings.origin_points_per_minute,
                *(credential.assumed_limit for credential in credentials),
            ],
        )
        return [part.decode() for part in cast(list[bytes], response)]

    def _refusal(self, state: str, again: float, credentials: Sequence[Credential]) -> OriginError:
        share = self._share_kept(credentials)
        spent = "GitHub's rate limit is spent"
        if _is_anonymous(credentials) and not _is_anonymous(self._credentials):
            spent += " for requests without a credential"
        reason = {
            "paused": "GitHub's secondary limit was met a moment ago",
            "crowded": "the limit of requests to GitHub per minute is reached",
            "spent": f"{spent}, except what is kept for tracked resources" if share else spent,
            "refused": f"no credential can be used at the moment: check {_SETTINGS}",
        }[state]
        is_refused = state == "refused"
        kind = FailureKind.UNAUTHORIZED if is_refused else FailureKind.RATE_LIMITED
        return OriginError(kind, reason, retry_after=max(again - self._clock.now(), 1.0))


def _is_anonymous(credentials: Sequence[Credential]) -> bool:
    return all(credential.is_anonymous for credential in credentials)
