"""What can be changed while the server runs, each with its default and meaning."""

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Config:
    """The rules in force. GitHub's own values are the defaults; times are in seconds.

    anonymous_limit: requests in a window without a token (60, GitHub's documentation).
    token_limit: requests in a window with a token (5,000).
    window_seconds: a window's length, from its first request.
    rate_limiting: False takes the limits and their headers away, as on GitHub Enterprise.
    max_concurrent: requests in flight for one credential; more meet the secondary limit (100).
    points_per_minute: requests a minute for one credential (GitHub: 900); 0 is no limit.
    retry_after: what a secondary limit's answer says in `Retry-After`.
    tokens: the valid tokens; None is any.
    revoked: tokens that are no longer valid.
    link_on_304: whether a 304 of a list has its `Link`.
    members_redirect: whether `/orgs/{org}/members` answers 302 to `public_members`.
    redirects: path (with query) -> {"status": 301|302|307|308, "url": absolute or a path}.
    latency: added before each answer.
    chunked: bodies in chunks instead of with a Content-Length.
    idle_timeout: an idle connection is closed after so long.
    clock_skew: added to `Date` and to the limits' reset.
    """

    anonymous_limit: int = 60
    token_limit: int = 5000
    window_seconds: float = 3600
    rate_limiting: bool = True
    max_concurrent: int = 100
    points_per_minute: int = 0
    retry_after: int = 60
    tokens: tuple[str, ...] | None = None
    revoked: tuple[str, ...] = ()
    link_on_304: bool = False
    members_redirect: bool = False
    redirects: tuple[tuple[str, int, str], ...] = ()
    latency: float = 0
    chunked: bool = False
    idle_timeout: float = 60
    clock_skew: float = 0

    def changed(self, options: dict[str, Any]) -> "Config":
        """A copy with these options as JSON gives them; ValueError names an unknown one."""
        names = {item.name for item in fields(self)}
        if unknown := sorted(set(options) - names):
            raise ValueError(f"no such option: {', '.join(unknown)}")
        return replace(self, **{name: from_json(name, value) for name, value in options.items()})

    def redirect(self, target: str) -> tuple[int, str] | None:
        """Status and address a path with query is redirected to, if it is."""
        return next(((status, url) for path, status, url in self.redirects if path == target), None)


def from_json(name: str, value: Any) -> Any:
    """An option's value as this module keeps it: hashable, and never shared with a caller."""
    if name == "redirects":
        return tuple((path, int(to.get("status", 301)), to["url"]) for path, to in value.items())
    return tuple(value) if isinstance(value, list) else value
