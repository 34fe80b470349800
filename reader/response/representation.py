"""What can be sent of an entry: the whole, a page of it, or a view."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode

from reader.errors import BadRequest, NotFound
from shared.entry import Entry, Metadata
from shared.github_form import JSON
from shared.json_array import JsonArray
from shared.resources.views import Metric

# https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api
DEFAULT_PER_PAGE = 30
MAX_PER_PAGE = 100
# More digits than any list has items.
_MAX_DIGITS = 15


@dataclass(frozen=True)
class Representation:
    """One selected representation of an entry (RFC 9110 section 3.2).

    Args:
        metadata: of the entry.
        body: uncompressed.
        tag: opaque part of the strong entity tag of `body`.
        encoded: the same compressed, by the name of the content coding, where that is stored.
        links: the `Link` header as (relation, query) pairs, on the path that was asked for.
    """

    metadata: Metadata
    body: bytes
    tag: str
    encoded: Mapping[str, bytes] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()

    @property
    def status(self) -> int:
        """HTTP status."""
        return self.metadata.status

    @property
    def content_type(self) -> str:
        """Media type of the body."""
        return self.metadata.content_type


def whole(entry: Entry) -> Representation:
    """The entry as it is stored."""
    metadata = entry.metadata
    return Representation(
        metadata, entry.body, metadata.etag, encoded=entry.encoded, links=tuple(metadata.links)
    )


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


@dataclass(frozen=True)
class View:
    """A ranked view as a path names it.

    Args:
        metric: what is ranked by.
        from_top: the first of the order, else the last of the same order.
        count: how many; more than there are gives all.
    """

    metric: Metric
    from_top: bool
    count: int

    @classmethod
    def parse(cls, direction: str, count: str, metric: str) -> "View":
        """Read the three segments of a view's path.

        Raises:
            NotFound: no such direction or metric.
            BadRequest: `count` is not a whole number from 1.
        """
        if direction not in {"top", "bottom"} or metric not in set(Metric):
            raise NotFound
        return cls(Metric(metric), direction == "top", _view_count(count))

    def of(self, entry: Entry) -> Representation:
        """The view of a ranked list."""
        array = entry.views[self.metric]
        count = min(self.count, len(array))
        body = array.first(count) if self.from_top else array.last(count)
        direction = "top" if self.from_top else "bottom"
        return Representation(
            replace(entry.metadata, content_type=JSON),
            body,
            f"{entry.metadata.etag}-{direction}-{count}-{self.metric}",
        )


def _view_count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not text.strip("0"):
        raise BadRequest(f"{text[:40]!r} is not a whole number from 1.")
    # Cut short: Python refuses to read numbers of thousands of digits.
    return int(text.lstrip("0")[:_MAX_DIGITS])


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
