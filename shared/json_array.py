"""A JSON array as bytes that can be sliced at its items without parsing it."""

import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO

_WORTH_SHARING = 8 * 1024  # bytes; up to that, a copy is cheaper
_PIECE = 16 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of an array's body with brackets around it: an array of some items, without a copy.

    A client that takes nothing, or a thousand of them, cost no bytes but the body's own.

    Args:
        body: of the whole array; it stays in memory.
        start: offset of the first item's first byte.
        stop: offset just behind the last item's last byte.
    """

    body: bytes
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start + len(b"[]")

    def __bytes__(self) -> bytes:
        return b"".join(self.buffers)

    def __iter__(self) -> Iterator[bytes]:
        """In small pieces, each of them a copy."""
        yield b"["
        for start in range(self.start, self.stop, _PIECE):
            yield self.body[start : min(start + _PIECE, self.stop)]
        yield b"]"

    @property
    def buffers(self) -> tuple[bytes, memoryview, bytes]:
        """All of it, for a transport that does not copy what it cannot send yet."""
        return b"[", memoryview(self.body)[self.start : self.stop], b"]"


Body = bytes | Cut


@dataclass(frozen=True)
class JsonArray:
    """A serialised JSON array with the offset of each item's end.

    Not a list: items are never parsed; a slice is two look-ups.

    Args:
        body: the whole array, `[` to `]`.
        ends: for each item, the offset in bytes just behind its last byte.
        separator: the bytes between two items.
    """

    body: bytes
    ends: Sequence[int] = field(repr=False)
    separator: bytes = b","

    @classmethod
    def join(cls, items: Iterable[bytes], separator: bytes = b",") -> "JsonArray":
        """The array of serialised items.

        It is written item by item: `bytes.join` would hold the interpreter's lock for as long as
        it copies, and all other threads would wait.
        """
        body, ends, before = BytesIO(), array("Q"), b"["
        for item in items:
            body.write(before)
            body.write(item)
            ends.append(body.tell())
            before = separator
        body.write(b"]" if ends else b"[]")
        return cls(body.getvalue(), ends, separator)

    def __len__(self) -> int:
        return len(self.ends)

    def slice(self, start: int, stop: int) -> Body:
        """The array of items `start` (counted from 0) up to, not including, `stop`.

        Both are limited to the array's range: beyond its end, the result is an empty array.
        """
        start, stop = max(start, 0), min(stop, len(self))
        if start >= stop:
            return b"[]"
        if start == 0 and stop == len(self):
            return self.body
        first = 1 if start == 0 else self.ends[start - 1] + len(self.separator)
        cut = Cut(self.body, first, self.ends[stop - 1])
        return cut if len(cut) > _WORTH_SHARING else bytes(cut)

    def first(self, count: int) -> Body:
        """The array of the first `count` items; of all, if there are fewer."""
        return self.slice(0, count)

    def last(self, count: int) -> Body:
        """The array of the last `count` items; of all, if there are fewer."""
        return self.slice(len(self) - count, len(self))


def pack_ends(ends: Sequence[int]) -> bytes:
    """Item ends as little-endian 64-bit numbers, as they are stored."""
    return struct.pack(f"<{len(ends)}Q", *ends)


def unpack_ends(packed: bytes) -> Sequence[int]:
    """The inverse of `pack_ends`.

    Raises:
        struct.error: the length is not a multiple of eight.
    """
    return array("Q", struct.unpack(f"<{len(packed) // 8}Q", packed))
