"""Decides what a refresh found: nothing new, or an entry to write. Pure.

GitHub's content is compared by the ETag that we derive from it. An entry is also rebuilt if it
lacks derived data (`shared.stored_form`), or if the public shapes have changed since it was made.
"""

from refresher.content.content import Content
from refresher.content.page import Unchanged
from refresher.storage.page_store import KnownPages
from shared.redis.store import EntryState


def is_rebuilt(state: EntryState, known: KnownPages) -> bool:
    """Whether the content is rebuilt even if GitHub says that no page changed.

    Args:
        state: of the entry before the refresh.
        known: the pages that the entry was made from.
    """
    return known.is_outdated or not state.is_complete


def is_new(state: EntryState, content: Content | Unchanged) -> bool:
    """Whether an entry must be written; otherwise only the freshness of the stored one moves on.

    Args:
        state: of the entry before the refresh.
        content: what the refresh read.
    """
    if isinstance(content, Unchanged):
        return False
    return not is_same(state, content) or not state.is_complete


def is_same(state: EntryState, content: Content) -> bool:
    """Whether clients see the same content as before: `ETag` and `Last-Modified` stay."""
    return state.metadata is not None and state.metadata.etag == content.etag
