"""What responses say of rate limits: `X-RateLimit-*` and `/rate_limit`, in GitHub's form. Pure.

The limits are those of the fleet, as far as on-demand content may use them: what is left of
GitHub's limits for all credentials together, without the share of tracked content.

Clients stop, or sleep until the reset, when they read that nothing remains. The cache goes on to
serve what it holds, so at least one request always remains here. Only the response to a request
that is refused because GitHub's limit is spent says 0.

https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
https://docs.github.com/rest/rate-limit/rate-limit
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor

from reader.errors import ApiError
from shared.budgets import CredentialBudget
from shared.outcomes import Refusal

RATE_LIMIT = "/rate_limit"
CORE = "core"
_SEARCH = "search"
_WINDOW = 3600  # seconds of a limit
_SHORT_WINDOW = 60  # seconds of the limits of searches
_SOONEST = 2  # seconds until a reset, at least: a response is sent for up to a second
# Requests without a credential that GitHub allows in a window: what a fleet has that has not used a
# limit yet. The last two are not served here, but clients expect to find them.
_UNUSED = {
    CORE: 60,
    _SEARCH: 10,
    "code_search": 10,
    "dependency_sbom": 60,
    "graphql": 1,
    "integration_manifest": 1,
}


@dataclass(frozen=True)
class RateLimit:
    """One limit, in numbers that fit together.

    Args:
        limit: requests in a window; at least `remaining`.
        remaining: requests left; at least 1.
        reset: Unix time in seconds, in the future, within an hour.
    """

    limit: int
    remaining: int
    reset: int

    @property
    def used(self) -> int:
        """Requests that were sent in this window."""
        return self.limit - self.remaining

    @property
    def as_json(self) -> dict[str, int]:
        """The object that GitHub has for it."""
        return {
            "limit": self.limit,
            "used": self.used,
            "remaining": self.remaining,
            "reset": self.reset,
        }


def class_of(path: str) -> str:
    """The limit that a path counts against, in GitHub's words.

    Args:
        path: below the mount, as sent or canonical.
    """
    segments = path.lower().split("/")
    if segments[1:2] == [_SEARCH]:
        return "code_search" if segments[2:3] == ["code"] else _SEARCH
    return "dependency_sbom" if segments[-2:] == ["dependency-graph", "sbom"] else CORE


def limits_at(
    budgets: Sequence[CredentialBudget], now: float, *, reserve: float
) -> dict[str, RateLimit]:
    """The limits by class.

    Args:
        budgets: all that are known, as of any earlier time.
        now: Unix time in seconds.
        reserve: share of each limit that is kept for tracked content.
    """
    classes = dict.fromkeys([*_UNUSED, *(budget.resource_class for budget in budgets)])
    return {name: _limit(name, budgets, now, reserve) for name in classes}


def _limit(name: str, budgets: Sequence[CredentialBudget], now: float, reserve: float) -> RateLimit:
    of_class = [budget for budget in budgets if budget.resource_class == name]
    # Those of credentials, if there are any; what is asked anonymously beside them is less.
    used = [budget for budget in of_class if not budget.is_anonymous] or of_class
    limit = left = 0
    resets = []
    for budget in used:
        kept = floor(budget.limit * reserve)
        limit += budget.limit - kept
        is_over = budget.resets_at <= now
        if budget.aside_until > now:
            resets.append(budget.aside_until)
            continue
        left += max(0, (budget.limit if is_over else budget.remaining) - kept)
        if not is_over:
            resets.append(budget.resets_at)
    if not used:
        limit = left = _UNUSED.get(name, _UNUSED[CORE])
    remaining = max(1, left)
    window = _SHORT_WINDOW if _SEARCH in name else _WINDOW
    reset = min(resets, default=now + window)
    return RateLimit(max(limit, remaining), remaining, _reset_at(reset, now))


def _reset_at(moment: float, now: float) -> int:
    """A reset as it is sent: always in the future, and within an hour."""
    return min(max(ceil(moment), floor(now) + _SOONEST), floor(now) + _WINDOW)


def fields_of(name: str, limit: RateLimit) -> dict[str, str]:
    """The header fields of a response.

    Args:
        name: of the limit's class.
        limit: the limit.
    """
    return {
        "X-RateLimit-Limit": str(limit.limit),
        "X-RateLimit-Remaining": str(limit.remaining),
        "X-RateLimit-Reset": str(limit.reset),
        "X-RateLimit-Used": str(limit.used),
        "X-RateLimit-Resource": name,
    }


def _spent(fields: Mapping[str, str], retry_after: int, now: float) -> dict[str, str]:
    """The fields of a response to a request that was refused because the limit is spent.

    Args:
        fields: those of other responses.
        retry_after: seconds until GitHub can be asked again.
        now: Unix time in seconds.
    """
    return {
        **fields,
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Used": fields["X-RateLimit-Limit"],
        "X-RateLimit-Reset": str(_reset_at(now + retry_after, now)),
    }


class RateLimits:
    """The limits as one process knows them; for any thread.

    They are worked out once a second, whoever asks: then a hit costs nothing.

    Args:
        reserve: share of each limit that is kept for tracked content.
        clock: returns Unix time in seconds.
    """

    def __init__(self, *, reserve: float, clock: Callable[[], float]) -> None:
        self._reserve = reserve
        self._clock = clock
        self._budgets: Sequence[CredentialBudget] = ()
        self._worked_out = self._work_out(clock())

    def learn(self, budgets: Sequence[CredentialBudget]) -> None:
        """Take what the fleet has left; without news, what is known goes on to count."""
        self._budgets = budgets

    def fields(self, path: str) -> Mapping[str, str]:
        """The header fields of a response.

        Args:
            path: of the request, below the mount.
        """
        return self._current().fields[class_of(path)]

    def fields_of_error(self, path: str, error: ApiError) -> Mapping[str, str]:
        """The header fields of an error response.

        Args:
            path: of the request, below the mount.
            error: that the request ended with.
        """
        fields = self.fields(path)
        if error.refusal is not Refusal.BUDGET_SPENT:
            return fields
        return _spent(fields, int(error.headers["Retry-After"]), self._clock())

    def document(self) -> dict[str, object]:
        """The body of `/rate_limit`."""
        limits = self._current().limits
        resources = {name: limit.as_json for name, limit in limits.items()}
        return {"resources": resources, "rate": resources[CORE]}

    def _current(self) -> "_WorkedOut":
        known, now = self._worked_out, self._clock()
        if known.second != floor(now):
            known = self._worked_out = self._work_out(now)
        return known

    def _work_out(self, now: float) -> "_WorkedOut":
        limits = limits_at(self._budgets, now, reserve=self._reserve)
        fields = {name: fields_of(name, limit) for name, limit in limits.items()}
        return _WorkedOut(floor(now), limits, fields)


@dataclass(frozen=True)
class _WorkedOut:
    second: int
    limits: Mapping[str, RateLimit]
    fields: Mapping[str, Mapping[str, str]]
