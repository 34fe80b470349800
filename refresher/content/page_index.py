"""What the cache needs of a page's items, without their texts: stored beside the page. Pure.

If one of 70 pages changed, the others are not parsed again: their items' ids, digests and ranks are
enough to find the segments that changed, and the text of an item is read only for those.
"""

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from refresher.content.items import Item
from refresher.content.ranking import Row
from refresher.errors import StoredPageError
from shared.segments import digest_of


@dataclass(frozen=True)
class IndexedItem:
    """An item of a page that was not parsed; the members are those of `Item`.

    Args:
        id: GitHub's id, or a digest of the text if it has none.
        private: the item is, or contains, something that GitHub marks as non-public.
        row: what the views need to know of it; None if its kind has no views.
        digest: of its text.
        size: bytes of its text.
        load: returns its text from the stored page.
    """

    id: Hashable
    private: bool
    row: Row | None
    digest: bytes
    size: int
    load: Callable[[], bytes] = field(repr=False, compare=False)

    @property
    def text(self) -> bytes:
        """The item as GitHub wrote it, without its non-public parts.

        Raises:
            StoredPageError: the stored page is damaged, gone, or another one than when it was read.
        """
        text = self.load()
        if digest_of(text) != self.digest:
            raise StoredPageError
        return text


ListItem = Item | IndexedItem


def packed_index(items: Sequence[ListItem]) -> bytes:
    """The index of a page that has these items, as it is stored."""
    rows = [
        [
            item.id,
            item.digest.hex(),
            item.size,
            item.private,
            None if item.row is None else [item.row.name, *item.row.values],
        ]
        for item in items
    ]
    return json.dumps(rows, separators=(",", ":")).encode()


def indexed_items(packed: bytes, texts: Callable[[], Sequence[bytes]]) -> list[ListItem]:
    """The items of a page.

    Args:
        packed: its index.
        texts: returns the texts of all its items; called when the first one is needed.

    Raises:
        StoredPageError: the index is damaged.
    """
    once = cache(texts)

    def load(place: int) -> Callable[[], bytes]:
        def text() -> bytes:
            found = once()
            if place >= len(found):
                raise StoredPageError
            return found[place]

        return text

    try:
        return [
            IndexedItem(
                known_by,
                _flag(private),
                None if row is None else Row(row[0], tuple(row[1:])),
                bytes.fromhex(digest),
                int(size),
                load(place),
            )
            for place, (known_by, digest, size, private, row) in enumerate(json.loads(packed))
        ]
    except (ValueError, TypeError, IndexError, RecursionError) as error:
        raise StoredPageError from error


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError("not a flag")
    return value
