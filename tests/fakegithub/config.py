"""Options that can be changed while the server runs, each with its default and meaning."""

import math
import re
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from tests.fakegithub.api_versions import NEWER, OLDER
from tests.fakegithub.apps import App
from tests.fakegithub.hooks import NO_HOOK, Hook
from tests.fakegithub.viewers import EVERY_OTHER_TOKEN, Viewer, viewer_from_json


@dataclass(frozen=True)
class ResourceClass:
    """One of GitHub's limits beside the others: each credential has a bucket for each of them.

    path: a regular expression, searched for in the path, of the requests that belong to it.
    limit: requests in a window; None is a share of `anonymous_limit` or `token_limit`.
    shares: those of requests without a token and with one.
    longest: a window is no longer, in seconds.
    """

    name: str
    path: str
    limit: int | None
    shares: tuple[float, float] = (1, 1)
    longest: float = math.inf

    def of(self, limit: int, *, anonymous: bool) -> int:
        """Requests in a window, of a credential that has `limit` in all."""
        share = self.shares[0] if anonymous else self.shares[1]
        return max(1, round(limit * share)) if self.limit is None else self.limit


CORE: Final = ResourceClass("core", "", None)  # every request that belongs to no other
# In a minute 10 searches without a token and 30 with one, where the limits are GitHub's.
SEARCHES: Final = (
    ResourceClass("code_search", "^/search/code$", None, (1 / 6, 10 / 5000), 60),
    ResourceClass("search", "^/search/", None, (10 / 60, 30 / 5000), 60),
)


@dataclass(frozen=True)
class Config:
    """The rules in force. GitHub's own values are the defaults; times are in seconds.

    anonymous_limit: requests in a window without a token (60, GitHub's documentation).
    token_limit: requests in a window with a token (5,000).
    window_seconds: a window's length, from its first request.
    rate_limiting: False takes the limits and their headers away, as on GitHub Enterprise.
    max_concurrent: requests in flight for one credential; more meet the secondary limit (100).
    points_per_minute: requests a minute for one credential (GitHub: 900); 0 is no limit.
    retry_after: what a secondary limit's response says in `Retry-After`.
    tokens: the valid tokens; None is any.
    revoked: tokens that are no longer valid.
    viewers: token -> an object with the fields of `viewers.Viewer`: the token's role and kind.
        "*" is every token that is not named; by default, an owner's classic one with the scope
        `repo`.
    apps: GitHub Apps that get tokens of their installations, as objects with the fields of
        `apps.App`. These tokens are valid in addition to `tokens` while their App is listed here;
        with `tokens` of [] no others are.
    resource_classes: path (as a fault's, without query) -> {"class": a name, "limit": requests in
        a window}; searches have two classes of their own, all other requests belong to `core`.
    api_versions: the versions of the API that it has, the newest first.
    codeload: begins the addresses of archives; "self" is this server (see `file_hosts`).
    assets: begins the addresses of release files; likewise.
    link_on_304: whether a 304 of a list has its `Link`.
    enterprise_version: names a GitHub Enterprise Server in headers and in `/meta`; "" is GitHub.
    private_mode: whether every request needs a credential, as on enterprise servers that have this.
    members_redirect: whether `/orgs/{org}/members` redirects (302) to `public_members`.
    redirects: path (with query) -> {"status": 301|302|307|308, "url": absolute or a path}.
    latency: added before each response.
    chunked: whether bodies come in chunks instead of with a Content-Length.
    idle_timeout: time after which an idle connection is closed.
    clock_skew: added to `Date`, to the limits' reset, and to the time by which JWTs and tokens of
        installations expire.
    lag: seconds by which replicas lag behind the world, by the skewed clock; requests go to one
        after the other. Empty: there is one, which does not lag.
    hook: where webhooks are sent, as an object with the fields of `hooks.Hook`.
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
    viewers: tuple[tuple[str, Viewer], ...] = ()
    apps: tuple[App, ...] = ()
    resource_classes: tuple[ResourceClass, ...] = (
        ResourceClass("dependency_sbom", "/dependency-graph/sbom$", 100),
    )
    api_versions: tuple[str, ...] = (NEWER, OLDER)
    codeload: str = "https://codeload.github.com"
    assets: str = "https://release-assets.githubusercontent.com"
    link_on_304: bool = False
    enterprise_version: str = ""
    private_mode: bool = False
    members_redirect: bool = False
    redirects: tuple[tuple[str, int, str], ...] = ()
    latency: float = 0
    chunked: bool = False
    idle_timeout: float = 60
    clock_skew: float = 0
    lag: tuple[float, ...] = ()
    hook: Hook = NO_HOOK

    def changed(self, options: dict[str, Any]) -> "Config":
        """A copy with these options as JSON gives them; ValueError names an unknown one."""
        names = {item.name for item in fields(self)}
        if unknown := sorted(set(options) - names):
            raise ValueError(f"no such option: {', '.join(unknown)}")
        return replace(self, **{name: from_json(name, value) for name, value in options.items()})

    def viewer(self, token: str) -> Viewer:
        """The viewer of a valid token that is not an App's."""
        named = dict(self.viewers)
        return named.get(token) or named.get(EVERY_OTHER_TOKEN) or Viewer()

    def redirect(self, target: str) -> tuple[int, str] | None:
        """Status and address to which a path with query is redirected; None if it is not."""
        return next(((status, url) for path, status, url in self.redirects if path == target), None)

    def resource_class(self, path: str) -> ResourceClass:
        """The class that a request to a path counts against: the first whose pattern matches."""
        return next((one for one in self.classes if re.search(one.path, path)), CORE)

    @property
    def classes(self) -> tuple[ResourceClass, ...]:
        """Every class except `core`."""
        return (*self.resource_classes, *SEARCHES)


def from_json(name: str, value: Any) -> Any:
    """An option's value as this module keeps it: hashable, and never shared with a caller."""
    if name == "redirects":
        return tuple((path, int(to.get("status", 301)), to["url"]) for path, to in value.items())
    if name == "viewers":
        return tuple((token, viewer_from_json(options)) for token, options in value.items())
    if name == "hook":
        return Hook(**value)
    if name == "apps":
        return tuple(App(**app) for app in value)
    if name == "resource_classes":
        return tuple(resource_class(path, options) for path, options in value.items())
    return tuple(value) if isinstance(value, list) else value


def resource_class(path: str, options: dict[str, Any]) -> ResourceClass:
    """A class as JSON gives it; ValueError and KeyError say what is wrong."""
    try:
        re.compile(path)
    except re.error as error:
        raise ValueError(f"path: {error}") from error
    return ResourceClass(options["class"], path, int(options["limit"]))
