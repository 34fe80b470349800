"""What an answer of the origin is worth: content, a negative answer, or a failure."""

from refresher.errors import OriginError
from refresher.github.rate_limit_headers import asked_pause
from refresher.github.response import GitHubResponse
from shared.outcomes import FailureKind

# Answers about the thing itself, not about us or GitHub's health. They are content for a
# resource on demand: asking again at once would give the same.
# 409 is an empty repository, 422 a query that GitHub cannot work with, 451 a takedown.
NEGATIVE = frozenset({404, 409, 410, 422, 451})

_UNSAID_PAUSE = 60.0  # seconds


def check(response: GitHubResponse, *, tracked: bool, now: float) -> None:
    """Let an answer pass that can be stored.

    Args:
        answer: as it came.
        tracked: of a tracked resource, whose content no error may replace.
        now: Unix time in seconds.

    Raises:
        OriginError: it cannot.
    """
    status = response.status
    if status == 200 or (not tracked and (status in NEGATIVE or status == 204)):
        _check_content(response)
        return
    pause = asked_pause(response.headers, now=now)
    if status == 429 or (status == 403 and pause is not None):
        # "Otherwise, wait for at least one minute before retrying": GitHub on its rate limits.
        pause = _UNSAID_PAUSE if pause is None else pause
        reason = f"GitHub's rate limit is spent (answered {status})"
        raise OriginError(
            FailureKind.RATE_LIMITED, reason, status=status, retry_after=max(pause, 1)
        )
    if status == 401 and response.is_anonymous:
        reason = "GitHub shows this to nobody without a credential (answered 401)"
        raise OriginError(FailureKind.UNAUTHORIZED, reason, status=status)
    if status == 401:
        reason = "GitHub refuses the token (answered 401): check GITHUB_API_TOKEN"
        raise OriginError(FailureKind.UNAUTHORIZED, reason, status=status)
    reason = f"GitHub answered {status}"
    raise OriginError(FailureKind.STATUS, reason, status=status, retry_after=pause)


def _check_content(response: GitHubResponse) -> None:
    if response.status == 204:
        return
    if not response.body:
        raise OriginError(FailureKind.NOT_JSON, "GitHub's answer was empty", status=response.status)
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        shown = media_type if media_type.isprintable() else "something odd"
        reason = f"GitHub sent {shown[:40] or 'an untyped body'} instead of JSON"
        raise OriginError(FailureKind.NOT_JSON, reason, status=response.status)
