"""What an answer says of GitHub's rate limits.

https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from refresher.github.response import GitHubResponse

# Nobody means longer: GitHub's own windows are of an hour.
_LONGEST_PAUSE = 24 * 3600.0  # seconds
_NUMBER = re.compile(r"[0-9]{1,300}")  # a float holds no more digits
_LIMITED = frozenset({403, 429})
_SECONDARY_WORDS = re.compile(rb"secondary rate limit|abuse detection", re.IGNORECASE)


def is_spent(response: GitHubResponse) -> bool:
    """Whether the credential's primary limit is used up."""
    return response.status in _LIMITED and response.headers.get("X-RateLimit-Remaining") == "0"


def is_secondary(response: GitHubResponse) -> bool:
    """Whether a secondary limit was met, which is everybody's concern."""
    if response.status not in _LIMITED or is_spent(response):
        return False
    return (
        response.status == 429
        or "Retry-After" in response.headers
        or _SECONDARY_WORDS.search(response.body) is not None
    )


def asked_pause(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds that GitHub asks us to wait.

    `Retry-After` first; else, with nothing remaining, until the reset.
    https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    retry_after = headers.get("Retry-After", "")
    if _NUMBER.fullmatch(retry_after):
        return min(float(retry_after), _LONGEST_PAUSE)
    reset = headers.get("X-RateLimit-Reset", "")
    if headers.get("X-RateLimit-Remaining") == "0" and _NUMBER.fullmatch(reset):
        return min(max(0.0, float(reset) - now), _LONGEST_PAUSE)
    return None


def clock_offset(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds that the origin's clock is ahead of ours, to the second; None where it is not told.

    Args:
        headers: with `Date` (RFC 9110 section 6.6.1).
        now: Unix time in seconds.
    """
    try:
        date = parsedate_to_datetime(headers.get("Date", ""))
        # The oldest form, of asctime, names no time zone; it is UTC like the others.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return None
