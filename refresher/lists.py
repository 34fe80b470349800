"""Reading all pages of a list, downloading only those that changed."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from refresher import verdict
from refresher.errors import OriginError
from refresher.items import Item, split
from refresher.origin import Origin
from refresher.pages import Page, Unchanged, ask
from refresher.settling import MAX_READINGS, Reading, is_settled
from refresher.validators import Validator
from shared.outcomes import FailureKind
from shared.resources import Resource

PER_PAGE = 100  # the most that GitHub gives
_NOTHING = Validator(None, "", lambda: b"[]")


@dataclass(frozen=True)
class ReadList:
    """A whole list.

    Args:
        items: each once, in GitHub's order.
        pages: what they were read from.
    """

    items: Sequence[Item]
    pages: Sequence[Page]


@dataclass(frozen=True)
class ListReader:
    """Reads one list.

    Args:
        origin: where from.
        resource: an expanded one.
        max_pages: pages beyond which the list is refused.
        before_each: called before each request; raises to stop.
        clock: gives Unix time in seconds.
    """

    origin: Origin
    resource: Resource
    max_pages: int
    before_each: Callable[[], None]
    clock: Callable[[], float]

    def read(self, known: Sequence[Page], known_ids: Sequence[Hashable]) -> ReadList | Unchanged:
        """Read until the list holds still.

        Args:
            known: the pages that were read last; empty to read anew.
            known_ids: ids of the items of the stored entry.

        Raises:
            OriginError: a page could not be read, or the list kept changing.
        """
        before, pages = known_ids, known
        items: dict[str, list[Item]] = {}
        for number in range(MAX_READINGS):
            pages, changed = self._read_once({page.url: page for page in pages}, items)
            if number == 0 and not changed and _urls(pages) == _urls(known):
                return Unchanged(pages)
            for page in pages:
                if page.url not in items:
                    items[page.url] = self._split(page.body.unpacked())
            reading = Reading([[item.id for item in items[page.url]] for page in pages])
            if is_settled(reading, before=before, full_page=PER_PAGE):
                return ReadList([item for page in pages for item in items[page.url]], pages)
            before = reading.ids
        raise OriginError(FailureKind.UNSETTLED, "the list kept changing while it was read")

    def _read_once(
        self, known: Mapping[str, Page], items: dict[str, list[Item]]
    ) -> tuple[list[Page], bool]:
        """All pages, and whether any was downloaded; the items of those go into `items`."""
        pages: list[Page] = []
        downloaded = False
        url: str | None = self.origin.url_of(f"{self.resource.path}?per_page={PER_PAGE}")
        while url is not None:
            self._check_next(url, pages)
            self.before_each()
            page = known.get(url)
            # A page beyond the end is asked for whether it is still empty.
            validator = page.validator if page else _NOTHING if pages and known else None
            answer = ask(self.origin, url, page, validator)
            if answer.status == 304 and page is not None:
                pages.append(page.confirmed(answer))
            elif answer.status == 304 and validator is _NOTHING:
                items[url] = []
                pages.append(Page.of(replace(answer, body=b"[]"), url, 0))
            else:
                verdict.check(answer, tracked=self.resource.tracked, now=self.clock())
                items[url] = self._split(answer.body)
                pages.append(Page.of(answer, url, len(items[url])))
                still_empty = page is not None and page.items == 0 and not items[url]
                downloaded = downloaded or not still_empty
            is_mute = answer.status == 304 and not answer.links
            url = pages[-1].next_url or (_beyond(pages[-1]) if is_mute else None)
        return _without_end(pages), downloaded

    def _split(self, body: bytes) -> list[Item]:
        return split(body, ranked=self.resource.ranked)

    def _check_next(self, url: str, pages: Sequence[Page]) -> None:
        if not self.origin.owns(url):
            raise OriginError(FailureKind.UNEXPECTED, "GitHub's list continues on another host")
        if any(page.url == url for page in pages):
            reason = "GitHub's list leads back to where it began"
            raise OriginError(FailureKind.UNEXPECTED, reason)
        if len(pages) >= self.max_pages:
            reason = f"the list has more than {self.max_pages} pages (LIST_MAX_PAGES)"
            raise OriginError(FailureKind.TOO_LARGE, reason)


def _urls(pages: Sequence[Page]) -> list[str]:
    return [page.url for page in pages]


def _beyond(page: Page) -> str | None:
    """The page after a last one that is full and did not change; there may be one now.

    The ETag is the body's, and a list that grew behind a full page left its body as it was. Only
    `Link` would tell, and a 304 need not carry it.
    """
    if page.items != PER_PAGE:
        return None
    parts = urlsplit(page.url)
    query = dict(parse_qsl(parts.query))
    query["page"] = str(int(query.get("page", "1")) + 1)
    return urlunsplit(parts._replace(query=urlencode(query)))


def _without_end(pages: list[Page]) -> list[Page]:
    """The pages, with the one before an empty last one known as the last that holds items."""
    if len(pages) < 2 or pages[-1].items != 0:
        return pages
    before, empty = pages[-2], pages[-1]
    kept = [*pages[:-2], replace(before, next_url=None)]
    # Behind a full page it will be asked for again, and its ETag is of use.
    return [*kept, empty] if before.items == PER_PAGE else kept
