"""What an answer of the origin is worth: content, a negative answer, or a failure."""

import re
from collections.abc import Mapping

from refresher.errors import OriginError
from refresher.origin import OriginAnswer
from shared.outcomes import FailureKind

# Answers about the thing itself, not about us or GitHub's health. They are content for a
# resource on demand: asking again at once would give the same.
# 409 is an empty repository, 422 a query that GitHub cannot work with, 451 a takedown.
NEGATIVE = frozenset({404, 409, 410, 422, 451})

_UNSAID_PAUSE = 60.0  # seconds
# Nobody means longer: GitHub's own windows are of an hour.
_LONGEST_PAUSE = 24 * 3600.0  # seconds
_NUMBER = re.compile(r"[0-9]{1,300}")  # a float holds no more digits


def check(answer: OriginAnswer, *, tracked: bool, now: float) -> None:
    """Let an answer pass that can be stored.

    Args:
        answer: as it came.
        tracked: of a tracked resource, whose content no error may replace.
        now: Unix time in seconds.

    Raises:
        OriginError: it cannot.
    """
    status = answer.status
    if status == 200 or (not tracked and (status in NEGATIVE or status == 204)):
        _check_content(answer)
        return
    pause = _asked_pause(answer.headers, now)
    if status == 429 or (status == 403 and pause is not None):
        # "Otherwise, wait for at least one minute before retrying": GitHub on its rate limits.
        pause = _UNSAID_PAUSE if pause is None else pause
        reason = f"GitHub's rate limit is spent (answered {status})"
        raise OriginError(
            FailureKind.RATE_LIMITED, reason, status=status, retry_after=max(pause, 1)
        )
    if status == 401:
        reason = "GitHub refuses the token (answered 401): check GITHUB_API_TOKEN"
        raise OriginError(FailureKind.UNAUTHORIZED, reason, status=status)
    reason = f"GitHub answered {status}"
    raise OriginError(FailureKind.STATUS, reason, status=status, retry_after=pause)


def _check_content(answer: OriginAnswer) -> None:
    if answer.status == 204:
        return
    if not answer.body:
        raise OriginError(FailureKind.NOT_JSON, "GitHub's answer was empty", status=answer.status)
    media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        shown = media_type if media_type.isprintable() else "something odd"
        reason = f"GitHub sent {shown[:40] or 'an untyped body'} instead of JSON"
        raise OriginError(FailureKind.NOT_JSON, reason, status=answer.status)


def _asked_pause(headers: Mapping[str, str], now: float) -> float | None:
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
