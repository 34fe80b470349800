"""Reading all pages of a list, downloading only those that changed."""

import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from refresher.content.items import Item, split
from refresher.content.list_consistency import MAX_READINGS, Reading, is_settled
from refresher.content.narrowing import Findings
from refresher.content.page import Page, Unchanged, ask
from refresher.content.prefetch import Prefetch
from refresher.errors import OriginError
from refresher.github import response_check
from refresher.github.client import GitHubClient
from refresher.github.conditional import Validator
from refresher.github.response import GitHubResponse
from shared.outcomes import FailureKind
from shared.resources.operations.shapes import Shape
from shared.resources.resource import Resource

PER_PAGE = 100  # the most that GitHub gives
_NUMBER = re.compile(r"[0-9]{1,6}")
# What one credential fails of, and another one need not.
_OF_A_CREDENTIAL = frozenset({FailureKind.RATE_LIMITED, FailureKind.UNAUTHORIZED})
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


@dataclass
class _View:
    """Who answers one reading of a list: whoever answered its first page.

    One credential sees private items where another one does not, so what is the end of a page to
    one is in the middle of it to the other:

        the owner's page 1: A P B | the stranger's page 2: D E     -> C is missed

    Args:
        is_one: there is one credential, and so one view.
        asked_by: id of the credential that was given the first page.
        is_mixed: another one was given a later page, as the first was spent or refused.
    """

    is_one: bool
    asked_by: str | None = None
    is_mixed: bool = False

    @property
    def is_known(self) -> bool:
        """Whether it is clear who answers, so that pages may be asked for ahead."""
        return self.is_one or self.asked_by is not None

    @property
    def among(self) -> Collection[str] | None:
        """Ids of the credentials that may be used beside none at all; None for any."""
        return None if self.is_one or self.asked_by is None else frozenset({self.asked_by})

    def again(self) -> "_View":
        """For the next reading: the same one answers, if it could answer all of this one."""
        return _View(self.is_one, None if self.is_mixed else self.asked_by)

    def note(self, response: GitHubResponse) -> None:
        """Take note of who was given a page."""
        if self.asked_by is None:
            self.asked_by = response.credential
        self.is_mixed = self.is_mixed or response.credential != self.asked_by


