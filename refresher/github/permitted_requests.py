"""The only requests that are ever sent to GitHub. Pure.

The cache reads. Two requests are not a GET, and neither changes anything at GitHub:

- a GitHub App asks for the next token of its installation;
- a delivery of a webhook that was lost is asked for again.
"""

import re
from urllib.parse import urlsplit

from refresher.github.addresses import is_own

_POSTS = (
    re.compile(r"/app/installations/[0-9]{1,20}/access_tokens"),
    re.compile(
        r"(?:/app/hook|/orgs/[A-Za-z0-9_-]{1,39}/hooks/[0-9]{1,20})"
        r"/deliveries/[0-9]{1,20}/attempts"
    ),
)


class ForbiddenRequestError(Exception):
    """The program was about to send a request that it must never send: a fault of its own."""


def check(method: str | None, url: str | None, *, base: str) -> None:
    """Let a request pass only if it reads, or if it is one of the two that do not.

    Args:
        method: of the request.
        url: of the request.
        base: of the API.

    Raises:
        ForbiddenRequestError: it is another request.
    """
    if method == "GET":
        return
    if method != "POST" or not _may_be_posted(url or "", base):
        raise ForbiddenRequestError(f"{method} is not sent to this address of GitHub's")


def _may_be_posted(url: str, base: str) -> bool:
    if not is_own(url, base):
        return False
    parts = urlsplit(url)
    path = parts.path.removeprefix(urlsplit(base).path)
    return not parts.query and any(one.fullmatch(path) for one in _POSTS)
