"""GitHub's addresses: which are the API's own, which are of archives, and whose they are. Pure.

A request to any other address could reach hosts that only the refreshers can reach (server-side
request forgery), and would show them a credential.
"""

import re
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit, urlunsplit

from shared.resources.operations import operation_at
from shared.resources.resource_name import segments_of

_PUBLIC_ARCHIVES = "codeload.github.com"
# Without subdomain isolation, a GitHub Enterprise Server has its archives below one of these.
_ARCHIVES_BELOW = ("/codeload/", "/_codeload/")
_URL = re.compile(r"[!-~]+")  # printable ASCII without spaces
# First segments of paths whose second one is a name that people chose, or an id of GitHub's.
_OWNED = frozenset({"repos", "networks", "orgs", "users"})
_NUMBERED = frozenset({"repositories", "organizations", "user", "teams"})


class Place(NamedTuple):
    """Where a request belongs, for what is remembered about a credential.

    Args:
        owner: login of the organisation or user in lower case, or another short name.
        operation: GitHub's id of the operation; empty if GitHub documents none.
    """

    owner: str
    operation: str


def is_own(url: str, base: str) -> bool:
    """Whether a URL is the API's own: same scheme, host and port, below the base URL."""
    try:
        parts, root = urlsplit(url), urlsplit(base)
        is_there = _site(url) == _site(base)
    except ValueError:  # the port is not a number
        return False
    return is_there and "@" not in parts.netloc and parts.path.startswith(f"{root.path}/")


def is_of_archives(url: str, base: str) -> bool:
    """Whether a URL is one of an archive of a repository, which GitHub serves from another host.

    The host is `codeload` beside `api`, or that of a GitHub Enterprise Server: the subdomain
    `codeload`, or a path on its own host.
    https://docs.github.com/enterprise-server/admin/configuring-settings/hardening-security-for-your-enterprise/enabling-subdomain-isolation

    Args:
        url: a redirect's target.
        base: of the API. It may be a proxy before GitHub's own API.
    """
    try:
        parts, root = urlsplit(url), urlsplit(base)
        site, own = _site(url), _site(base)
    except ValueError:
        return False
    if not _URL.fullmatch(url) or "@" in parts.netloc:
        return False
    if (parts.scheme, parts.netloc.lower()) == ("https", _PUBLIC_ARCHIVES):
        return True
    if site == own:
        return not is_own(url, base) and parts.path.startswith(_ARCHIVES_BELOW)
    host = (root.hostname or "").removeprefix("api.")
    return (site[0], site[2]) == (own[0], own[2]) and site[1] == f"codeload.{host}"


def without_query(url: str) -> str:
    """A URL without query and fragment: an archive's query may hold a token."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))


def rebased(url: str, *, asked: str, base: str) -> str:
    """A URL of GitHub's `Link` on our own base: only its path and query count.

    GitHub names itself by another scheme or host than ours if the base is a proxy, or if an
    enterprise server does not know that it is behind TLS.

    Args:
        url: the target; may be relative.
        asked: URL of the request.
        base: of the API.

    Raises:
        ValueError: it is not a valid URL, or none of HTTP's.
    """
    target = urljoin(asked, url)
    if is_own(target, base):
        return target
    parts, root = urlsplit(target), urlsplit(base)
    if parts.scheme not in {"http", "https"} or not parts.path.startswith("/"):
        raise ValueError("not an address of HTTP's")
    below = parts.path if parts.path.startswith(f"{root.path}/") else root.path + parts.path
    return urlunsplit((root.scheme, root.netloc, below, parts.query, ""))


def place_of(target: str) -> Place:
    """Where a request belongs.

    Args:
        target: path (with query) below the API's base URL.
    """
    segments = segments_of(urlsplit(target).path) or ["/"]
    operation = operation_at(segments)
    name = operation.id if operation else ""
    if len(segments) > 1 and segments[0] in _OWNED:
        return Place(segments[1][:100].lower(), name)
    if len(segments) > 1 and segments[0] in _NUMBERED:
        return Place("/".join(segments[:2])[:100], name)
    return Place(segments[0][:100], name)


def _site(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default
