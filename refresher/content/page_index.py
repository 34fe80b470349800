"""What the cache needs of a page's items, without their texts: stored beside the page. Pure.

If one of 70 pages changed, the others are not parsed again: their items' ids and digests are enough
to find the segments that changed, and the text of an item is read only for those. They are kept as
columns, so that 7,000 items are joined, hashed and cut by few calls. What the views need lies in
a value of its own, the rows, which is read only for a page that changed.
"""

import hashlib
import json
import struct
from array import array
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from refresher.content.items import Item
from refresher.content.ranking import Row, digests_of
from refresher.errors import StoredPageError
from shared.resources.kinds import Kind
from shared.segments import DIGEST_SIZE, borders, checked_part, with_checksum

NO_ROWS = b"[]"
USUAL_ITEMS = 32  # of a segment of a list: about 170 kB of repositories
_FORM = 2  # grows with each change of the stored form; the first one was JSON
# What it was made for, number of items, bytes of their texts, digest of the rows, number of views,
# whether the ids are 64-bit integers. Then the columns: views' digests, marks, digests, ids.
_HEAD = struct.Struct(f"<8sIQ{DIGEST_SIZE}sB?")
_PRIVATE, _LAST = 1, 2  # bits of a mark
_IS_PRIVATE = bytes(one & _PRIVATE for one in range(256))
_IS_LAST = bytes((one & _LAST) // _LAST for one in range(256))


@dataclass(frozen=True)
class PageIndex:
    """The items of a page in columns.

    Args:
        ids: GitHub's id of each item, or a digest of its text if it has none.
        digests: of the items' texts, `DIGEST_SIZE` bytes each.
        marks: a byte for each item: whether it is private, and whether a segment ends with it.
        size: bytes of all texts.
        views: of each ranking, the digest of what it needs to know of the public items.
        rows_digest: of `load_rows()`.
        load_rows: returns the rows of the public items, as they are stored.
    """

    ids: Sequence[Hashable]
    digests: bytes
    marks: bytes
    size: int
    views: Sequence[bytes]
    rows_digest: bytes
    load_rows: Callable[[], bytes] = field(repr=False, compare=False)

    @classmethod
    def of(cls, items: Sequence[Item], kind: Kind) -> "PageIndex":
        """The index of a page of a list of this kind."""
        ids = [item.id for item in items]
        ends = borders(ids, usual=USUAL_ITEMS)
        marks = bytes(
            item.private * _PRIVATE + is_last * _LAST
            for item, is_last in zip(items, ends, strict=True)
        )
        rows = [item.row for item in items if item.row is not None and not item.private]
        stored = _packed_rows(rows)
        return cls(
            ids,
            bytes.fromhex("".join(item.digest for item in items)),
            marks,
            sum(item.size for item in items),
            digests_of(rows, kind),
            _digest(stored),
            lambda: stored,
        )

    @cached_property
    def hidden(self) -> bytes:
        """A byte for each item, not 0 if it is, or contains, what GitHub marks as non-public."""
        return self.marks.translate(_IS_PRIVATE)

    @cached_property
    def ends(self) -> bytes:
        """A byte for each item: 1 if a segment ends with it, 0 if not."""
        return self.marks.translate(_IS_LAST)

    @property
    def rows(self) -> list[Row]:
        """What the views need to know of each public item; none if its kind has no views.

        Raises:
            StoredPageError: the rows are damaged, gone, or others than when the index was read.
        """
        stored = NO_ROWS if self.rows_digest == _NO_ROWS_DIGEST else self.load_rows()
        if _digest(stored) != self.rows_digest:
            raise StoredPageError
        return [Row(name, tuple(values)) for name, values in json.loads(stored)]

    def packed(self, kind: Kind) -> bytes:
        """The index as it is stored, without the rows."""
        numbers = [one for one in self.ids if type(one) is int and abs(one) < 2**63]
        is_plain = len(numbers) == len(self.ids)
        ids = array("q", numbers).tobytes() if is_plain else json.dumps(self.ids).encode()
        head = _HEAD.pack(
            _made_for(kind),
            len(self.ids),
            self.size,
            self.rows_digest,
            len(self.views),
            is_plain,
        )
        return with_checksum(b"".join([head, *self.views, self.marks, self.digests, ids]))

    @classmethod
    def from_packed(
        cls, stored: bytes, kind: Kind, load_rows: Callable[[], bytes]
    ) -> "PageIndex | None":
        """The inverse of `packed`; None if it was made by another release, or for another kind.

        Raises:
            StoredPageError: it is damaged.
        """
        try:
            value = checked_part(stored)
            if not value.startswith(_made_for(kind)):
                return None
            _, items, size, rows_digest, views, is_plain = _HEAD.unpack_from(value)
        except (ValueError, struct.error) as error:
            raise StoredPageError from error
        at = _HEAD.size
        digests = [
            value[begin : begin + DIGEST_SIZE]
            for begin in range(at, at + views * DIGEST_SIZE, DIGEST_SIZE)
        ]
        at += views * DIGEST_SIZE
        marks, at = value[at : at + items], at + items
        texts, at = value[at : at + items * DIGEST_SIZE], at + items * DIGEST_SIZE
        ids = _integers(value[at:]) if is_plain else json.loads(value[at:])
        return cls(ids, texts, marks, size, digests, rows_digest, load_rows)


def _integers(column: bytes) -> list[int]:
    found = array("q")
    found.frombytes(column)
    return found.tolist()


def _packed_rows(rows: Sequence[Row]) -> bytes:
    return json.dumps(rows, separators=(",", ":")).encode() if rows else NO_ROWS


def _made_for(kind: Kind) -> bytes:
    """A digest of what an index depends on, besides the items."""
    rankings = [[ranking.name, ranking.version] for ranking in kind.rankings]
    return _digest(json.dumps([_FORM, USUAL_ITEMS, kind.name, rankings]).encode())[:8]


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()[:DIGEST_SIZE]


_NO_ROWS_DIGEST = _digest(NO_ROWS)
