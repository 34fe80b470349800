"""GitHub's response headers, as in the recorded responses (`@octokit/fixtures` 23.1.2)."""

from datetime import datetime
from email.utils import formatdate
from typing import Final

from tests.fakegithub.limits import Standing
from tests.fakegithub.media_types import MediaType
from tests.fakegithub.viewers import Viewer

EXPOSED: Final = (
    "ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, X-RateLimit-Remaining, "
    "X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, X-OAuth-Scopes, "
    "X-Accepted-OAuth-Scopes, X-Poll-Interval, X-GitHub-Media-Type, X-GitHub-SSO, "
    "X-GitHub-Request-Id, Deprecation, Sunset"
)
SECURITY: Final = {
    "Access-Control-Expose-Headers": EXPOSED,
    "Access-Control-Allow-Origin": "*",
    "Strict-Transport-Security": "max-age=31536000; includeSubdomains; preload",
    "X-Frame-Options": "deny",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "0",
    "Referrer-Policy": "origin-when-cross-origin, strict-origin-when-cross-origin",
    "Content-Security-Policy": "default-src 'none'",
}
PREFLIGHT: Final = {
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match, If-Modified-Since, "
    "If-None-Match, If-Unmodified-Since, X-GitHub-OTP, X-Requested-With, User-Agent, "
    "GraphQL-Features, X-Github-Next-Global-ID, X-GitHub-Api-Version",
    "Access-Control-Allow-Methods": "GET, POST, PATCH, PUT, DELETE",
    "Access-Control-Max-Age": "86400",
}


def common_headers(now: float, number: int) -> dict[str, str]:
    """Headers of every response; `number` tells requests apart in `X-GitHub-Request-Id`."""
    return {
        "Server": "github.com",
        "Date": formatdate(now, usegmt=True),
        **SECURITY,
        "X-GitHub-Request-Id": f"{number >> 16 & 0xFFFF:04X}:{number & 0xFFFF:05X}:"
        f"{number * 7919 & 0xFFFFFFF:07X}:{number * 104729 & 0xFFFFFFF:07X}:{int(now):08X}",
    }


def media_headers(media: MediaType, version: str) -> dict[str, str]:
    """Headers of every response of the API proper: the media type and version it has."""
    return {"X-GitHub-Media-Type": media.label, "X-GitHub-Api-Version-Selected": version}


def scope_headers(viewer: Viewer) -> dict[str, str]:
    """Headers about the token: only classic ones have scopes."""
    if not viewer.authenticated:
        return {}
    if viewer.kind == "classic":
        return {"X-OAuth-Scopes": viewer.scopes, "X-Accepted-OAuth-Scopes": "repo"}
    return {"X-Accepted-GitHub-Permissions": "metadata=read"}


def caching_headers(etag: str, *, authorised: bool, last_modified: str | None) -> dict[str, str]:
    """Caching headers of a 200 and its 304; `last_modified` as bodies write a time."""
    credentials = "Authorization, Cookie, X-GitHub-OTP, " if authorised else ""
    headers = {
        "Cache-Control": f"{'private' if authorised else 'public'}, max-age=60, s-maxage=60",
        "Vary": f"Accept, {credentials}Accept-Encoding, Accept, X-Requested-With",
        "ETag": etag,
    }
    if last_modified:
        moment = datetime.fromisoformat(last_modified).timestamp()
        headers["Last-Modified"] = formatdate(moment, usegmt=True)
    return headers


def rate_headers(standing: Standing) -> dict[str, str]:
    """Headers of the rate limit; `X-RateLimit-Reset` in seconds since the epoch."""
    return {
        "X-RateLimit-Limit": str(standing.limit),
        "X-RateLimit-Remaining": str(standing.remaining),
        "X-RateLimit-Reset": str(standing.reset),
        "X-RateLimit-Used": str(standing.used),
        "X-RateLimit-Resource": standing.resource,
    }
