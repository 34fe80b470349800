"""What the cache needs of a page's items, without their texts: stored beside the page. Pure.

If one of 70 pages changed, the others are not parsed again: their items' ids, digests and ranks are
enough to find the segments that changed, and the text of an item is read only for those.
"""

import json
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from typing import Any, NamedTuple

from refresher.content.items import Item
from refresher.content.ranking import Row
from refresher.errors import StoredPageError
from shared.segments import checked_part, digest_of, with_checksum

Texts = Callable[[], Sequence[bytes]]


class IndexedItem(NamedTuple):
    """An item of a page that was not parsed; it has the members of `Item`.

    Args:
        id: GitHub's id, or a digest of the text if it has none.
        digest: of its text.
        size: bytes of its text.
        private: the item is, or contains, something that GitHub marks as non-public.
        row: what the views need to know of it; None if its kind has no views.
        place: of the item on its page, from 0.
        texts: returns the texts of all items of the page.
    """

    id: Hashable
    digest: str
    size: int
    private: bool
    row: Row | None
    place: int
    texts: Texts

    @property
    def text(self) -> bytes:
        """The item as GitHub wrote it, without its non-public parts.

        Raises:
            StoredPageError: the stored page is damaged, gone, or another one than when it was read.
        """
        texts = self.texts()
        if self.place >= len(texts) or digest_of(texts[self.place]) != self.digest:
            raise StoredPageError
        return texts[self.place]


ListItem = Item | IndexedItem


def packed_index(items: Sequence[ListItem]) -> bytes:
    """The index of a page that has these items, as it is stored."""
    rows = [[item.id, item.digest, item.size, item.private, item.row] for item in items]
    return with_checksum(json.dumps(rows, separators=(",", ":")).encode())


def indexed_items(packed: bytes, texts: Texts) -> list[ListItem]:
    """The items of a page.

    Args:
        packed: its index.
        texts: returns the texts of all its items; called when the first one is needed.

    Raises:
        StoredPageError: the index is damaged.
    """
    once = cache(texts)
    try:
        return [
            IndexedItem(known_by, digest, size, private, row and Row(*row), place, once)
            for place, (known_by, digest, size, private, row) in enumerate(
                json.loads(checked_part(packed))
            )
            if _is_well_formed(known_by, digest, size, private)
        ]
    except (ValueError, TypeError, RecursionError) as error:
        raise StoredPageError from error


def _is_well_formed(known_by: Any, digest: Any, size: Any, private: Any) -> bool:
    """Always True.

    Raises:
        TypeError: a value has another type.
    """
    if (
        (type(known_by) is int or type(known_by) is str)
        and type(digest) is str
        and type(size) is int
        and type(private) is bool
    ):
        return True
    raise TypeError("a value has another type")
