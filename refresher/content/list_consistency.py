"""Decides whether a list that was read page by page is complete and consistent.

GitHub's pages are windows on a list that may move while it is read:

    we read page 1: A B | a new item N comes first | we read page 2: B C   -> B twice, N missed
    we read page 1: A B | A is deleted             | we read page 2: D     -> C missed

The first case is visible: an item is seen twice. The second case is not visible, except that an
item is missing that we knew before. So a list is read again if it contains duplicates, and once
more for confirmation if an item vanished or a page was short. Two equal readings are believed.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

MAX_READINGS = 5


@dataclass(frozen=True)
class Reading:
    """The items' ids in one reading of all pages.

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
        before: the ids of the previous reading; for the first, those of the stored entry.
        full_page: number of items on every page except the last.
    """
    ids = reading.ids
    known = set(ids)
    if len(known) < len(ids):
        return False
    if len(reading.pages) == 1 or ids == list(before):
        return True
    comes_short = any(len(page) < full_page for page in reading.pages[:-1])
    return not comes_short and known.issuperset(before)
