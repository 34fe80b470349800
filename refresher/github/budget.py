"""One budget for the whole fleet: every request to the origin is reserved first, settled after.

It keeps GitHub's rules on limits, for all refreshers at once:
https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api

- Primary: so many requests an hour for each credential, and in each class of resources (see
  `resource_classes`). The credential with most left is taken. When all are spent, nothing is asked
  until the first of them starts anew. On-demand refreshes leave a share (`BUDGET_RESERVE`) to
  tracked ones.
- Secondary: no more than so many at once, and so many a minute. An answer that says that a
  secondary limit was met stops every refresher, for as long as it says, else for a minute, then
  two, then four.

A reservation that is never settled, since its refresher died, costs one request of the hour, and
its place among those at once until `ORIGIN_DEADLINE`.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast
from uuid import uuid4

from redis import Redis

from refresher.errors import OriginError
from refresher.github.auth.credentials import ANONYMOUS, Credential
from refresher.github.auth.pool import credentials_of
from refresher.github.rate_limit_class import CORE, class_in, shape_of
from refresher.github.rate_limiter import ASIDE, UNSAID_PAUSE, Reservation
from shared import budgets
from shared.outcomes import FailureKind
from shared.redis import keys
from shared.settings import Settings

log = logging.getLogger("refresher")

_LONGEST_PAUSE = 3600.0  # seconds
_SETTINGS = "GITHUB_API_TOKEN, GITHUB_APP_..."  # where credentials come from
_TURN = 0.05  # seconds between looks for a place among those at once

# Takes a request out of the budget.
# KEYS: pause, in flight, points of this minute, then of each credential: its budget, and until
#       when it is set aside.
# ARGV: now, request id, share kept, most at once, seconds that a request may take, most points a
#       minute, then the assumed limit of each credential.
# Returns {"taken", number of the credential}, {"busy"}, or {"paused" | "crowded" | "spent" |
# "refused", when to try again}.
_RESERVE = """
local now, share = tonumber(ARGV[1]), tonumber(ARGV[3])
local paused = tonumber(redis.call('GET', KEYS[1]) or '0')
if paused > now then return {'paused', tostring(paused)} end

local best, most, limit_of_best, again, refused = nil, 0, 0, nil, true
for number = 1, #ARGV - 6 do
  local at = 2 + 2 * number
  local known = redis.call('HMGET', KEYS[at], 'limit', 'remaining', 'reset')
  local limit = tonumber(known[1] or ARGV[number + 6])
  local left, reset = tonumber(known[2] or limit), tonumber(known[3] or '0')
  local aside = tonumber(redis.call('GET', KEYS[at + 1]) or '0')
  if aside > now then
    if not again or aside < again then again = aside end
  else
    refused = false
    if reset <= now then left = limit end
    left = left - math.floor(limit * share)
    if left > most then best, most, limit_of_best = at, left, limit
    elseif not again or reset < again then again = reset end
  end
end
if not best then return {refused and 'refused' or 'spent', tostring(again)} end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[4]) then return {'busy'} end
if tonumber(redis.call('GET', KEYS[3]) or '0') >= tonumber(ARGV[6]) then
  return {'crowded', tostring((math.floor(now / 60) + 1) * 60)}
end
redis.call('INCR', KEYS[3])
redis.call('EXPIRE', KEYS[3], 120)
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[5]), ARGV[2])
redis.call('PEXPIRE', KEYS[2], 3600000)

local reset = tonumber(redis.call('HGET', KEYS[best], 'reset') or '0')
if reset <= now then
  -- A new hour, of which GitHub has not said yet when it ends.
  redis.call('HSET', KEYS[best], 'limit', limit_of_best, 'remaining', limit_of_best,
             'reset', now + 3600, 'guessed', 1)
end
redis.call('HINCRBY', KEYS[best], 'remaining', -1)
redis.call('PEXPIRE', KEYS[best], 2 * 3600000)
return {'taken', tostring(best / 2 - 1)}
"""

# Puts right what a request really cost, and gives back its place.
# KEYS: in flight, budget it was reserved from, number of pauses, budget that the answer speaks of,
#       the budgets there are, history of that budget.
# ARGV: request id, limit, remaining, reset: what the answer said, or empty where it said nothing;
#       whether it ends a row of pauses; now, name of that budget, slot of its history, number of
#       that slot since 1970.
_SETTLE = """
redis.call('ZREM', KEYS[1], ARGV[1])
if ARGV[5] == '1' then redis.call('DEL', KEYS[3]) end
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('HINCRBY', KEYS[2], 'remaining', 1) end
if ARGV[3] == '' then return end
local known = redis.call('HMGET', KEYS[4], 'reset', 'guessed', 'remaining')
local said, reset = tonumber(ARGV[3]), tonumber(ARGV[4])
local apart = reset - tonumber(known[1] or '0')
if known[2] == '1' then
  -- Those that are in flight beside this one stay reserved.
  local beside = redis.call('ZCARD', KEYS[1])
  redis.call('HSET', KEYS[4], 'remaining', math.max(0, said - beside), 'reset', reset, 'guessed', 0)
