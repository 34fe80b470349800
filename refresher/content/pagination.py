"""Which pages a list of GitHub's has, by `Link` and by what is known of its pages."""

import re
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from refresher.content.page import Page
from refresher.github.response import GitHubResponse

PER_PAGE = 100  # GitHub's maximum
_DEFAULT_PER_PAGE = 30
_NUMBER = re.compile(r"[0-9]{1,6}")


def is_mute(response: GitHubResponse) -> bool:
    """Whether a response does not say which pages there are: a 304 may lack `Link`."""
    return response.status == 304 and not response.links


def following(response: GitHubResponse) -> list[str]:
    """URLs of the pages after the first one; empty if its `Link` does not number them."""
    next_url, last_url = response.links.get("next"), response.links.get("last")
    if next_url is None or last_url is None:
        return []
    last = dict(parse_qsl(urlsplit(last_url).query)).get("page", "")
    number = int(last) if _NUMBER.fullmatch(last) else 1
    return [_with_page(next_url, page) for page in range(2, number + 1)]


def _with_page(url: str, number: int) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | {"page": str(number)}
    return urlunsplit(parts._replace(query=urlencode(query)))


def url_after(page: Page, response: GitHubResponse) -> str | None:
    """URL of the page after one that was just read; None after the last.

    Args:
        page: as it is stored now.
        response: the one that gave or confirmed it.
    """
    return page.next_url or (beyond(page) if is_mute(response) else None)


def beyond(page: Page) -> str | None:
    """URL of the page after a full last page that did not change; there may be one now.

    A full last page returns 304 even if a further page now exists: the ETag covers the page's own
    body only. `Link` would tell, but a 304 may lack it.
    """
    if page.items != PER_PAGE:
        return None
    number = int(dict(parse_qsl(urlsplit(page.url).query)).get("page", "1"))
    return _with_page(page.url, number + 1)


def is_full(page: Page) -> bool:
    """Whether a page of a list holds as many items as its URL allows."""
    asked = dict(parse_qsl(urlsplit(page.url).query)).get("per_page", "")
    size = int(asked) if _NUMBER.fullmatch(asked) else _DEFAULT_PER_PAGE
    return bool(page.items) and page.items == min(size or _DEFAULT_PER_PAGE, PER_PAGE)


def without_end(pages: list[Page]) -> list[Page]:
    """The pages without an empty last one; the page before it becomes the last."""
    if len(pages) < 2 or pages[-1].items != 0:
        return pages
    before, empty = pages[-2], pages[-1]
    kept = [*pages[:-2], replace(before, next_url=None)]
    # After a full page, the empty one will be requested again, and its ETag is useful.
    return [*kept, empty] if before.items == PER_PAGE else kept
