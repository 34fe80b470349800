"""Pages of an expanded list, as GitHub counts them, with GitHub's `Link`.

https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from reader.response.representation import Representation
from shared.entry import Entry
from shared.json_array import JsonArray

DEFAULT_PER_PAGE = 30
MAX_PER_PAGE = 100
# More digits than any list has items.
_MAX_DIGITS = 15


def page(entry: Entry, query: str) -> Representation:
    """The page of an expanded list that a query names, with GitHub's `Link`.

    Args:
        entry: of an expanded list.
        query: of nothing but `page` and `per_page`; a value GitHub would ignore counts as absent.
    """
    array = _array(entry)
    asked = dict(parse_qsl(query, keep_blank_values=True))
    per_page = min(_positive(asked.get("per_page"), DEFAULT_PER_PAGE), MAX_PER_PAGE)
    number = _positive(asked.get("page"), 1)
    last = max(1, -(-len(array) // per_page))
    body = array.slice((number - 1) * per_page, number * per_page)
    tag = f"{entry.metadata.etag}-page-{number}-of-{per_page}"
    return Representation(
        entry.metadata, body, tag, links=_page_links(number, last, {"per_page": str(per_page)})
    )


def is_page_query(query: str) -> bool:
    """Whether a query selects a page and nothing else."""
    names = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    return bool(names) and names <= {"page", "per_page"}


def _array(entry: Entry) -> JsonArray:
    assert entry.array is not None, "only expanded lists have pages"
    return entry.array


def _positive(text: str | None, default: int) -> int:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > _MAX_DIGITS:
        return default
    return int(text) or default


def _page_links(number: int, last: int, kept: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """GitHub's relations in GitHub's order; on the first page no way back, on the last none on."""
    pages = []
    if number > 1:
        pages.append(("prev", min(number - 1, last)))
    if number < last:
        pages += [("next", number + 1), ("last", last)]
    if number > 1:
        pages.append(("first", 1))
    return tuple((relation, urlencode({**kept, "page": at})) for relation, at in pages)
