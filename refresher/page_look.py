"""The page, not the list: which pages need not be requested if GitHub names what has changed. Pure.

A webhook names the item. The stored ids say which page held it, so that page alone is requested. To
`ListReader`, the other pages are those of an interrupted reading: it reads the whole list if the
page holds other items than before. The list stays as old as its last whole look, which therefore
comes when it always did.
"""

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from itertools import accumulate

from refresher.content.page import Page
from refresher.content.unfinished_reading import NOTHING_READ, KeptPage, UnfinishedReading
from refresher.storage.page_store import KnownPages
from shared.budgets import ANONYMOUS
from shared.invalidation import items_named
from shared.redis.entry_state import EntryState


def pages_to_keep(
    state: EntryState, known: KnownPages, *, now: float, fresh_until: float
) -> UnfinishedReading:
    """The pages of a list that are not requested, as an interrupted reading; none to request all.

    Args:
        state: of the entry.
        known: the pages that it was made from.
        now: Unix time in seconds.
        fresh_until: Unix time in seconds up to which the list has to be fresh.
    """
    metadata, pages, looks = state.metadata, known.pages, state.looks
    is_whole = metadata is None or not metadata.is_fresh(fresh_until) or not state.is_complete
    if metadata is None or is_whole or state.suspicion is not None or known.is_outdated:
        return NOTHING_READ
    if looks is not None and looks.is_whole(now, pages=len(pages)):
        return NOTHING_READ
    wanted = _pages_of(items_named(state.invalidated_by), known)
    # One credential got all pages: else they are no reading. And if most of them are requested,
    # all are: then the list is as old as that.
    if not 0 < len(wanted) <= len(pages) / 2 or len({page.asked_by for page in pages}) > 1:
        return NOTHING_READ
    kept = [
        KeptPage(
            page,
            metadata.validated_at,
            304,
            {},
            is_anonymous=page.asked_by == ANONYMOUS,
            is_changed=False,
        )
        for number, page in enumerate(pages)
        if number not in wanted
    ]
    recent = {one.page.url: one for one in kept}
    return UnfinishedReading(pages[0].asked_by, state.invalidated_by, recent, is_page_look=True)


def _pages_of(items: frozenset[int], known: KnownPages) -> set[int]:
    """The numbers of the pages that hold items, from 0; none if one is not known."""
    ids = known.ids
    if not items or not items <= set(ids) or not _is_complete(known.pages, ids):
        return set()
    ends = list(accumulate(page.items or 0 for page in known.pages))
    return {bisect_right(ends, ids.index(item)) for item in items}


def _is_complete(pages: Sequence[Page], ids: Sequence[Hashable]) -> bool:
    """Whether the ids are those of the pages, each once."""
    return len(set(ids)) == len(ids) == sum(page.items or 0 for page in pages)
