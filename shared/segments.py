"""A list as segments: runs of its items, each with a body of its own, named by what it holds. Pure.

A border follows each item whose id has a digest that says so. So an item that is added, changed or
removed anywhere changes the segment that it lies in, and the one behind it if it was its last item;
GitHub's page borders would shift with every item that is added at the front.

The body of a segment is its items with separators between them. Between segments there is a
separator as well: the list is `[`, the segments with separators between them, `]`. Ranked views are
lists of the same form.
"""

import hashlib
import struct
import zlib
from array import array
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from shared.gzip_joining import Checked, deflated, inflated

_MOST_ITEMS = 512
_NAME = DIGEST_SIZE = 16  # bytes
_ROW = struct.Struct(f"<{_NAME}sIIII")
_CHECKSUM = struct.Struct("<I")


def text_digest(text: bytes | memoryview) -> bytes:
    """The digest of an item's public text."""
    return hashlib.sha256(text).digest()[:DIGEST_SIZE]


def digest_of(text: bytes) -> str:
    """The same in hexadecimal digits."""
    return text_digest(text).hex()


@dataclass(frozen=True)
class Segment:
    """A row of a manifest.

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


def pack_manifest(segments: Iterable[Segment]) -> bytes:
    """A manifest as it is stored: a CRC-32 of its rows, and the rows."""
    return with_checksum(
        b"".join(
            _ROW.pack(one.name, one.items, one.checked.crc, one.checked.size, one.packed_size)
            for one in segments
        )
    )


def unpack_manifest(packed: bytes) -> tuple[Segment, ...]:
    """The inverse of `pack_manifest`.

    Raises:
        ValueError: it is damaged.
    """
    rows = checked_part(packed)
    if len(rows) % _ROW.size:
        raise ValueError("a manifest is damaged")
    return tuple(
        Segment(name, items, Checked(crc, size), packed_size)
        for name, items, crc, size, packed_size in _ROW.iter_unpack(rows)
    )


def with_checksum(value: bytes) -> bytes:
    """A value behind its CRC-32, as it is stored."""
    return _CHECKSUM.pack(zlib.crc32(value)) + value


def checked_part(stored: bytes) -> bytes:
    """The inverse of `with_checksum`.

    Raises:
        ValueError: the value is damaged.
    """
    value = stored[_CHECKSUM.size :]
    if stored[: _CHECKSUM.size] != _CHECKSUM.pack(zlib.crc32(value)):
        raise ValueError("a stored value is damaged")
    return value


def borders(ids: Iterable[Hashable], *, usual: int) -> bytes:
    """A byte for each item: 1 if a segment ends with it whatever comes before, 0 if not.

    Args:
        ids: of all items: GitHub's, or other texts or numbers that stay when an item changes.
        usual: number of items of a segment; it may have many more, or fewer.
    """
    return bytes(_is_last(identity, usual) for identity in ids)


def runs_between(ends: bytes) -> list[slice]:
    """The items of each segment, in order; none for no items.

    Args:
        ends: the `borders` of all items.
    """
    runs: list[slice] = []
    begin, last = 0, len(ends)
    while begin < last:
        end = 1 + ends.find(b"\1", begin, begin + _MOST_ITEMS)
        runs.append(slice(begin, end or min(begin + _MOST_ITEMS, last)))
        begin = runs[-1].stop
    return runs


def name_of(digests: Iterable[str]) -> bytes:
    """The name of the segment whose items have these digests."""
    return hashlib.sha256("".join(digests).encode()).digest()[:_NAME]


def name_of_digests(digests: bytes) -> bytes:
    """The same of digests of `DIGEST_SIZE` bytes each, one after the other."""
    return name_of([digests.hex()])


def _is_last(identity: Hashable, usual: int) -> bool:
    text = str(identity).encode(errors="surrogatepass")  # JSON may name half a character
    digest = hashlib.blake2b(text, digest_size=4).digest()
    return int.from_bytes(digest) % usual == 0


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
    def of(
        cls,
        texts: Sequence[bytes],
        *,
        separator: bytes,
        deflate: Callable[[bytes], bytes] = deflated,
    ) -> tuple["Packed", Checked]:
        """The body of items, and what is checked of it.

        Args:
            texts: of the items.
            separator: between two of them.
            deflate: `deflated`, or the same at another priority.
        """
        plain = separator.join(texts)
        ends = array("I")
        end = -len(separator)
        for text in texts:
            end += len(separator) + len(text)
            ends.append(end)
        return cls(ends, deflate(plain)), Checked.of(plain)

    def plain(self, checked: Checked) -> bytes:
        """The body, uncompressed.

        Args:
            checked: what the manifest says of it.

        Raises:
            ValueError: it is damaged.
        """
        try:
            body = inflated(self.blocks)
        except zlib.error as error:
            raise ValueError("a segment is damaged") from error
        if Checked.of(body) != checked:
            raise ValueError("a segment is damaged")
        return body

    def to_bytes(self) -> bytes:
        """As it is stored: a CRC-32 of the rest, the number of items, their ends, the blocks.

        The CRC-32 of the body would not notice each damage to the blocks that breaks the joined
        member, such as a block that says it is the last one.
        """
        head = struct.pack(f"<{1 + len(self.ends)}I", len(self.ends), *self.ends)
        return with_checksum(head + self.blocks)

    @classmethod
    def from_bytes(cls, value: bytes) -> "Packed":
        """The inverse of `to_bytes`.

        Raises:
            ValueError: it is damaged.
            struct.error: it is too short.
        """
        value = checked_part(value)
        (items,) = struct.unpack_from("<I", value)
        ends = struct.unpack_from(f"<{items}I", value, 4)
        return cls(array("I", ends), value[4 + 4 * items :])


def size_of(segments: Sequence[Segment], separator: bytes) -> int:
    """Bytes of the whole list, uncompressed."""
    between = len(separator) * max(0, len(segments) - 1)
    return len(b"[]") + sum(one.checked.size for one in segments) + between
