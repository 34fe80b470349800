"""Decides what a response is: content, a negative response that can be stored, or a failure."""

from enum import Enum, auto

from refresher.errors import OriginError
from refresher.github.rate_limit_headers import (
    UNSAID_PAUSE,
    WINDOW,
    asked_pause,
    is_secondary,
    is_spent,
)
from refresher.github.response import GitHubResponse
from shared.outcomes import FailureKind
from shared.resources.media_types import PLAIN, MediaType, is_json, is_sent_as

# Statuses that describe the resource itself, not our credential or GitHub's health. For an
# on-demand resource they are stored as content: another request would get the same response. 409 is
# an empty repository, 422 a query that GitHub cannot process, 451 a takedown.
NEGATIVE = frozenset({404, 409, 410, 422, 451})


class Refusal(Enum):
    """Why GitHub refused a request with this credential."""

    CREDENTIAL = auto()  # it does not accept the credential
    SPENT = auto()  # the credential's primary limit is used up
    SECONDARY = auto()  # a secondary limit was met, which concerns all credentials


def refusal_in(response: GitHubResponse) -> Refusal | None:
    """Why a response refuses the request; None if the response is about the resource."""
    if response.status == 401 and not response.is_anonymous:
        return Refusal.CREDENTIAL
    if is_spent(response):
        return Refusal.SPENT
    return Refusal.SECONDARY if is_secondary(response) else None


def check(response: GitHubResponse, *, tracked: bool, now: float, media: MediaType = PLAIN) -> None:
    """Check that a response can be stored.

    Args:
        response: as GitHub sent it.
        tracked: whether the resource is tracked; then no error may replace its content.
        now: Unix time in seconds.
        media: the media type that was requested.

    Raises:
        OriginError: the response cannot be stored.
    """
    status = response.status
    if status == 200 or (not tracked and (status in NEGATIVE or status == 204)):
        _check_content(response, media)
        return
    asked = asked_pause(response.headers, now=now)
    pause = None if asked is None else min(asked, WINDOW)  # nothing probes meanwhile
    if status == 429 or (status == 403 and pause is not None):
        pause = UNSAID_PAUSE if pause is None else pause
        reason = f"GitHub's rate limit is spent (answered {status})"
        raise OriginError(
            FailureKind.RATE_LIMITED, reason, status=status, retry_after=max(pause, 1)
        )
    if status == 401 and response.is_anonymous:
        reason = "GitHub does not show this without a credential (answered 401)"
        raise OriginError(FailureKind.UNAUTHORIZED, reason, status=status)
    if status == 401:
        reason = "GitHub refuses the token (answered 401): check GITHUB_API_TOKEN"
        raise OriginError(FailureKind.UNAUTHORIZED, reason, status=status)
    reason = f"GitHub answered {status}"
    raise OriginError(FailureKind.STATUS, reason, status=status, retry_after=pause)


def _check_content(response: GitHubResponse, media: MediaType) -> None:
    content_type = response.headers.get("Content-Type", "")
    if response.status == 204 or is_sent_as(content_type, media):
        return
    if not response.body:
        raise OriginError(
            FailureKind.NOT_JSON, "GitHub's response was empty", status=response.status
        )
    media_type = content_type.partition(";")[0].strip().lower()
    if not is_json(content_type):
        shown = media_type if media_type.isprintable() else "an unprintable type"
        reason = f"GitHub sent {shown[:40] or 'an untyped body'} instead of JSON"
        raise OriginError(FailureKind.NOT_JSON, reason, status=response.status)
