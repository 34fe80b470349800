"""A list as segments: runs of its items, each with a body of its own, named by what it holds. Pure.

A border follows each item whose id has a digest that says so. So an item that is added, changed or
removed anywhere changes the segment that it lies in, and the one behind it if it was its last item;
GitHub's page borders would shift with every item that is added at the front.

The body of a segment is its items joined by commas. Between segments there is a comma as well, so
the list is `[`, the segments with commas between them, `]`.
"""

import hashlib
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.gzip_joining import (
    HEADER,
    Checked,
    checked_of,
    deflated,
    inflated,
    stored,
    trailer,
)

_USUAL_ITEMS = 32  # of a segment; it may have many more, or fewer
_MOST_ITEMS = 512
_NAME = 16  # bytes
_BEGIN, _BETWEEN, _END = b"[", b",", b"]"


class Digest(NamedTuple):
    """An item, for finding the segment that it belongs to.

    Args:
        id: GitHub's id of it, or another text or number that stays when it changes.
        of_text: digest of its public text; `digest_of` makes it.
    """

    id: object
    of_text: bytes


def digest_of(text: bytes) -> bytes:
    """The digest of an item's public text."""
    return hashlib.sha256(text).digest()[:_NAME]


@dataclass(frozen=True)
class Segment:
    """What a manifest says of a segment.

    Args:
        name: digest of its items.
        items: number of its items.
        checked: CRC-32 and size of its body, uncompressed.
        packed_size: bytes of its deflate blocks.
    """

    name: bytes
    items: int
    checked: Checked
    packed_size: int


def cut(items: Sequence[Digest]) -> list[Sequence[Digest]]:
    """The runs of items that make up the segments, in order; none for no items."""
    runs: list[Sequence[Digest]] = []
    begin = 0
    for end, item in enumerate(items, 1):
        if _is_last(item.id) or end - begin == _MOST_ITEMS or end == len(items):
            runs.append(items[begin:end])
            begin = end
    return runs


def name_of(run: Iterable[Digest]) -> bytes:
    """The name of the segment that has these items."""
    return hashlib.sha256(b"".join(item.of_text for item in run)).digest()[:_NAME]


def etag_of(items: Iterable[Digest]) -> bytes:
    """A digest of all items, whatever the borders are."""
    return hashlib.sha256(b"".join(item.of_text for item in items)).digest()


def _is_last(identity: object) -> bool:
    digest = hashlib.blake2b(repr(identity).encode(), digest_size=4).digest()
    return int.from_bytes(digest) % _USUAL_ITEMS == 0


@dataclass(frozen=True)
class Packed:
    """The body of a segment, as it is stored.

    Args:
        ends: where each item ends in the uncompressed body.
        blocks: raw deflate blocks of the body.
    """

    ends: Sequence[int]
    blocks: bytes

    @classmethod
    def of(cls, items: Iterable[bytes]) -> tuple["Packed", Checked]:
        """The body of these items, and what is checked of it."""
        plain = _BETWEEN.join(texts := list(items))
        ends = array("I")
        end = -len(_BETWEEN)
        for text in texts:
            end += len(_BETWEEN) + len(text)
            ends.append(end)
        return cls(ends, deflated(plain)), Checked.of(plain)

    def plain(self) -> bytes:
        """The body, uncompressed.

        Raises:
            zlib.error: it is damaged.
        """
        return inflated(self.blocks)

    def to_bytes(self) -> bytes:
        """As it is stored: the number of items, their ends, the blocks."""
        return struct.pack(f"<{1 + len(self.ends)}I", len(self.ends), *self.ends) + self.blocks

    @classmethod
    def from_bytes(cls, value: bytes) -> "Packed":
        """The inverse of `to_bytes`.

        Raises:
            struct.error: the value is too short.
        """
        (items,) = struct.unpack_from("<I", value)
        ends = struct.unpack_from(f"<{items}I", value, 4)
        return cls(array("I", ends), value[4 + 4 * items :])


def plain_parts(bodies: Iterable[bytes]) -> Iterator[bytes]:
    """The whole list, uncompressed, in parts.

    Args:
        bodies: of all segments in order.
    """
    before = _BEGIN
    for body in bodies:
        yield before
        yield body
        before = _BETWEEN
    yield _END if before is _BETWEEN else _BEGIN + _END


def gzip_parts(segments: Sequence[Segment], blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The whole list as one gzip member, in parts.

    Args:
        segments: all, in order.
        blocks: those of each.
    """
    yield HEADER
    before = _BEGIN
    for one in blocks:
        yield stored(before)
        yield one
        before = _BETWEEN
    yield stored(_END if before is _BETWEEN else _BEGIN + _END, is_last=True)
    yield trailer(_checked(segments))


def _checked(segments: Sequence[Segment]) -> Checked:
    parts = [Checked.of(_BEGIN)]
    for number, segment in enumerate(segments):
        parts += [Checked.of(_BETWEEN)] * bool(number) + [segment.checked]
    return checked_of([*parts, Checked.of(_END)])
