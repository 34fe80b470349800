"""What a look at a resource after an event may store, and which looks follow.

GitHub's replicas lag behind its webhooks, each by its own time, so a look may show older content
than the look before. It never replaces newer content: where items carry `updated_at`, that must not
go back; elsewhere, content that a look has replaced is taken again only if the last look shows it:

    event | look: replica A, new content, stored | look: replica B, the content before: not stored
    | the last look: the content before -> stored: the change was taken back

Content on demand that an event has touched does not go back either, by `updated_at`.

Errors such as a 404 are never held back: content that GitHub withdraws must not be served.
"""

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refresher.content.content import Content
from refresher.content.page import Page, Unchanged
from refresher.errors import StoredPageError
from refresher.storage.handled import Handled, Replaced
from refresher.storage.page_store import KnownPages
from refresher.storage.storage import Storage
from shared.budgets import ANONYMOUS
from shared.looks import LAST_S, Looks
from shared.redis.entry_state import EntryState
from shared.resources.resource import Resource

# Seconds after an event until which `updated_at` must not go back. Then GitHub is believed.
_BELIEVED_AFTER_S = 60.0
_PAUSE_S = 5.0  # between looks that show older content after the last one was due

Times = Mapping[Hashable, str]


@dataclass(frozen=True)
class LookAgain:
    """Judges what one refresh has read; methods may raise `redis.RedisError`.

    Args:
        resource: what is refreshed.
        storage: holds the entry, and what looks have replaced.
        state: of the entry before the refresh.
        known: the pages that the refresh requested conditionally.
        looked_at: Unix time in seconds of the oldest request of the refresh.
        now: Unix time in seconds.
        is_page_look: only the pages of a list that events have named were requested.
    """

    resource: Resource
    storage: Storage
    state: EntryState
    known: KnownPages
    looked_at: float
    now: float
    is_page_look: bool = False

    def is_older(self, content: Content | Unchanged) -> bool:
        """Whether the content is older than what is stored, and so must not replace it."""
        metadata, looks = self.state.metadata, self.state.looks
        if looks is None or metadata is None or isinstance(content, Unchanged):
            return False
        if self.state.is_to_be_read_anew or content.status != 200:
            return False
        if content.etag == metadata.etag:
            return False
        if self._is_replaced(content.etag):
            return True
        is_late = self.looked_at >= looks.event_at + _BELIEVED_AFTER_S
        return metadata.status == 200 and not is_late and goes_back(*self._times(content))

    def is_older_on_demand(self, content: Content | Unchanged) -> bool:
        """Whether content on demand that an event has touched is older than what is stored.

        Nobody looks at it again by himself: what is stored is confirmed instead, and stale again
        when the event has settled.
        """
        metadata = self.state.metadata
        if self.resource.tracked or metadata is None or not metadata.is_awaited:
            return False
        if isinstance(content, Unchanged) or not self.known.pages or self.state.is_to_be_read_anew:
            return False
        if content.status != 200 or metadata.status != 200 or content.etag == metadata.etag:
            return False
        return goes_back(*self._times(content))

    def handled(self, content: Content | Unchanged, mark: str | None, *, taken: bool) -> Handled:
        """What the refresh has done about the invalidation.

        Args:
            content: what was read.
            mark: of the invalidation, from before GitHub was asked.
            taken: the content is stored, or confirms what is stored; False if it is older.
        """
        looks = self.state.looks
        if looks is None or mark is None:
            return Handled(mark, None, self.looked_at)
        left = looks.settled_by(
            self.looked_at,
            is_shifted=taken and self._is_shifted(content),
            is_page_look=self.is_page_look,
        ).after(
            self.looked_at,
            self.now,
            is_anonymous=any(page.asked_by == ANONYMOUS for page in content.pages),
            is_tracked=self.resource.tracked,
        )
        if not taken and left is None:
            left = Looks(looks.event_at, self.now + _PAUSE_S)
        return Handled(mark, left, self.looked_at, self._replaced(content, looks, taken=taken))

    def _is_shifted(self, content: Content | Unchanged) -> bool:
        """Whether a list in pages has other items than before, or another order."""
        if isinstance(content, Unchanged) or not self.resource.kind.is_expanded:
            return False
        return len(content.pages) > 1 and list(content.ids) != list(self.known.ids)

    def _replaced(
        self, content: Content | Unchanged, looks: Looks, *, taken: bool
    ) -> Replaced | None:
        metadata, until = self.state.metadata, looks.event_at + LAST_S
        if not taken or isinstance(content, Unchanged) or metadata is None:
            return None
        if self.looked_at >= until:
            return None
        return None if content.etag == metadata.etag else Replaced(metadata.etag, until)

    def _is_replaced(self, etag: str) -> bool:
        until = self.storage.replaced_until(self.resource, etag)
        # What lies further in the future is damage, or Redis's clock was set back.
        return self.looked_at < until <= self.now + LAST_S

    def _times(self, content: Content) -> tuple[Times, Times]:
        """When items were changed, by what is stored and by what was read."""
        if not self.resource.kind.is_expanded:
            entry = self.storage.store.read(self.resource)
            return ({} if entry is None else _times_in(bytes(entry.body))), _times_in(content.body)
        stored = {page.url: page for page in self.known.pages}
        changed = [
            page
            for page in content.pages
            if page.url not in stored or stored[page.url].body is not page.body
        ]
        before = [stored[page.url] for page in changed if page.url in stored]
        at = self.resource.kind.place_of_times
        if at is None:
            return {}, {}
        try:
            return dict(_ranked(before, at)), dict(_ranked(changed, at))
        except StoredPageError:
            return {}, {}


def goes_back(before: Times, after: Times) -> bool:
    """Whether an item is older than before. Times are ISO 8601 in UTC, and order as text."""
    return any(after[one] < before[one] for one in before.keys() & after.keys())


def _ranked(pages: Sequence[Page], at: int) -> Iterator[tuple[Hashable, str]]:
    """Name and time of each item of a ranked list's pages."""
    for page in pages:
        index = page.load_index()
        for row in () if index is None else index.rows:
            value = row.values[at]
            if isinstance(value, str):
                yield row.name, value


def _times_in(body: bytes) -> Times:
    """`updated_at` of an object, or of each item of a list, by id."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    found: dict[Hashable, str] = {}
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            identity, time = one.get("id"), one.get("updated_at")
            if isinstance(identity, int | str) and isinstance(time, str):
                found[identity] = time
    return found
