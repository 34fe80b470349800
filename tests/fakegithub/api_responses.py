"""GitHub's responses before headers and encoding, and GitHub's error bodies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.fakegithub.http_messages import compact_json
from tests.fakegithub.limits import ANONYMOUS
from tests.fakegithub.paging import Page

DOCS: Final = "https://docs.github.com/rest"
JSON_TYPE: Final = "application/json; charset=utf-8"
REDIRECT_DOCS: Final = f"{DOCS}/guides/best-practices-for-using-the-rest-api#follow-redirects"
RATE_DOCS: Final = f"{DOCS}/overview/rate-limits-for-the-rest-api"
UNICORN: Final = (
    "<!DOCTYPE html>\n<html>\n<head><title>Unicorn! &middot; GitHub</title></head>\n<body>\n"
    "<p><strong>We had issues producing the response to your request.</strong></p>\n"
    "<p>Sorry about that. Please try refreshing and contact us if the problem persists.</p>\n"
    "</body>\n</html>\n"
)


@dataclass(frozen=True)
class Paged:
    """A response's list and its place in it, from which its `Link` is made."""

    path: str
    known_as: str
    page: Page
    total: int


@dataclass(frozen=True)
class ApiResponse:
    """Status and compact JSON, with what `GitHub.to_http` needs to add headers.

    validated: has an ETag and freshness (GitHub gives them to 200s only).
    conditional: may become a 304.
    metered: costs a point, and is replaced by a 403 when none is left.
    left: overrides what the headers say of the limit: seconds until a reset, with nothing left.
    """

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    paged: Paged | None = None
    last_modified: str | None = None
    validated: bool = False
    conditional: bool = True
    metered: bool = True
    limited: bool = True
    left: float | None = None
    headers: dict[str, str | None] = field(default_factory=dict)


def error(
    status: int, message: str, docs: str = DOCS, *, more: Mapping[str, Any] | None = None
) -> ApiResponse:
    """An error as GitHub words it, with its status in the body as text; `more`: further members."""
    body = {"message": message, **(more or {}), "documentation_url": docs, "status": str(status)}
    return ApiResponse(status, compact_json(body))


def not_found(path: str = "") -> ApiResponse:
    """404, for what does not exist and for what the viewer must not see.

    Like GitHub's it names the documentation page of the path: its first segment, and the segment
    below a repository.
    """
    segments = path.split("/")[1:]
    named = [*segments[:1], *segments[3:4]] if segments[:1] == ["repos"] else segments[:1]
    page = "/".join(named)
    return error(404, "Not Found", f"{DOCS}/{page}".rstrip("/"))


def bad_credentials() -> ApiResponse:
    """401, for a token that is not valid."""
    return error(401, "Bad credentials")


def installation_token(body: dict[str, Any]) -> ApiResponse:
    """201, a token of an installation; GitHub does not document which budget this costs."""
    return ApiResponse(201, compact_json(body), metered=False)


def no_user_agent() -> ApiResponse:
    """403 in plain text, before GitHub's API proper: neither metered nor limited."""
    text = (
        "Request forbidden by administrative rules. Please make sure your request has a "
        "User-Agent header (https://docs.github.com/en/rest/overview/resources-in-the-rest-api"
        "#user-agent-required). Check https://developer.github.com for other possible causes.\n"
    )
    return ApiResponse(
        403, text.encode(), "text/plain; charset=utf-8", metered=False, limited=False
    )


def moved(status: int, url: str) -> ApiResponse:
    """A redirect, with GitHub's body for it."""
    phrases = {301: "Moved Permanently", 302: "Found", 308: "Permanent Redirect"}
    body = {
        "message": phrases.get(status, "Temporary Redirect"),
        "url": url,
        "documentation_url": REDIRECT_DOCS,
    }
    return ApiResponse(status, compact_json(body), headers={"Location": url})


def elsewhere(status: int, url: str) -> ApiResponse:
    """A redirect to a file on another host; it has no body."""
    caching = {"Location": url, "Cache-Control": "public, must-revalidate, max-age=0"}
    return ApiResponse(status, b"", "text/html;charset=utf-8", headers={**caching})


def rate_limited(credential: str, peer: str) -> ApiResponse:
    """403, the primary limit is exhausted."""
    if credential == ANONYMOUS:
        message = (
            f"API rate limit exceeded for {peer}. (But here's the good news: Authenticated "
            "requests get a higher rate limit. Check out the documentation for more details.)"
        )
    else:
        kind, named, number = credential.partition("-")
        whom = f"{kind} ID {number}" if named else f"user ID {int(credential, 16) % 10_000_000}"
        message = (
            f"API rate limit exceeded for {whom}. If you reach out to GitHub Support for help, "
            "please include the request ID."
        )
    body = {"message": message, "documentation_url": RATE_DOCS}
    return ApiResponse(403, compact_json(body), metered=False)


def secondary_limit(status: int, retry_after: int | None) -> ApiResponse:
    """403 or 429, the secondary limit is exceeded; `Retry-After` in seconds, None leaves it out."""
    body = {
        "documentation_url": f"{RATE_DOCS}#about-secondary-rate-limits",
        "message": "You have exceeded a secondary rate limit. Please wait a few minutes before "
        "you try again. If you reach out to GitHub Support for help, please include the request "
        "ID.",
    }
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return ApiResponse(status, compact_json(body), metered=False, headers={**headers})
