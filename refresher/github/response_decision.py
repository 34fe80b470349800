"""What GitHub's response means: one pure decision, `decide`; `response_outcomes` has the types.

The table, from the top; the first row that fits decides:

====================================  ==========================================================
response                              outcome
====================================  ==========================================================
304                                   `NotModified`
200, 204                              `Success`, if the body is what the representation needs
202                                   `NotReady`: GitHub is still computing the content
301, 302, 303, 307, 308               `Moved` within the API, `Archive` to the host of archives,
                                      else `Elsewhere`
429; 403 with `Retry-After`, with     `Limited`: a rate limit
`X-RateLimit-Remaining: 0`, or in
GitHub's words for limits
401, 403 of a credential              `CredentialRefused`: another one may be used
any other 4xx                         `Negative`: GitHub's answer about the resource
anything else                         `Failed`
====================================  ==========================================================

What is decided about a response of its own (HTML, an empty body) is `Failed` as well. Tracked
content outlives every answer except content: for it, `Negative` and its like are failures.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never
from urllib.parse import urljoin

from refresher.errors import LedElsewhereError, OriginError
from refresher.github.addresses import is_of_archives, is_own, without_query
from refresher.github.body import START, message_in
from refresher.github.rate_limit_headers import UNSAID_PAUSE, WINDOW, asked_pause, remaining
from refresher.github.refusal_words import Scope, scope_of_403
from refresher.github.response import GitHubResponse
from refresher.github.response_outcomes import (
    Archive,
    CredentialRefused,
    Elsewhere,
    Failed,
    Limited,
    Moved,
    Negative,
    NotModified,
    NotReady,
    ResponseOutcome,
    Success,
)
from shared.outcomes import FailureKind
from shared.resources.media_types import PLAIN, MediaType, is_json, is_sent_as

# Seconds for which a 202 is remembered: what GitHub asks for within these bounds, else the first.
NOT_READY_PAUSE = 5.0
NOT_READY_LONGEST = 60.0
_FIRST_LOOK = 0.5  # seconds; most statistics of a small repository are there by then
PERMANENT = frozenset({301, 308})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Statuses of 4xx that say nothing about the resource: the same request may succeed at once.
_TRANSIENT = frozenset({408, 421, 425})
_LIMIT_WORDS = re.compile(r"secondary rate limit|\babuse\b", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """What was asked.

    Args:
        url: of the request.
        base: of the API.
        is_anonymous: whether the request carried no credential.
        outlives_errors: no error may replace the content of the resource.
        media: the media type that was requested.
    """

    url: str = ""
    base: str = ""
    is_anonymous: bool = True
    outlives_errors: bool = False
    media: MediaType = PLAIN


def decide(
    status: int, headers: Mapping[str, str], start: bytes, asked: Asked, *, now: float
) -> ResponseOutcome:
    """What a response means.

    Args:
        status: HTTP status.
        headers: header fields; names ignore case.
        start: first bytes of the body, `START` at least if it has as many.
        asked: what was asked.
        now: Unix time in seconds.
    """
    outcome = _decide(status, headers, start, asked, now=now)
    match outcome:
        case Negative() | NotReady() if asked.outlives_errors:
            return Failed(FailureKind.STATUS, f"GitHub answered {status}", _pause(headers, now=now))
        case Archive() if asked.outlives_errors:
            return Elsewhere()
    return outcome


def _decide(
    status: int, headers: Mapping[str, str], start: bytes, asked: Asked, *, now: float
) -> ResponseOutcome:
    if status in {200, 202, 204, 304}:
        return _of_success(status, headers, start, asked, now=now)
    if status in _REDIRECTS and "Location" in headers:
        return _of_redirect(status, headers["Location"], asked)
    if status in {401, 403, 429}:
        return _of_refusal(status, headers, start, asked, now=now)
    if 400 <= status < 500 and status not in _TRANSIENT:
        return _of_error(status, headers, start)
    return Failed(FailureKind.STATUS, f"GitHub answered {status}", _pause(headers, now=now))


def _pause(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds that GitHub asks us to wait; None if it does not. Nothing probes meanwhile."""
    pause = asked_pause(headers, now=now)
    return None if pause is None else min(pause, WINDOW)


def decision_on(
    response: GitHubResponse,
    *,
    base: str = "",
    outlives_errors: bool = False,
    media: MediaType = PLAIN,
    now: float,
) -> ResponseOutcome:
    """What a complete response means; see `decide` and `Asked`."""
    asked = Asked(response.url, base, response.is_anonymous, outlives_errors, media)
    return decide(response.status, response.headers, response.body[:START], asked, now=now)


