"""Reads all pages of a list, and downloads only those that changed.

`ListReader.read` is a generator. It yields a step after each page, so that its caller decides
whether to go on, and the list as its last step.
"""

from collections.abc import Collection, Generator, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from refresher.content import pagination
from refresher.content.items import Item, split
from refresher.content.list_consistency import MAX_READINGS, Reading, is_settled
from refresher.content.list_items import ListItems, PageItems
from refresher.content.list_view import ListView
from refresher.content.narrowing import Findings
from refresher.content.page import Page, Unchanged, ask
from refresher.content.prefetch import Prefetch
from refresher.content.unfinished_reading import NOTHING_READ, KeptPage, UnfinishedReading
from refresher.errors import OriginError, StoredPageError
from refresher.github.client import GitHubClient
from refresher.github.conditional import Validator
from refresher.github.response import GitHubResponse
from refresher.github.response_decision import decision_on, error_of
from refresher.github.response_outcomes import Success
from shared.budgets import ANONYMOUS
from shared.clock import Clock
from shared.outcomes import FailureKind
from shared.resources.operations.shapes import Shape
from shared.resources.resource import Resource

# Failures of one credential that another one need not have.
_OF_A_CREDENTIAL = frozenset({FailureKind.RATE_LIMITED, FailureKind.UNAUTHORIZED})
_NOTHING = Validator(None, "", lambda: b"[]")


@dataclass(frozen=True)
class ReadList:
    """A whole list.

    Args:
        items: each once, in GitHub's order.
        pages: the pages that the items come from.
        findings: non-public parts of the stored pages that a credential confirmed, by the present
            public shapes.
        ends_without_link: the last page was downloaded, and came without `Link`.
        before: the items of the stored pages, without their texts; None if that is not known.
    """

    items: ListItems
    pages: Sequence[Page]
    findings: Findings
    ends_without_link: bool = False
    before: ListItems | None = None


@dataclass(frozen=True)
class PageRead:
    """A step of the reading: a page was read.

    Args:
        number: of the page, from 1.
        pages: number of pages that the list has, by its first page; at least `number`.
        response: GitHub's.
        findings: non-public parts of a page that was downloaded now; None for any other page.
        read: the page, in the form in which an interrupted reading is kept.
        is_kept: it was not requested: an interrupted reading has read it.
    """

    number: int
    pages: int
    response: GitHubResponse
    findings: Findings | None
    read: KeptPage
    is_kept: bool

    @property
    def is_of_a_credential(self) -> bool:
        """Whether the page was downloaded with a credential, or may have been."""
        is_downloaded = self.findings is not None or self.is_kept
        return is_downloaded and not self.response.is_anonymous

    @property
    def is_one_of_several(self) -> bool:
        """Whether the list has more pages than this one, so that progress is worth a report."""
        return self.pages > 1


@dataclass(frozen=True)
class ReadAgain:
    """A step of the reading: the list was not consistent, and is read from its first page again."""


Step = PageRead | ReadAgain | ReadList | Unchanged


@dataclass(frozen=True)
class ListLimits:
    """How much is read of a list, and how fast.

    Args:
        max_pages: a list with more pages is refused.
        max_bytes: a list with more bytes, decompressed, is refused.
        concurrency: number of pages that are requested at once.
    """

    max_pages: int
    max_bytes: int
    concurrency: int


class _OneReading:
    """One reading of all pages.

    Args:
        known: the pages that are requested conditionally, by URL.
        items: receives the items of the pages that are downloaded, by URL.
        unfinished: an interrupted reading to go on with.
        is_again: it is not the first one, so `known` are not the stored pages.
    """

    def __init__(
        self,
        known: Mapping[str, Page],
        items: dict[str, PageItems],
        unfinished: UnfinishedReading,
        *,
        is_again: bool,
    ) -> None:
        self.known = {**known, **{url: one.page for url, one in unfinished.older.items()}}
        self.items = items
        self.unfinished = unfinished
        self.is_again = is_again
        self.ends_without_link = False  # as far as it was read
        self.asked_at: dict[str, float] = {}  # written by the threads that request pages

    def still_to_ask(self, urls: Iterable[str]) -> list[str]:
        """Those of the URLs that are requested."""
        return [url for url in urls if url not in self.unfinished.recent]


