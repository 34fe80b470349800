"""A JSON array that is held in pieces, one for each of its segments; nothing is joined. Pure.

A piece never changes, and several versions of a list, or several processes, share it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

from shared.buffers import Body, Buffers
from shared.gzip_joining import HEADER, Checked, checked_of, stored, trailer
from shared.json_array import array_of
from shared.segments import DIGEST_SIZE, text_digest

_BEGIN, _END, _EMPTY = b"[", b"]", b"[]"


@dataclass(frozen=True, eq=False)
class Piece:
    """A segment in memory.

    Args:
        body: its items, with a separator behind each, the last one too.
        blocks: the same as deflate blocks; empty if the array is not sent compressed.
        ends: where each item ends in the body.
        digests: of the items' texts, one behind the other; empty if there are no blocks.
        checked: CRC-32 and size of the body without its last separator.
    """

    body: bytes | memoryview = field(repr=False)
    blocks: bytes | memoryview = field(repr=False)
    ends: Sequence[int] = field(repr=False)
    digests: bytes | memoryview = field(repr=False)
    checked: Checked

    @classmethod
    def of(
        cls, plain: bytes, blocks: bytes, ends: Sequence[int], checked: Checked, separator: bytes
    ) -> "Piece":
        """That of a segment's body and deflate blocks; without blocks it has no digests."""
        if not blocks:
            return cls(plain + separator, b"", ends, b"", checked)
        begins = [0, *(end + len(separator) for end in ends[:-1])]
        digests = b"".join(
            text_digest(plain[begin:end]) for begin, end in zip(begins, ends, strict=True)
        )
        return cls(plain + separator, blocks + stored(separator), ends, digests, checked)

    @property
    def held_bytes(self) -> int:
        """Bytes that it takes."""
        return len(self.body) + len(self.blocks) + 4 * len(self.ends) + len(self.digests)

    def part(self, start: int, stop: int, separator: bytes) -> memoryview:
        """Its items from `start` up to, not including, `stop`, with separators between them."""
        begin = self.ends[start - 1] + len(separator) if start else 0
        return memoryview(self.body)[begin : self.ends[stop - 1]]


class SegmentedArray:
    """An array in pieces; see `shared.json_array.ItemArray`.

    Args:
        pieces: in order; each has at least one item.
        separator: the bytes between two items.
    """

    def __init__(self, pieces: Sequence[Piece], separator: bytes) -> None:
        self.pieces = tuple(pieces)
        self.separator = separator
        # the number of items before each piece, and of all
        self._before = [0, *accumulate(len(piece.ends) for piece in self.pieces)]

    def __len__(self) -> int:
        return self._before[-1]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SegmentedArray):
            return NotImplemented
        return (self.body, self.gzip) == (other.body, other.gzip)

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def body(self) -> Body:
        """The whole array, `[` to `]`."""
        if not self.pieces:
            return _EMPTY
        *others, last = self.pieces
        end = last.part(0, len(last.ends), self.separator)
        return Buffers((_BEGIN, *(piece.body for piece in others), end, _END))

    @cached_property
    def gzip(self) -> Buffers:
        """The whole array as one gzip member."""
        if not self.pieces:
            return Buffers((HEADER, stored(_EMPTY, is_last=True), trailer(Checked.of(_EMPTY))))
        *others, last = self.pieces
        between = len(stored(self.separator))
        return Buffers(
            (
                HEADER + stored(_BEGIN),
                *(piece.blocks for piece in others),
                memoryview(last.blocks)[:-between],
                stored(_END, is_last=True) + trailer(self._checked()),
            )
        )

    @property
    def held_bytes(self) -> int:
        """Bytes that all pieces take."""
        return sum(piece.held_bytes for piece in self.pieces)

    def slice(self, start: int, stop: int) -> Body:
        """As `ItemArray` says."""
        start, stop = max(start, 0), min(stop, len(self))
        if start >= stop:
            return _EMPTY
        if start == 0 and stop == len(self):
            return self.body
        parts: list[bytes | memoryview] = []
        for piece, first, last in self._among(start, stop):
            parts += [self.separator] * bool(parts)
            parts.append(piece.part(first, last, self.separator))
        return array_of(parts)

    def digests(self, start: int, stop: int) -> bytes:
        """As `ItemArray` says."""
        start, stop = max(start, 0), min(stop, len(self))
        return b"".join(
            piece.digests[DIGEST_SIZE * first : DIGEST_SIZE * last]
            for piece, first, last in self._among(start, stop)
        )

    def _among(self, start: int, stop: int) -> list[tuple[Piece, int, int]]:
        """The pieces that hold these items, and which of their own items these are."""
        found = []
        at = bisect_right(self._before, start) - 1
        while start < stop:
            before, end = self._before[at], min(stop, self._before[at + 1])
            found.append((self.pieces[at], start - before, end - before))
            start, at = end, at + 1
        return found

    def _checked(self) -> Checked:
        separator = Checked.of(self.separator)
        *others, last = (piece.checked for piece in self.pieces)
        parts = [checked_of((one, separator)) for one in others]
        return checked_of((Checked.of(_BEGIN), *parts, last, Checked.of(_END)))
