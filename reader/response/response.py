"""The HTTP response for a representation: a pure function of it, the request's fields and now.

This module decides the content coding, the ETag that is sent, 304, `Link`, `Age`, `Cache-Control`
and `Cache-Status`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil, floor
from types import MappingProxyType

from werkzeug.http import http_date, parse_accept_header, parse_date, parse_etags

from reader.response.negotiation import FIELDS as VARY
from reader.response.representation import Representation
from shared import etag
from shared.buffers import Body
from shared.encodings import ENCODINGS
from shared.entry import Metadata
from shared.github_form import JSON
from shared.outcomes import Served
from shared.resources.media_types import is_json
from shared.time_bounds import is_past

# In `Cache-Status`, and the value of `Server`.
CACHE_NAME = "api-read-cache"
# RFC 9211: why a request went forward; "hit" if it did not.
_CACHE_STATUS = {
    Served.WAITED: "fwd=uri-miss; stored",
    Served.RENEWED: "fwd=stale; stored",
    Served.BOUNDED: "fwd=request; stored",
    Served.UNANSWERED: "fwd=request",
}
# Seconds for which other caches may send a stale response of ours (RFC 5861): while they revalidate
# it, and when they cannot reach us. A reader itself sends stale content without a limit.
STALE_WHILE_REVALIDATE = 60
STALE_IF_ERROR = 86400
# The three forms of HTTP-date (RFC 9110 section 5.6.7). `parse_date` alone would also accept the
# dates of e-mail, and raise an error for a year of many digits.
_HTTP_DATE = re.compile(
    r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
    r"|[A-Z][a-z]{5,8}, [0-9]{2}-[A-Z][a-z]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
    r"|[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} [0-9]{4}"
)
_NONE: Mapping[str, str] = MappingProxyType({})
# No browser runs a file, or a README as HTML, in our origin, even if a client made it show one.
INERT = "default-src 'none'; sandbox"
# As api.github.com sends them (recorded responses), so that pages in a browser can read responses.
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
class RequestFields:
    """The parts of a request, besides its target, that a response with content depends on.

    Args:
        url: what the client used, without a query; `Link` targets begin with it.
        accept_encoding: the field's value; None if absent, as for the others.
        if_none_match: the field's value.
        if_modified_since: the field's value.
        base: what the URL of every path begins with, at the address that the client used.
    """

    url: str
    accept_encoding: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    base: str = ""


@dataclass(frozen=True)
class HttpResponse:
    """Status, header fields and body of a response.

    Args:
        status: HTTP status.
        headers: header fields in the order to send them.
        body: empty for a 304; for HEAD the sender omits it.
        stream: instead of a body, its pieces, made each time that they are iterated; there is no
            `Content-Length` then.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Body = b""
    stream: Iterable[bytes] | None = None


def to_response(
    representation: Representation,
    fields: RequestFields,
    selected: Mapping[str, str] = _NONE,
    *,
    served: Served,
    now: float,
) -> HttpResponse:
    """The response that sends a representation, or 304 if the client has it.

    The ETag is that of the uncompressed representation, with the content coding appended.

    Args:
        representation: of the entry that was found.
        fields: of the request.
        selected: header fields that say which representation it is.
        served: where the entry was found.
        now: Unix time in seconds.
    """
    body, encoding = _encode(representation, fields.accept_encoding)
    tag = etag.of_encoding(representation.tag, encoding)
    headers = {
        "ETag": f'"{tag}"',
        "Vary": VARY,
        "X-Content-Type-Options": "nosniff",
        **_freshness(representation, served, now),
        **selected,
        **CORS_HEADERS,
    }
    if representation.links:
        headers["Link"] = ", ".join(
            f'<{fields.url}{query if query.startswith("{") else f"?{query}"}>; rel="{relation}"'
            for relation, query in representation.links
        )
    headers.update(_of_answer(representation.metadata, now))
    if representation.status == 200 and _is_known(representation, tag, fields, now):
        return HttpResponse(304, headers)
    headers["Content-Type"] = representation.content_type
    if not is_json(representation.content_type):
        headers["Content-Security-Policy"] = INERT
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    if representation.stream is not None:
        return HttpResponse(representation.status, headers, stream=representation.stream)
    if representation.status != 204:  # it has no Content-Length (RFC 9110 section 8.6)
        headers["Content-Length"] = str(len(body))
    return HttpResponse(representation.status, headers, body)


def json_response(
    value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """A JSON response of a reader's own, which no cache may store.

    Args:
        headers: further header fields.
    """
    body = json.dumps(value).encode()
    fields = {
        "Content-Type": JSON,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        **CORS_HEADERS,
        **(headers or {}),
    }
    return HttpResponse(status, fields, body)


def _encode(representation: Representation, accept_encoding: str | None) -> tuple[Body, str | None]:
    """The body in the stored content coding that the client prefers (RFC 9110 section 12.5.3).

    If it prefers several equally: the first of `ENCODINGS`. If it accepts none, and refuses
    `identity` too, the body is sent uncompressed nevertheless: that is better than an error.
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


def _of_answer(metadata: Metadata, now: float) -> dict[str, str]:
    """The fields of a redirect, and of a 202: when GitHub is asked again."""
    if metadata.location is not None:
        return {"Location": metadata.location}
    if metadata.status != 202:
        return {}
    return {"Retry-After": str(max(1, ceil(metadata.fresh_until - now)))}


def _freshness(representation: Representation, served: Served, now: float) -> dict[str, str]:
    """`Age`, `Cache-Control`, `Last-Modified` and `Cache-Status` (RFC 9111 and RFC 9211).

    `max-age` is the whole freshness lifetime, since caches subtract `Age` from it.
    `Last-Modified` is never later than `Date`, as RFC 9110 section 8.8.2.1 demands.
    """
    metadata = representation.metadata
    lifetime = max(0, round(metadata.fresh_until - metadata.validated_at))
    left = floor(metadata.fresh_until - now)
    status = _CACHE_STATUS.get(served, "hit")
    # Another cache must not send what a reader itself would not.
    while_revalidating = (
        f"stale-while-revalidate={STALE_WHILE_REVALIDATE}, " if metadata.is_content else ""
    )
    control = f"public, max-age={lifetime}, {while_revalidating}stale-if-error={STALE_IF_ERROR}"
    return {
        "Cache-Control": "no-store" if metadata.status == 202 else control,
        "Age": str(max(0, int(now - metadata.validated_at))),
        "Last-Modified": http_date(min(metadata.changed_at, now)),
        "Cache-Status": f"{CACHE_NAME}; {status}; ttl={left}; detail={served}",
    }


def _is_known(representation: Representation, tag: str, fields: RequestFields, now: float) -> bool:
    """Whether the client has the representation that it would be sent (RFC 9110 section 13.2.2).

    `If-None-Match` uses weak comparison. Only without it `If-Modified-Since` counts, and only if
    its value is a single valid date that is not in the future: such a date was never sent here, and
    says nothing of a change that came before it.
    """
    if fields.if_none_match is not None:
        return parse_etags(fields.if_none_match).contains_weak(tag)
    if not _HTTP_DATE.fullmatch(fields.if_modified_since or ""):
        return False
    since = parse_date(fields.if_modified_since)
    return (
        since is not None
        and int(representation.metadata.changed_at) <= since.timestamp()
        and is_past(since.timestamp(), now)
    )
