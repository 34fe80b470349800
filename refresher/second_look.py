"""Whether what a refresh has read may replace what is stored; `collapse` has the rule.

It holds for expanded lists, and for the first page of a list on demand: a later page loses its
items whenever the list becomes a little shorter. Nothing that is stored has to be believed without
a comparison, except what no other resource counts (`Kind.total`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from urllib.parse import parse_qsl

from refresher.content.collapse import Extent, Judgement, Look, judge, whole_again
from refresher.content.content import Content
from refresher.content.page import Page, Unchanged
from refresher.content.pagination import PER_PAGE
from refresher.storage.page_store import KnownPages
from refresher.storage.storage import Storage
from shared.redis.entry_state import EntryState
from shared.resources.resource import Resource

# Query parameters of a page that is not the first one.
_CURSORS = frozenset({"after", "before"})


@dataclass(frozen=True)
class SecondLook:
    """Judges what one refresh has read; methods may raise `redis.RedisError`.

    Args:
        resource: what is refreshed.
        storage: holds the entry, its pages, and the object that counts the list's items.
        state: of the entry before the refresh.
        known: the pages that the refresh requested conditionally.
    """

    resource: Resource
    storage: Storage
    state: EntryState
    known: KnownPages

    def judge(self, content: Content | Unchanged, *, asked_at: float, ended_at: float) -> Judgement:
        """Whether to store the content.

        Args:
            content: what the refresh has read.
            asked_at: Unix time in seconds of its oldest request.
            ended_at: Unix time in seconds of now.
        """
        suspicion = self.state.suspicion
        if isinstance(content, Unchanged):
            return Judgement(note="" if suspicion is None else whole_again(suspicion.before))
        seen = self._seen(content)
        held = None if seen is None else self._held(content)
        if seen is None or held is None:
            return Judgement()
        ends_without_link = content.ends_without_link or not (
            self.resource.kind.is_expanded or content.links
        )
        return judge(held, Look(seen, ends_without_link, asked_at, ended_at), suspicion)

    def _seen(self, content: Content) -> Extent | None:
        """What GitHub shows now; None if it is no list, or a later page of one."""
        if content.status != 200:
            return None
        if self.resource.kind.is_expanded:
            hidden = len(content.ids) - (content.shown or 0)
            return Extent(len(content.ids), _filled(content.pages), hidden)
        first = _first_page(self.resource, content.pages)
        return None if first is None else _extent(first, has_next="next" in dict(content.links))

    def _held(self, content: Content) -> Extent | None:
        """What is stored, or what GitHub says elsewhere that there is; None if neither is known."""
        metadata = self.state.metadata
        if metadata is None:
            return self._total(content)
        if metadata.status != 200:
            return None
        pages = self.known.pages or self.storage.pages(self.resource).pages
        if metadata.items is not None:
            return Extent(metadata.items, max(_filled(pages), ceil(metadata.items / PER_PAGE)))
        first = _first_page(self.resource, pages)
        return None if first is None else _extent(first, has_next="next" in dict(metadata.links))

    def _total(self, content: Content) -> Extent | None:
        """How long a list is of which nothing is stored.

        The count may be a little older than the list: so a list that is a little shorter is cut
        only if its last page is full.
        """
        total = self.resource.kind.total
        if total is None:
            return None
        depth = total.kind.template.count("/") + 1
        path = "/".join(self.resource.path.split("/")[:depth])
        entry = self.storage.store.read(replace(self.resource, path=path, kind=total.kind))
        if entry is None or entry.metadata.status != 200:
            return None
        items = entry.members.get(total.member)
        if type(items) is not int:
            return None
        is_full = bool(content.pages) and content.pages[-1].items == PER_PAGE
        return Extent(items, ceil(items / PER_PAGE) if is_full else 1)


def _filled(pages: Sequence[Page]) -> int:
    """Number of pages that hold something: an empty one may be kept behind a full one."""
    return max(1, sum(page.items != 0 for page in pages))


def _first_page(resource: Resource, pages: Sequence[Page]) -> Page | None:
    """The page of a list on demand, if it is the list's first one."""
    query = dict(parse_qsl(resource.query))
    is_first = query.get("page", "1") == "1" and not _CURSORS & query.keys()
    page = next(iter(pages), None)
    return page if is_first and page is not None and page.items is not None else None


def _extent(page: Page, *, has_next: bool) -> Extent:
    """The extent of a list on demand by its first page: at least one item follows, if any does."""
    return Extent((page.items or 0) + has_next, 1 + has_next)
