"""The mark of an invalidation: a resource has changed at GitHub, perhaps only some items. Pure.

A mark is `[anew-]{id}[ {item},{item}...]`. Each invalidation has an id of its own, so that a
refresh removes only the mark that it has handled. A mark of an event stays until the last look at
the resource (`looks`), and names the items of all events that were not followed by such a look yet.
A list's pages that hold none of them need not be requested.
"""

import re

# Begins a mark that only a refresh without conditional requests handles.
ANEW = "anew-"
MOST_ITEMS = 32  # that a mark names; if more have changed, all may have
ANY_ITEM = "0"  # among the items of events: one that named none; GitHub's ids begin with 1
# Seconds for which an item is named again by the next mark, if its own mark is gone.
REMEMBER_ITEM_S = 30

_NAMED = re.compile(r"[0-9a-f]+ ([0-9]{1,18}(?:,[0-9]{1,18})*)")


def is_anew(mark: str | None) -> bool:
    """Whether a mark asks for content that GitHub sends without conditions."""
    return (mark or "").startswith(ANEW)


def items_named(mark: str | None) -> frozenset[int]:
    """GitHub's ids of the only items that have changed; empty if others may have changed too."""
    named = _NAMED.fullmatch(mark or "")
    return frozenset(int(item) for item in named[1].split(",")) if named else frozenset()
