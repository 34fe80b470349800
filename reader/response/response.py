"""The HTTP answer that a representation gives to a request: a pure function of the two and now.

No framework, no clock, no socket: whatever serves a request sends exactly this.
"""

import re
from dataclasses import dataclass, field
from math import floor

from werkzeug.http import http_date, parse_accept_header, parse_date, parse_etags

from reader.response.representation import Representation
from shared.encodings import ENCODINGS
from shared.outcomes import Served

CACHE_NAME = "api-read-cache"
# Seconds that others may send a copy of ours when it is stale (RFC 5861): while they ask us again,
# and when they cannot reach us. We ourselves do both for as long as it takes.
STALE_WHILE_REVALIDATE = 60
STALE_IF_ERROR = 86400
# The three forms of HTTP-date (RFC 9110 section 5.6.7). `parse_date` alone would take mail's dates,
# and fail on a year of many digits.
_HTTP_DATE = re.compile(
    r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
    r"|[A-Z][a-z]{5,8}, [0-9]{2}-[A-Z][a-z]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
    r"|[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} [0-9]{4}"
)
# As api.github.com answers (recorded responses), so that pages in a browser can read them.
CORS_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, "
        "X-RateLimit-Remaining, X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, "
        "X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-Poll-Interval, X-GitHub-Media-Type, "
        "X-GitHub-SSO, X-GitHub-Request-Id, Deprecation, Sunset"
    ),
}


@dataclass(frozen=True)
class Conditions:
    """What a request says about the answer it wants.

    Args:
        url: scheme, host and path that the client used; its `Link` targets begin with it.
        accept_encoding: the header field's value; None where it is absent.
        if_none_match: the header field's value; None where it is absent.
        if_modified_since: the header field's value; None where it is absent.
    """

    url: str
    accept_encoding: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None


@dataclass(frozen=True)
class HttpResponse:
    """Status, header fields and body, ready to be sent.

    Args:
        status: HTTP status.
        headers: header fields in the order to send them.
        body: empty for a 304; for HEAD the sender leaves it out.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def to_response(
    representation: Representation, conditions: Conditions, *, served: Served, now: float
) -> HttpResponse:
    """What to send for a representation.

    Args:
        representation: what was found.
        conditions: what the client wants of it.
        served: how it was found.
        now: Unix time in seconds.
    """
    body, encoding = _encode(representation, conditions.accept_encoding)
    tag = representation.tag if encoding is None else f"{representation.tag}-{encoding}"
    headers = {
        "ETag": f'"{tag}"',
        "Vary": "Accept-Encoding",
        **_freshness(representation, served, now),
        **CORS_HEADERS,
    }
    if representation.links:
        headers["Link"] = ", ".join(
            f'<{conditions.url}?{query}>; rel="{relation}"'
            for relation, query in representation.links
        )
    if representation.status == 200 and _is_known(representation, tag, conditions):
        return HttpResponse(304, headers)
    headers["Content-Type"] = representation.content_type
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    if representation.status != 204:  # which has no content to have a length (RFC 9110 8.6)
        headers["Content-Length"] = str(len(body))
    return HttpResponse(representation.status, headers, body)


def _encode(
    representation: Representation, accept_encoding: str | None
) -> tuple[bytes, str | None]:
    """The body in the stored encoding that the client likes best (RFC 9110 section 12.5.3).

    Where it likes several equally, the smallest. Where it likes none of them, and refuses to have
    it plain as well, it gets it plain: better than nothing.
    """
    if accept_encoding is not None and representation.encoded:
        accepted = parse_accept_header(accept_encoding)
        qualities = {str(name).lower(): quality for name, quality in accepted}
        others = qualities.get("*", 0)
        stored = [name for name in ENCODINGS if name in representation.encoded]
        best = max(stored, key=lambda name: qualities.get(name, others))
        quality = qualities.get(best, others)
        if quality > 0 and quality >= qualities.get("identity", others):
            return representation.encoded[best], best
    return representation.body, None


def _freshness(representation: Representation, served: Served, now: float) -> dict[str, str]:
    """`Age`, `Cache-Control`, `Last-Modified` and `Cache-Status` (RFC 9111 and RFC 9211).

    What is left of the freshness is `max-age` less `Age`, so `max-age` is the whole of it.
    """
    metadata = representation.metadata
    lifetime = max(0, round(metadata.fresh_until - metadata.validated_at))
    left = floor(metadata.fresh_until - now)
    status = "fwd=uri-miss; stored" if served is Served.WAITED else "hit"
    return {
        "Cache-Control": (
            f"public, max-age={lifetime}, stale-while-revalidate={STALE_WHILE_REVALIDATE}, "
            f"stale-if-error={STALE_IF_ERROR}"
        ),
        "Age": str(max(0, int(now - metadata.validated_at))),
        "Last-Modified": http_date(metadata.changed_at),
        "Cache-Status": f"{CACHE_NAME}; {status}; ttl={left}; detail={served}",
    }


def _is_known(representation: Representation, tag: str, conditions: Conditions) -> bool:
    """Whether the client holds what it would be sent (RFC 9110 section 13.2.2).

    `If-None-Match` by weak comparison; only without it `If-Modified-Since`, and that only where it
    is one date and nothing else.
    """
    if conditions.if_none_match is not None:
        return parse_etags(conditions.if_none_match).contains_weak(tag)
    if not _HTTP_DATE.fullmatch(conditions.if_modified_since or ""):
        return False
    since = parse_date(conditions.if_modified_since)
    return since is not None and int(representation.metadata.changed_at) <= since.timestamp()
