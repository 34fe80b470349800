"""Decides what a refresh found: nothing new, or an entry to write. Pure.

GitHub's content is compared by the ETag that we derive from it. An entry is also rebuilt if it
lacks derived data (`shared.stored_form`), or if the public shapes have changed since it was made.
"""

from refresher.content.content import Content
from refresher.content.page import Unchanged
from refresher.storage.page_store import KnownPages
from shared.redis.entry_state import EntryState

_DAY = 86400.0  # seconds


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


def is_worse(state: EntryState, content: Content) -> bool:
    """Whether the stored content stays: GitHub is only computing the present one (202).

    Args:
        state: of the entry before the refresh.
        content: what the refresh read.
    """
    return content.status == 202 and state.metadata is not None and state.metadata.is_content


def is_same(state: EntryState, content: Content) -> bool:
    """Whether clients see the same content as before: `ETag` and `Last-Modified` stay."""
    return state.metadata is not None and state.metadata.etag == content.etag


def changed_at(state: EntryState, content: Content, now: float) -> float:
    """Unix time in seconds at which the content to store last changed: its `Last-Modified`.

    It grows by at least a second with each change, also if Redis's clock was set back: else
    `If-Modified-Since` would match content that has changed (RFC 9110 sections 8.8.2 and 13.1.3).

    Args:
        state: of the entry before the refresh.
        content: what the refresh read.
        now: Unix time in seconds when GitHub was asked.
    """
    before = state.metadata
    if before is None or before.changed_at > now + _DAY:  # damaged: it was never sent
        return now
    return before.changed_at if is_same(state, content) else max(now, before.changed_at // 1 + 1)