elseif apart > 5 then
  redis.call('HSET', KEYS[4], 'remaining', said, 'reset', reset)
elseif apart >= -5 and said < tonumber(known[3] or said) then
  redis.call('HSET', KEYS[4], 'remaining', said)
end
redis.call('HSET', KEYS[4], 'limit', ARGV[2])
redis.call('PEXPIRE', KEYS[4], 2 * 3600000)
redis.call('ZADD', KEYS[5], ARGV[6], ARGV[7])
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', ARGV[6] - 7 * 3600)
local left = redis.call('HGET', KEYS[4], 'remaining') or '0'
redis.call('HSET', KEYS[6], ARGV[8], ARGV[9] .. ' ' .. left)
redis.call('PEXPIRE', KEYS[6], 7 * 3600000)
"""

# Stops every refresher. KEYS: pause, number of pauses. ARGV: now, seconds asked for (empty for
# none), first and longest pause of our own choice. Returns until when.
_PAUSE = """
local count = redis.call('INCR', KEYS[2])
redis.call('EXPIRE', KEYS[2], 3600)
local pause = tonumber(ARGV[2]) or math.min(tonumber(ARGV[3]) * 2 ^ (count - 1), tonumber(ARGV[4]))
local until_when = tonumber(ARGV[1]) + pause
if until_when > tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], until_when, 'PX', math.ceil(pause * 1000) + 1000)
end
return tostring(until_when)
"""


class Budget:
    """The fleet's gate; methods may raise `redis.RedisError`.

    Args:
        redis: where the fleet's budget is kept.
        settings: the credentials and the limits.
        tracked: whether requests are for tracked resources, and so may use up what is left.
        clock: gives Unix time in seconds.
        sleep: waits so many seconds for a place among those at once.
    """

    def __init__(
        self,
        redis: Redis,
        settings: Settings,
        *,
        tracked: bool,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._redis = redis
        self._settings = settings
        self._share = 0.0 if tracked else settings.budget_reserve
        self._clock = clock
        self._sleep = sleep
        self._credentials = credentials_of(settings, redis, clock=clock)
        self._classes: dict[str, str] | None = None
        self._reserve = redis.register_script(_RESERVE)
        self._settle = redis.register_script(_SETTLE)
        self._pause = redis.register_script(_PAUSE)

    @property
    def credentials(self) -> Sequence[Credential]:
        """All that there are; the anonymous one alone where there is none."""
        return self._credentials

    def reserve(self, target: str = "/", *, among: Collection[str] | None = None) -> Reservation:
        """Leave to send one request now, waiting a little for a place among those at once.

        Args:
            target: path below the origin's base; which limit counts depends on it.
            among: ids of the credentials that may be used beside none at all; None for any.

        Raises:
            OriginError: not now; it says when.
        """
        request_id, shape = uuid4().hex, shape_of(target)
        resource_class = self._class_of(shape)
        credentials = self._those(among)
        patience = self._settings.origin_deadline
        while patience > 0:
            verdict, *more = self._try(request_id, resource_class, credentials)
            if verdict == "taken":
                credential = credentials[int(float(more[0])) - 1]
                return Reservation(credential, request_id, resource_class, shape)
            if verdict != "busy":
                raise self._refusal(verdict, float(more[0]), credentials)
            self._sleep(_TURN)
            patience -= _TURN
        raise OriginError(
            FailureKind.RATE_LIMITED, "too many requests to GitHub are under way", retry_after=1
        )

    def settle(self, reservation: Reservation, status: int, headers: Mapping[str, str]) -> None:
        """Take note of what an answer says; without one, `status` is 0."""
        if status == 401:  # it speaks of the limit of those who have no credential
            headers = {}
        said = [headers.get(f"X-RateLimit-{name}", "") for name in ("Limit", "Remaining", "Reset")]
        is_said = all(text.isascii() and text.isdigit() for text in said)
        credential, reserved = reservation.credential.id, reservation.resource_class
        spoken_of = class_in(headers) or reserved
        if spoken_of != reserved:
            self._remember(reservation.shape, spoken_of)
        now = self._clock()
        slot = budgets.slot_at(now)
        self._settle(
            keys=[
                keys.IN_FLIGHT,
                keys.budget(credential, reserved),
                keys.PAUSES,
                keys.budget(credential, spoken_of),
                keys.BUDGETS,
                keys.budget_history(credential, spoken_of),
            ],
            args=[
                reservation.request_id,
                *(said if is_said else ["", "", ""]),
                int(status in {200, 304}),
                now,
                budgets.name_of(credential, spoken_of),
                slot % budgets.SLOTS,
                slot,
            ],
        )

    def pause(self, seconds: float | None) -> float:
        """Stop all refreshers; gives for how many seconds."""
        now = self._clock()
        asked = "" if seconds is None else max(seconds, 1.0)
        until = float(
            cast(
                bytes,
                self._pause(
                    keys=[keys.PAUSE, keys.PAUSES],
                    args=[now, asked, UNSAID_PAUSE, _LONGEST_PAUSE],
                ),
            )
        )
        log.warning("GitHub's secondary limit was met: all refreshers pause %.0f s", until - now)
        return until - now

    def set_aside(self, credential: Credential, reason: str, seconds: float = ASIDE) -> bool:
        """Use a credential no more for a while; gives whether there are others."""
        log.error(
            "credential %s is set aside for %.0f s: %s; check %s",
            credential.id,
            seconds,
            reason,
            _SETTINGS,
        )
        until = str(self._clock() + seconds)
        self._redis.set(keys.aside(credential.id), until, px=int(seconds * 1000) + 1000)
        # So that it is shown, though GitHub says nothing of its limit.
        self._redis.zadd(keys.BUDGETS, {budgets.name_of(credential.id, CORE): self._clock()})
        return self.has_others

    @property
    def has_others(self) -> bool:
        """Whether there is more than one credential."""
        return len(self._credentials) > 1

    def _share_kept(self, credentials: Sequence[Credential]) -> float:
        """The share that is kept; of what is anonymous beside credentials nothing is tracked."""
        is_beside = _is_anonymous(credentials) and not _is_anonymous(self._credentials)
        return 0.0 if is_beside else self._share

    def _those(self, among: Collection[str] | None) -> Sequence[Credential]:
        """The credentials of these ids, and none at all, which has a budget of its own."""
        if among is None:
            return self._credentials
        return [*(one for one in self._credentials if one.id in among), ANONYMOUS]

    def _class_of(self, shape: str) -> str:
        if self._classes is None:
            known = cast(dict[bytes, bytes], self._redis.hgetall(keys.CLASSES))
            self._classes = {at.decode(): name.decode() for at, name in known.items()}
        return self._classes.get(shape, CORE)

    def _remember(self, shape: str, resource_class: str) -> None:
        """Keep in mind which class addresses of a shape belong to; most are of the core."""
        if self._classes is not None:
            self._classes[shape] = resource_class
        if resource_class == CORE:
            self._redis.hdel(keys.CLASSES, shape)
        else:
            self._redis.hset(keys.CLASSES, shape, resource_class)

    def _try(
        self, request_id: str, resource_class: str, credentials: Sequence[Credential]
    ) -> Sequence[str]:
        now, settings = self._clock(), self._settings
        budgets: list[str] = []
        for credential in credentials:
            budgets += [keys.budget(credential.id, resource_class), keys.aside(credential.id)]
        response = self._reserve(
            keys=[keys.PAUSE, keys.IN_FLIGHT, keys.points(int(now // 60)), *budgets],
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

    def _refusal(
        self, verdict: str, again: float, credentials: Sequence[Credential]
    ) -> OriginError:
        share = self._share_kept(credentials)
        spent = "GitHub's rate limit is spent"
        if _is_anonymous(credentials) and not _is_anonymous(self._credentials):
            spent += " for what is asked without a credential"
        reason = {
            "paused": "GitHub's secondary limit was met a moment ago",
            "crowded": "GitHub is not to be asked more often in a minute",
            "spent": f"{spent}, except what is kept for tracked resources" if share else spent,
            "refused": f"no credential is of use at the moment: check {_SETTINGS}",
        }[verdict]
        is_refused = verdict == "refused"
        kind = FailureKind.UNAUTHORIZED if is_refused else FailureKind.RATE_LIMITED
        return OriginError(kind, reason, retry_after=max(again - self._clock(), 1.0))


def _is_anonymous(credentials: Sequence[Credential]) -> bool:
    return all(credential.is_anonymous for credential in credentials)