def next_look(outcome: NotReady, *, waited: float, patience: float) -> float | None:
    """Seconds after which a 202 is asked about again; None to hand it on.

    Args:
        outcome: of the last response.
        waited: seconds so far.
        patience: seconds that may be waited in all.
    """
    pause = outcome.retry_after if outcome.is_asked else _FIRST_LOOK + waited
    return pause if waited + pause <= patience else None


def error_of(outcome: ResponseOutcome, status: int) -> OriginError:
    """The error for a response that cannot be stored.

    Args:
        outcome: of the response.
        status: of the response.
    """
    match outcome:
        case Failed(kind, reason, retry_after):
            return OriginError(kind, reason, status=status, retry_after=retry_after)
        case Limited(_, pause):
            reason = f"GitHub's rate limit is spent (answered {status})"
            return OriginError(
                FailureKind.RATE_LIMITED, reason, status=status, retry_after=max(pause, 1.0)
            )
        case CredentialRefused(_, message):
            said = f": {message}" if message else ""
            reason = f"GitHub refuses the credential (answered {status}{said})"
            return OriginError(FailureKind.UNAUTHORIZED, reason, status=status)
        case Elsewhere() | Archive() | Moved():
            return LedElsewhereError(status)
        case NotReady() | Negative() | NotModified() | Success():
            return OriginError(FailureKind.STATUS, f"GitHub answered {status}", status=status)
    assert_never(outcome)


def _of_success(
    status: int, headers: Mapping[str, str], start: bytes, asked: Asked, *, now: float
) -> NotModified | NotReady | Success | Failed:
    if status == 304:
        return NotModified()
    if status == 202:
        pause = asked_pause(headers, now=now)
        wanted = NOT_READY_PAUSE if pause is None else pause
        return NotReady(min(max(wanted, 1.0), NOT_READY_LONGEST), pause is not None)
    if status == 204:
        if asked.outlives_errors:
            return Failed(FailureKind.STATUS, "GitHub answered 204")
        return Success()
    if is_sent_as(headers.get("Content-Type", ""), asked.media):
        return Success()
    return _json_failure(headers, start) or Success()


def _of_redirect(status: int, location: str, asked: Asked) -> Moved | Archive | Elsewhere:
    try:
        url = urljoin(asked.url, location)
    except ValueError:
        return Elsewhere()
    if is_own(url, asked.base):
        return Moved(url, status in PERMANENT)
    return Archive(without_query(url)) if is_of_archives(url, asked.base) else Elsewhere()


def _of_refusal(
    status: int, headers: Mapping[str, str], start: bytes, asked: Asked, *, now: float
) -> CredentialRefused | Limited | Negative | Failed:
    """What a 401, 403 or 429 means.

    The header fields decide first: nobody chooses them. A message may name an organisation, which
    anyone can call `abuse`, so the words for limits count only in a message that no rule knows.
    """
    message = message_in(start)
    if status == 401:
        if not asked.is_anonymous:
            return CredentialRefused(Scope.EVERYWHERE, message)
        reason = "GitHub does not show this without a credential (answered 401)"
        return Failed(FailureKind.UNAUTHORIZED, reason)
    is_spent = remaining(headers) == 0
    if is_spent or status == 429 or "Retry-After" in headers:
        return _limited(headers, is_secondary=not is_spent, now=now)
    scope = scope_of_403(headers, message)
    if scope is not None:
        if not asked.is_anonymous:
            return CredentialRefused(scope, message)
    elif _LIMIT_WORDS.search(message):
        return _limited(headers, is_secondary=True, now=now)
    return _of_error(status, headers, start)


def _limited(headers: Mapping[str, str], *, is_secondary: bool, now: float) -> Limited:
    pause = _pause(headers, now=now)
    return Limited(is_secondary, UNSAID_PAUSE if pause is None else pause)


def _of_error(status: int, headers: Mapping[str, str], start: bytes) -> Negative | Failed:
    """What a 4xx means: GitHub's own error bodies are JSON, whatever was asked for."""
    failure = _json_failure(headers, start)
    if failure is None:
        return Negative()
    return Failed(failure.kind, f"{failure.reason} (answered {status})")


def _json_failure(headers: Mapping[str, str], start: bytes) -> Failed | None:
    """Why a body is not JSON, by what is sent before it; None if it is."""
    if not start:
        return Failed(FailureKind.NOT_JSON, "GitHub's response was empty")
    content_type = headers.get("Content-Type", "")
    if is_json(content_type):
        return None
    media_type = content_type.partition(";")[0].strip().lower()
    shown = media_type if media_type.isprintable() else "an unprintable type"
    reason = f"GitHub sent {shown[:40] or 'an untyped body'} instead of JSON"
    return Failed(FailureKind.NOT_JSON, reason)