@dataclass(frozen=True)
class ListReader:
    """Reads one list.

    Args:
        origin: where from.
        resource: an expanded one.
        path: that GitHub is asked for.
        shape: the public shape of an item.
        max_pages: pages beyond which the list is refused.
        max_bytes: bytes, decompressed, beyond which it is.
        before_each: called before each request; raises to stop.
        clock: gives Unix time in seconds.
        note_length: told how many pages the list has, once the first one says; raises to stop.
        note_progress: told after each page of several which one it was, and of how many.
        concurrency: pages asked for at once.
        note_findings: told what a page that was downloaded held beside what is public.
    """

    origin: GitHubClient
    resource: Resource
    path: str
    shape: Shape
    max_pages: int
    max_bytes: int
    before_each: Callable[[], None]
    clock: Callable[[], float]
    note_length: Callable[[int], None] = lambda _: None
    note_progress: Callable[[int, int], None] = lambda *_: None
    concurrency: int = 1
    note_findings: Callable[[GitHubResponse, Findings], None] = lambda *_: None

    def read(
        self,
        known: Sequence[Page],
        known_ids: Sequence[Hashable],
        *,
        is_made_anew: bool = False,
    ) -> ReadList | Unchanged:
        """Read until the list holds still.

        Args:
            known: the pages that were read last; empty to read anew.
            known_ids: ids of the items of the stored entry.
            is_made_anew: give the items even if no page changed, from the bodies that are known.

        Raises:
            OriginError: a page could not be read, or the list kept changing.
        """
        before, pages = known_ids, known
        items: dict[str, list[Item]] = {}
        view = self._view_of(known)
        for number in range(MAX_READINGS):
            view = view.again()
            pages, changed = self._read_once({page.url: page for page in pages}, items, view)
            if view.is_mixed:
                pages, items = known, {}
                continue
            is_unchanged = number == 0 and not changed and _urls(pages) == _urls(known)
            if is_unchanged and not is_made_anew:
                return Unchanged(pages)
            for page in pages:
                if page.url not in items:
                    items[page.url] = self._split(page.body.unpacked(), Findings())
                    self._check_size(items)
            reading = Reading([[item.id for item in items[page.url]] for page in pages])
            if is_settled(reading, before=before, full_page=PER_PAGE):
                return ReadList([item for page in pages for item in items[page.url]], pages)
            before = reading.ids
        raise OriginError(FailureKind.UNSETTLED, "the list kept changing while it was read")

    def _view_of(self, known: Sequence[Page]) -> _View:
        """Who is asked first: whoever was given the known pages, of which most did not change."""
        ids = [credential.id for credential in self.origin.credentials]
        last = known[0].asked_by if known else None
        return _View(is_one=len(ids) == 1, asked_by=last if last in ids else None)

    def _read_once(
        self, known: Mapping[str, Page], items: dict[str, list[Item]], view: "_View"
    ) -> tuple[list[Page], bool]:
        """All pages, and whether any was downloaded; the items of those go into `items`."""
        ask_for = partial(self._ask, known, view)
        try:
            with Prefetch(ask_for, concurrency=self.concurrency) as responses:
                if view.is_known:
                    responses.expect(known)
                return self._follow(responses, known, items, view)
        except OriginError as error:
            if view.among is None or error.kind not in _OF_A_CREDENTIAL:
                raise
            view.is_mixed = True  # another one may have something left
            return [], True

    def _follow(
        self,
        responses: Prefetch,
        known: Mapping[str, Page],
        items: dict[str, list[Item]],
        view: "_View",
    ) -> tuple[list[Page], bool]:
        pages: list[Page] = []
        downloaded, length = False, 1
        url: str | None = self._first_url
        while url is not None:
            self._check_next(url, pages)
            response, page = responses.get(url), known.get(url)
            if not view.is_known:
                view.note(response)
                responses.expect(one for one in known if one != url)
            view.note(response)
            if view.is_mixed:
                break
            if response.status == 304 and page is not None:
                pages.append(page.confirmed(response))
            elif response.status == 304 and page is None and known and pages:
                items[url] = []
                pages.append(Page.of(replace(response, body=b"[]"), url, 0))
            else:
                response_check.check(response, tracked=self.resource.tracked, now=self.clock())
                findings = Findings()
                items[url] = self._split(response.body, findings)
                self.note_findings(response, findings)
                self._check_size(items)
                pages.append(Page.of(response, url, len(items[url])))
                still_empty = page is not None and page.items == 0 and not items[url]
                downloaded = downloaded or not still_empty
            is_mute = response.status == 304 and not response.links
            if len(pages) == 1:
                following = _following(response)
                length = len(known) if is_mute else 1 + len(following)
                self.note_length(length)
                if not known and following[:1] == [pages[0].next_url]:
                    responses.expect(following[: self.max_pages - 1])
            if length > 1:
                self.note_progress(len(pages), max(length, len(pages)))
            url = pages[-1].next_url or (_beyond(pages[-1]) if is_mute else None)
        return _without_end(pages), downloaded

    @property
    def _first_url(self) -> str:
        return self.origin.url_of(f"{self.path}?per_page={PER_PAGE}")

    def _ask(self, known: Mapping[str, Page], view: "_View", url: str) -> GitHubResponse:
        self.before_each()
        page = known.get(url)
        if page is not None:
            return ask(self.origin, url, page, page.validator, among=view.among)
        # A page beyond the end is asked for whether it is still empty.
        beyond = known and url != self._first_url
        return ask(self.origin, url, None, _NOTHING if beyond else None, among=view.among)

    def _split(self, body: bytes, findings: Findings) -> list[Item]:
        return split(
            body,
            self.shape,
            findings,
            kind=self.resource.kind,
            private=self.resource.include_private,
        )

    def _check_size(self, items: Mapping[str, Sequence[Item]]) -> None:
        if sum(len(item.text) for page in items.values() for item in page) > self.max_bytes:
            reason = f"the list has more than {self.max_bytes} bytes (LIST_MAX_BYTES)"
            raise OriginError(FailureKind.TOO_LARGE, reason)

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


def _following(response: GitHubResponse) -> list[str]:
    """The pages after the first one, as far as it tells how many there are."""
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


def _beyond(page: Page) -> str | None:
    """The page after a last one that is full and did not change; there may be one now.

    The ETag is the body's, and a list that grew behind a full page left its body as it was. Only
    `Link` would tell, and a 304 need not carry it.
    """
    if page.items != PER_PAGE:
        return None
    number = int(dict(parse_qsl(urlsplit(page.url).query)).get("page", "1"))
    return _with_page(page.url, number + 1)


def _without_end(pages: list[Page]) -> list[Page]:
    """The pages, with the one before an empty last one known as the last that holds items."""
    if len(pages) < 2 or pages[-1].items != 0:
        return pages
    before, empty = pages[-2], pages[-1]
    kept = [*pages[:-2], replace(before, next_url=None)]
    # Behind a full page it will be asked for again, and its ETag is of use.
    return [*kept, empty] if before.items == PER_PAGE else kept