@dataclass(frozen=True)
class ListReader:
    """Reads one list.

    Args:
        origin: GitHub.
        resource: the list's, an expanded one.
        target: path and query of the requests.
        shape: the public shape of an item.
        limits: how much is read.
        clock: the process's clock.
        among: ids of the credentials that may be used, besides the anonymous one; None for any.
    """

    origin: GitHubClient
    resource: Resource
    target: str
    shape: Shape
    limits: ListLimits
    clock: Clock
    among: Collection[str] | None = None

    def read(
        self,
        known: Sequence[Page],
        known_ids: Sequence[Hashable],
        *,
        unfinished: UnfinishedReading = NOTHING_READ,
        is_rebuilt: bool = False,
    ) -> Generator[Step, None, None]:
        """Read until the list is consistent; the last step is a `ReadList` or `Unchanged`.

        No request is sent between a step and the next call, except those that are under way already
        with a concurrency of more than 1. To stop, close the generator.

        Args:
            known: the stored pages; empty to read without conditions.
            known_ids: ids of the items of the stored entry.
            unfinished: an interrupted reading to go on with, if `may_go_on` allows it. Only the
                first reading uses its pages.
            is_rebuilt: return the items even if no page changed, from the stored bodies.

        Raises:
            OriginError: a page could not be read, or the list kept changing.
        """
        before, pages = known_ids, known
        items: dict[str, PageItems] = {}
        view = self._view_of(unfinished.asked_by or (known[0].asked_by if known else None))
        for number in range(MAX_READINGS):
            if number:
                yield ReadAgain()
                unfinished = NOTHING_READ
            view = view.again()
            known_now = {page.url: page for page in pages}
            reading = _OneReading(known_now, items, unfinished, is_again=number > 0)
            pages, changed = yield from self._read_once(reading, view)
            if view.is_mixed:
                pages, items = known, {}
                continue
            is_unchanged = number == 0 and not changed and _urls(pages) == _urls(known)
            if is_unchanged and not is_rebuilt:
                yield Unchanged(pages)
                return
            pages, stored = self._split_stored(pages, items, is_rebuilt=is_rebuilt)
            found_ids = Reading([items[page.url].index.ids for page in pages])
            if is_settled(found_ids, before=before, full_page=pagination.PER_PAGE):
                found = ListItems([items[page.url] for page in pages])
                held = None if is_rebuilt else _stored_items(known)
                yield ReadList(found, pages, stored, reading.ends_without_link, held)
                return
            before = found_ids.ids
        raise OriginError(FailureKind.UNSETTLED, "the list kept changing while it was read")

    def _split_stored(
        self, pages: Sequence[Page], items: dict[str, PageItems], *, is_rebuilt: bool
    ) -> tuple[list[Page], Findings]:
        """Add the items of pages that were not downloaded.

        Returns:
            The pages with the index of each, and what a credential confirmed of those without one.
        """
        stored, found = Findings(), list[Page]()
        for page in pages:
            index = None if is_rebuilt or page.url in items else page.load_index()
            if page.url in items:
                found.append(page)
            elif index is not None:
                items[page.url] = PageItems(index, partial(self._texts, page))
                found.append(page)
            else:
                findings = Findings() if page.asked_by == ANONYMOUS else stored
                items[page.url] = self._items(page.body.unpacked(), findings)
                self._check_size(items)
                found.append(page.with_index(items[page.url].index))
        self._check_size(items)
        return found, stored

    def _texts(self, page: Page) -> list[bytes]:
        """The texts of the items of a stored page."""
        return [item.text for item in self._split(page.body.unpacked(), Findings())]

    def may_go_on(self, unfinished: UnfinishedReading) -> bool:
        """Whether the pages of an interrupted reading may be used: their credential still may."""
        return unfinished.asked_by in self._credentials

    @property
    def _credentials(self) -> list[str]:
        ids = [credential.id for credential in self.origin.credentials]
        if self.among is None:
            return ids
        return [ANONYMOUS, *(one for one in ids if one in self.among)]

    def _view_of(self, last: str | None) -> ListView:
        """The view of the first reading.

        The credential that got the known pages comes first: most pages have not changed for it.
        """
        ids = self._credentials
        return ListView(len(ids) == 1, last if last in ids else None, allowed=self.among)

    def _read_once(
        self, reading: _OneReading, view: ListView
    ) -> Generator[Step, None, tuple[list[Page], bool]]:
        """All pages, and whether any has changed; the items of those downloaded go into `items`."""
        ask_for = partial(self._ask, reading, view)
        try:
            with Prefetch(ask_for, concurrency=self.limits.concurrency) as responses:
                if view.is_known:
                    responses.expect(reading.still_to_ask(reading.known))
                return (yield from self._follow(responses, reading, view))
        except OriginError as error:
            if view.is_one or view.asked_by is None or error.kind not in _OF_A_CREDENTIAL:
                raise
            view.is_mixed = True  # another credential may have requests left
            return [], True

    def _follow(
        self, responses: Prefetch, reading: _OneReading, view: ListView
    ) -> Generator[Step, None, tuple[list[Page], bool]]:
        pages: list[Page] = []
        changed, length, following = False, 1, list[str]()
        url: str | None = self._first_url
        while url is not None:
            kept = reading.unfinished.recent.get(url)
            response = kept.response if kept is not None else responses.get(url)
            if not view.is_known:
                view.note(response)
                responses.expect(one for one in reading.known if one != url)
            view.note(response)
            if view.is_mixed:
                break
            read, findings = kept, None
            if read is None:
                read, findings = self._page_in(response, url, reading, is_first=not pages)
            pages.append(read.page)
            reading.ends_without_link = response.status != 304 and not response.links
            changed = changed or read.is_changed
            if len(pages) == 1:
                following = pagination.following(response)
                is_mute = pagination.is_mute(response)
                length = len(reading.known) if is_mute else 1 + len(following)
            url = pagination.url_after(read.page, response)
            self._check_next(url, pages, is_named="next" in response.links)
            number = len(pages)
            yield PageRead(
                number, max(length, number), response, findings, read, is_kept=kept is not None
            )
            if findings is not None:
                self._check_size(reading.items)
            if number == 1 and not reading.known and following[:1] == [read.page.next_url]:
                responses.expect(reading.still_to_ask(following[: self.limits.max_pages - 1]))
        return pagination.without_end(pages), changed

    def _page_in(
        self, response: GitHubResponse, url: str, reading: _OneReading, *, is_first: bool
    ) -> tuple[KeptPage, Findings | None]:
        """The page in a response, and what was found if it was downloaded."""
        page, findings = reading.known.get(url), None
        if response.status == 304 and page is not None:
            read = page.confirmed(response)
            older = reading.unfinished.older.get(url)
            changed = reading.is_again or (older is not None and older.is_changed)
        elif response.status == 304 and reading.known and not is_first:
            items = reading.items[url] = PageItems.of([], self.resource.kind)
            read = Page.of(replace(response, body=b"[]"), url, 0).with_index(items.index)
            changed = False
        else:
            findings = Findings()
            items = reading.items[url] = self._downloaded(response, findings)
            length = len(items.index.ids)
            read = Page.of(response, url, length).with_index(items.index)
            changed = not (page is not None and page.items == length == 0)  # not still empty
        at, links = reading.asked_at[url], response.links
        kept = KeptPage(read, at, response.status, links, response.is_anonymous, changed)
        return kept, findings

    def _downloaded(self, response: GitHubResponse, findings: Findings) -> PageItems:
        """The items of a page that changed."""
        # No error may become the content of a list, tracked or not.
        outcome = decision_on(
            response, base=self.origin.base, outlives_errors=True, now=self.clock.now()
        )
        if not isinstance(outcome, Success):
            raise error_of(outcome, response.status)
        return self._items(response.body, findings)

    def _items(self, body: bytes, findings: Findings) -> PageItems:
        return PageItems.of(self._split(body, findings), self.resource.kind)

    @property
    def _first_url(self) -> str:
        joined = "&" if "?" in self.target else "?"
        return self.origin.url_of(f"{self.target}{joined}per_page={pagination.PER_PAGE}")

    def _ask(self, reading: _OneReading, view: ListView, url: str) -> GitHubResponse:
        page = reading.known.get(url)
        reading.asked_at[url] = self.clock.now()
        origin = self.origin if url == self._first_url else self.origin.for_further_pages
        if page is not None:
            return ask(origin, url, page, page.validator, among=view.among)
        # For a page beyond the end, ask whether it is still empty.
        beyond = reading.known and url != self._first_url
        return ask(origin, url, None, _NOTHING if beyond else None, among=view.among)

    def _split(self, body: bytes, findings: Findings) -> list[Item]:
        return split(
            body,
            self.shape,
            findings,
            kind=self.resource.kind,
            private=self.resource.include_private,
        )

    def _check_size(self, items: Mapping[str, PageItems]) -> None:
        if sum(page.index.size for page in items.values()) > self.limits.max_bytes:
            reason = f"the list has more than {self.limits.max_bytes} bytes (LIST_MAX_BYTES)"
            raise OriginError(FailureKind.TOO_LARGE, reason)

    def _check_next(self, url: str | None, pages: Sequence[Page], *, is_named: bool) -> None:
        """Check the URL of the next page, before the page that named it is kept.

        Behind a full last page that GitHub confirmed without `Link`, one more page is requested: it
        may be as many as are allowed, and empty.

        Args:
            url: of the next page; None if there is none.
            pages: that were read.
            is_named: GitHub named it.
        """
        most, number = self.limits.max_pages, len(pages)
        if (number > most and pages[-1].items) or (number >= most and is_named):
            reason = f"the list has more than {most} pages (LIST_MAX_PAGES)"
            raise OriginError(FailureKind.TOO_LARGE, reason)
        if url is None:
            return
        if not self.origin.owns(url):
            raise OriginError(FailureKind.UNEXPECTED, "GitHub's list continues on another host")
        if any(page.url == url for page in pages):
            reason = "GitHub's list leads back to a page that was read before"
            raise OriginError(FailureKind.UNEXPECTED, reason)


def _urls(pages: Sequence[Page]) -> list[str]:
    return [page.url for page in pages]


def _stored_items(known: Sequence[Page]) -> ListItems | None:
    """The items of the stored pages, without their texts; None if a page has no index."""
    try:
        indexes = [page.load_index() for page in known]
    except StoredPageError:
        return None
    pages = [PageItems(one, list) for one in indexes if one is not None]
    return ListItems(pages) if known and len(pages) == len(known) else None
