"""The items of a whole list, page by page: what is written of them is found by columns. Pure."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain, zip_longest

from refresher.content.items import Item
from refresher.content.page_index import PageIndex
from refresher.content.ranking import Row
from refresher.errors import StoredPageError
from shared.resources.kinds import Kind
from shared.segments import DIGEST_SIZE, digest_of


@dataclass(frozen=True)
class PageItems:
    """The items of one page.

    Args:
        index: of the page.
        texts: returns the texts of all its items, private ones included; called when the first
            one is needed.
    """

    index: PageIndex
    texts: Callable[[], Sequence[bytes]] = field(repr=False, compare=False)

    @classmethod
    def of(cls, items: Sequence[Item], kind: Kind) -> "PageItems":
        """Items that are in memory."""
        texts = [item.text for item in items]
        return cls(PageIndex.of(items, kind), lambda: texts)

    @cached_property
    def shown(self) -> Sequence[int]:
        """The places of the public items."""
        places = range(len(self.index.ids))
        return [one for one in places if not self.index.hidden[one]] if self._hides else places

    @property
    def shown_digests(self) -> bytes:
        """The digests of the public items, one after the other."""
        digests = self.index.digests
        if not self._hides:
            return digests
        return b"".join(digests[at * DIGEST_SIZE :][:DIGEST_SIZE] for at in self.shown)

    @property
    def shown_ends(self) -> bytes:
        """`PageIndex.ends` of the public items."""
        ends = self.index.ends
        return bytes(ends[at] for at in self.shown) if self._hides else ends

    @cached_property
    def _texts(self) -> Sequence[bytes]:
        return self.texts()

    @property
    def _hides(self) -> bool:
        return any(self.index.hidden)

    def shown_texts(self, part: slice) -> list[bytes]:
        """The texts of some of the public items.

        Raises:
            StoredPageError: the stored page is damaged, gone, or another one than when its index
                was read.
        """
        texts, places, digests = self._texts, self.shown[part], self.index.digests
        found = [texts[at] for at in places if at < len(texts)]
        expected = [digests[at * DIGEST_SIZE :][:DIGEST_SIZE] for at in places]
        if [bytes.fromhex(digest_of(text)) for text in found] != expected:
            raise StoredPageError
        return found


class ListItems:
    """The items of a list.

    Args:
        pages: in GitHub's order.
    """

    def __init__(self, pages: Sequence[PageItems]) -> None:
        self.pages = pages

    def __len__(self) -> int:
        """The number of public items."""
        return self._starts[-1]

    @cached_property
    def _starts(self) -> list[int]:
        """How many public items come before each page, and at last the number of all."""
        return list(accumulate((len(page.shown) for page in self.pages), initial=0))

    @property
    def ids(self) -> list[Hashable]:
        """The ids of all items, private ones included."""
        return list(chain.from_iterable(page.index.ids for page in self.pages))

    @cached_property
    def digests(self) -> bytes:
        """The digests of the public items, `DIGEST_SIZE` bytes each."""
        return b"".join(page.shown_digests for page in self.pages)

    @property
    def ends(self) -> bytes:
        """A byte for each public item: 1 if a segment ends with it, 0 if not."""
        return b"".join(page.shown_ends for page in self.pages)

    def texts(self, part: slice) -> list[bytes]:
        """The texts of the public items from one place to another.

        Raises:
            StoredPageError: a stored page is damaged, gone, or another one than before.
        """
        found: list[bytes] = []
        begin, end, _ = part.indices(len(self))
        for number in range(bisect_right(self._starts, begin) - 1, len(self.pages)):
            start = self._starts[number]
            if start >= end:
                break
            wanted = slice(max(0, begin - start), end - start)
            found += self.pages[number].shown_texts(wanted)
        return found

    @property
    def rows(self) -> list[Row]:
        """What the views need to know of the public items.

        Raises:
            StoredPageError: the rows of a stored page are damaged or gone.
        """
        return [row for page in self.pages for row in page.index.rows]

    def views(self, at: int) -> bytes:
        """What one of the views is made of: the digests of all pages."""
        return b"".join(page.index.views[at] for page in self.pages)


def changed_rows(before: ListItems, now: ListItems) -> tuple[list[Row], list[Row]]:
    """The rows that a list has no longer, and those that are new; of pages that changed.

    Raises:
        StoredPageError: the rows of a stored page are damaged or gone.
    """
    gone, new = Counter[Row](), Counter[Row]()
    for old, page in zip_longest(before.pages, now.pages):
        if old is None or page is None or old.index.rows_digest != page.index.rows_digest:
            gone.update([] if old is None else old.index.rows)
            new.update([] if page is None else page.index.rows)
    return list((gone - new).elements()), list((new - gone).elements())
