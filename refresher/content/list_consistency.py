"""Whether a list that was read page by page is whole.

GitHub's pages are windows on a list that may move while it is read:

    we read page 1: A B | a new item N comes first | we read page 2: B C   -> B twice, N missed
    we read page 1: A B | A is deleted             | we read page 2: D     -> C missed

The first shows by itself, as an item seen twice. The second does not: it shows only in that an
item is gone that we knew of before. So a list is read again when it holds doubles, and once more
for confirmation when an item vanished or a page came short; two readings alike are believed.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

MAX_READINGS = 5


@dataclass(frozen=True)
class Reading:
    """The items' ids as one reading of all pages gave them.

    Args:
        pages: ids of the items of each page, in order.
    """

    pages: Sequence[Sequence[Hashable]]

    @property
    def ids(self) -> list[Hashable]:
        """All ids, page after page."""
        return [one for page in self.pages for one in page]


def is_settled(reading: Reading, *, before: Sequence[Hashable], full_page: int) -> bool:
    """Whether a reading is believed to be the whole list.

    Args:
        reading: the latest.
        before: the ids of the reading before this one, or else those of the stored entry.
        full_page: items that every page but the last is to hold.
    """
    ids = reading.ids
    known = set(ids)
    if len(known) < len(ids):
        return False
    if len(reading.pages) == 1 or ids == list(before):
        return True
    comes_short = any(len(page) < full_page for page in reading.pages[:-1])
    return not comes_short and known.issuperset(before)
