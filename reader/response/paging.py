"""Pages of an expanded list, numbered and linked as GitHub does it; the one place that slices.

https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode

from reader.errors import Unavailable
from reader.response.representation import Representation
from shared import etag
from shared.entry import Entry
from shared.resources.tracked_paths import PAGING

DEFAULT_PER_PAGE = 30
MAX_PER_PAGE = 100
# More digits than the number of items of any list has.
MAX_DIGITS = 15


def page(entry: Entry, query: str) -> Representation:
    """One page of an expanded list, with GitHub's `Link`.

    Args:
        entry: of an expanded list.
        query: what the client sent; of `page` and `per_page`, a value that GitHub would ignore
            counts as absent. `Link` repeats the rest, which names the list.

    Raises:
        Unavailable: the entry was stored without the ends of its items; a refresh adds them.
    """
    array = entry.array
    if array is None:
        raise Unavailable("The stored list cannot be cut into pages yet.", retry_after=1)
    rest, asked = split_query(query)
    per_page = min(_positive(asked.get("per_page"), DEFAULT_PER_PAGE), MAX_PER_PAGE)
    number = _positive(asked.get("page"), 1)
    last = max(1, -(-len(array) // per_page))
    first, behind = (number - 1) * per_page, number * per_page
    links = _page_links(number, last, [*rest, ("per_page", str(per_page))])
    tag = etag.of_page(array.digests(first, behind), links=links)
    return Representation(entry.metadata, array.slice(first, behind), tag, links=links)


def split_query(query: str) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """The part of a query that names a list, and the part that selects a page of it."""
    pairs = parse_qsl(query, keep_blank_values=True)
    rest = [(name, value) for name, value in pairs if name not in PAGING]
    return rest, {name: value for name, value in pairs if name in PAGING}


def _positive(text: str | None, default: int) -> int:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > MAX_DIGITS:
        return default
    return int(text) or default


def _page_links(
    number: int, last: int, kept: Sequence[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """GitHub's relations in GitHub's order.

    The first page has no `prev` and `first`, the last page no `next` and `last`.
    """
    pages = []
    if number > 1:
        pages.append(("prev", min(number - 1, last)))
    if number < last:
        pages += [("next", number + 1), ("last", last)]
    if number > 1:
        pages.append(("first", 1))
    return tuple((relation, urlencode([*kept, ("page", at)])) for relation, at in pages)
