"""GitHub's rate-limit header fields. No other module parses them.

https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

WINDOW = 3600.0  # seconds after which a primary limit starts again
# The pause after a limit was met if GitHub names none: "wait for at least one minute".
UNSAID_PAUSE = 60.0  # seconds

# GitHub's own windows last an hour; a header that asks for more than a year is a mistake.
_LONGEST_PAUSE = 365 * 24 * WINDOW  # seconds
_NUMBER = re.compile(r"[0-9]{1,300}")  # a float holds no more digits
_COUNT = re.compile(r"[0-9]{1,9}")
_LIMIT = re.compile(r"[1-9][0-9]{0,8}")
_UNIX_TIME = re.compile(r"[0-9]{1,12}")
_CLASS = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True)
class PrimaryLimit:
    """The state of one primary limit, as a response reports it.

    Args:
        limit: requests in a window.
        remaining: requests left in the current window.
        reset: Unix time in seconds at which the window ends.
    """

    limit: int
    remaining: int
    reset: int


def primary_limit(headers: Mapping[str, str]) -> PrimaryLimit | None:
    """The primary limit that a response reports; None if a field is missing or malformed.

    A limit of no requests at all is malformed: no response could ever correct it.
    """
    limit = headers.get("X-RateLimit-Limit", "")
    reset = headers.get("X-RateLimit-Reset", "")
    left = remaining(headers)
    if left is None or not _LIMIT.fullmatch(limit) or not _UNIX_TIME.fullmatch(reset):
        return None
    return PrimaryLimit(int(limit), left, int(reset))


def remaining(headers: Mapping[str, str]) -> int | None:
    """Requests left in the current window; None if the response does not say."""
    said = headers.get("X-RateLimit-Remaining", "")
    return int(said) if _COUNT.fullmatch(said) else None


def class_in(headers: Mapping[str, str]) -> str | None:
    """The limit's class that a response names, such as `core`; None if it names none."""
    return class_of(headers.get("X-RateLimit-Resource", ""))


def class_of(name: str) -> str | None:
    """The class of that name; None if it cannot be one."""
    return name if _CLASS.fullmatch(name) else None


def asked_pause(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds that GitHub asks us to wait, a year at most; None if it does not ask.

    A caller that does not try again meanwhile (see `budget_scripts`) has to bound it further.

    `Retry-After` comes first; otherwise, if nothing remains, the time until the reset.
    https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api

    Args:
        headers: of a response.
        now: Unix time in seconds.
    """
    retry_after = headers.get("Retry-After", "")
    if _NUMBER.fullmatch(retry_after):
        return min(float(retry_after), _LONGEST_PAUSE)
    reset = headers.get("X-RateLimit-Reset", "")
    if remaining(headers) == 0 and _NUMBER.fullmatch(reset):
        return min(max(0.0, float(reset) - now), _LONGEST_PAUSE)
    return None


def clock_offset(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds by which GitHub's clock is ahead of ours; None if the response has no valid `Date`.

    The precision is one second. Resets are in GitHub's time, so a wrong clock here shows as pauses
    that are too long or too short.

    Args:
        headers: with `Date` (RFC 9110 section 6.6.1).
        now: Unix time in seconds.
    """
    try:
        date = parsedate_to_datetime(headers.get("Date", ""))
        # The oldest form, that of asctime, names no time zone. It is UTC like the others.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return None
