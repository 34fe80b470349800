"""A JSON array as bytes that can be sliced at its items without parsing it."""

import struct
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol

from shared.buffers import Body, Buffers
from shared.segments import text_digest

_WORTH_SHARING = 8 * 1024  # bytes; up to that, a copy is cheaper


class ItemArray(Protocol):
    """A serialised JSON array that can be sliced at its items, however it is held."""

    @property
    def body(self) -> Body:
        """The whole array, `[` to `]`."""

    def __len__(self) -> int: ...

    def slice(self, start: int, stop: int) -> Body:
        """The array of items `start` (counted from 0) up to, not including, `stop`.

        Both are limited to the array's range: beyond its end, the result is an empty array.
        """

    def digests(self, start: int, stop: int) -> bytes:
        """The digests of these items' texts, one behind the other."""


def first_of(array: ItemArray, count: int) -> Body:
    """The array of the first `count` items; of all, if there are fewer."""
    return array.slice(0, count)


def last_of(array: ItemArray, count: int) -> Body:
    """The array of the last `count` items; of all, if there are fewer."""
    return array.slice(len(array) - count, len(array))


def array_of(parts: Sequence[bytes | memoryview]) -> Body:
    """An array whose items, with the separators between them, are in these parts."""
    buffers = Buffers((b"[", *parts, b"]"))
    return buffers if len(buffers) > _WORTH_SHARING else bytes(buffers)


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
        """As `ItemArray` says."""
        start, stop = max(start, 0), min(stop, len(self))
        if start >= stop:
            return b"[]"
        if start == 0 and stop == len(self):
            return self.body
        return array_of([memoryview(self.body)[self._begin(start) : self.ends[stop - 1]]])

    def digests(self, start: int, stop: int) -> bytes:
        """As `ItemArray` says."""
        start, stop = max(start, 0), min(stop, len(self))
        return b"".join(
            text_digest(self.body[self._begin(item) : self.ends[item]])
            for item in range(start, stop)
        )

    def _begin(self, item: int) -> int:
        return 1 if item == 0 else self.ends[item - 1] + len(self.separator)


def pack_ends(ends: Sequence[int]) -> bytes:
    """Item ends as little-endian 64-bit numbers, as they are stored."""
    return struct.pack(f"<{len(ends)}Q", *ends)


def unpack_ends(packed: bytes) -> Sequence[int]:
    """The inverse of `pack_ends`.

    Raises:
        struct.error: the length is not a multiple of eight.
    """
    return array("Q", struct.unpack(f"<{len(packed) // 8}Q", packed))
