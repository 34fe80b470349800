"""GitHub's paging of lists: `per_page`, `page`, and the `Link` header (RFC 8288).

Source: docs.github.com "Using pagination in the REST API", and the recorded `Link` headers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

from tests.fakegithub.http_messages import SLASH

Item = TypeVar("Item")

DEFAULT_PER_PAGE: Final = 30
MOST_PER_PAGE: Final = 100


@dataclass(frozen=True)
class Page:
    """Which page of a list a query asks for; both count from one."""

    number: int
    per_page: int

    def cut(self, items: Sequence[Item]) -> Sequence[Item]:
        """The page's items; none beyond the end."""
        start = (self.number - 1) * self.per_page
        return items[start : start + self.per_page]

    def last_of(self, total: int) -> int:
        """The number of the last page of a list of `total` items; 1 when it is empty."""
        return max(1, -(-total // self.per_page))


def requested_page(query: Sequence[tuple[str, str]]) -> Page:
    """The page a query asks for: `per_page` above 100 is clamped, invalid values are ignored."""
    values = dict(query)
    per_page = positive(values.get("per_page")) or DEFAULT_PER_PAGE
    return Page(positive(values.get("page")) or 1, min(per_page, MOST_PER_PAGE))


def positive(text: str | None) -> int | None:
    """A whole number of at least one, or None."""
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 9:
        return None
    return int(text) or None


def link_header(
    url: str, query: Sequence[tuple[str, str]], *, page: Page, total: int
) -> str | None:
    """`prev, next, last, first` as far as they exist; None when there is only one page.

    `url` is the list's numeric address. The query's other parameters stay, `page` in its place.
    """
    last = page.last_of(total)
    if last == 1 and page.number == 1:
        return None
    targets = {}
    if page.number > 1:
        targets["prev"] = min(page.number - 1, last)
    if page.number < last:
        targets |= {"next": page.number + 1, "last": last}
    if page.number > last:
        targets["last"] = last
    if page.number > 1:
        targets["first"] = 1
    return ", ".join(
        f'<{page_url(url, query, number)}>; rel="{rel}"' for rel, number in targets.items()
    )


def encoded(path: str) -> str:
    """A decoded path as an address has it."""
    pieces = path.split(SLASH)
    return "%2F".join(quote(piece, safe="/:@!$&'()*+,;=~") for piece in pieces)


def page_url(url: str, query: Sequence[tuple[str, str]], number: int) -> str:
    """The list's address with the query's `page` set to `number`, added last if it had none."""
    pairs = dict(query) | {"page": str(number)}
    return f"{url}?{urlencode(pairs)}"
