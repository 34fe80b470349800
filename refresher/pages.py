"""Reading all pages of a list, and keeping them for later conditional requests."""

import gzip
import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from refresher import verdict
from refresher.errors import OriginError
from refresher.items import Item, split
from refresher.origin import Origin, OriginAnswer
from refresher.settling import MAX_READINGS, Reading, is_settled
from shared.outcomes import FailureKind
from shared.resources import Resource

PER_PAGE = 100  # the most that GitHub gives


@dataclass(frozen=True)
class Page:
    """One page of the origin as it is kept.

    Args:
        url: where it came from.
        etag: GitHub's, as sent; None where it sent none.
        next_url: the next page; None on the last.
        body: as sent, decompressed.
    """

    url: str
    etag: str | None
    next_url: str | None
    body: bytes

    @classmethod
    def of(cls, answer: OriginAnswer) -> "Page":
        """The page in an answer."""
        return cls(answer.url, answer.headers.get("ETag"), answer.links.get("next"), answer.body)

    def to_bytes(self) -> bytes:
        """The page as it is stored: a line of JSON about it, then its body, compressed."""
        head = {"url": self.url, "etag": self.etag, "next": self.next_url}
        return json.dumps(head).encode() + b"\n" + gzip.compress(self.body, mtime=0)


@dataclass(frozen=True)
class ReadList:
    """A whole list.

    Args:
        items: each once, in GitHub's order.
        pages: what they were read from.
    """

    items: Sequence[Item]
    pages: Sequence[Page]


def read_list(
    origin: Origin,
    resource: Resource,
    *,
    known_ids: Sequence[Hashable],
    max_pages: int,
    before_each: Callable[[], None],
    clock: Callable[[], float],
) -> ReadList:
    """Read all pages of a list until it holds still.

    Args:
        origin: where from.
        resource: an expanded one.
        known_ids: ids of the items of the stored entry.
        max_pages: pages beyond which the list is refused.
        before_each: called before each request; raises to stop.
        clock: gives Unix time in seconds.

    Raises:
        OriginError: a page could not be read, or the list kept changing.
    """
    before = known_ids
    for _ in range(MAX_READINGS):
        pages, items = _read_once(origin, resource, max_pages, before_each, clock)
        reading = Reading([[item.id for item in page] for page in items])
        if is_settled(reading, before=before, full_page=PER_PAGE):
            return ReadList([item for page in items for item in page], pages)
        before = reading.ids
    raise OriginError(FailureKind.UNSETTLED, "the list kept changing while it was read")


def _read_once(
    origin: Origin,
    resource: Resource,
    max_pages: int,
    before_each: Callable[[], None],
    clock: Callable[[], float],
) -> tuple[list[Page], list[list[Item]]]:
    pages: list[Page] = []
    items: list[list[Item]] = []
    url: str | None = origin.url_of(f"{resource.path}?per_page={PER_PAGE}")
    while url is not None:
        _check_next(origin, url, pages, max_pages)
        before_each()
        answer = origin.get(url)
        verdict.check(answer, tracked=resource.tracked, now=clock())
        pages.append(Page.of(answer))
        items.append(split(answer.body, ranked=resource.ranked))
        url = pages[-1].next_url
    return pages, items


def _check_next(origin: Origin, url: str, pages: Sequence[Page], max_pages: int) -> None:
    if not origin.owns(url):
        raise OriginError(FailureKind.UNEXPECTED, "GitHub's list continues on another host")
    if any(page.url == url for page in pages):
        raise OriginError(FailureKind.UNEXPECTED, "GitHub's list leads back to where it began")
    if len(pages) >= max_pages:
        reason = f"the list has more than {max_pages} pages (LIST_MAX_PAGES)"
        raise OriginError(FailureKind.TOO_LARGE, reason)
