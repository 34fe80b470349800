"""Puts a list together from its segments: those that are held, and those that were read. Pure."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from shared.entry import LIST, LIST_SEPARATOR, VIEW_SEPARATOR, Entry, Metadata
from shared.errors import UnreadableError
from shared.segmented_array import Piece, SegmentedArray
from shared.segments import Packed, Segment

Manifests = Mapping[str, Sequence[Segment]]


class PieceStore(Protocol):
    """Where a process finds the pieces that it, or another process of its node, holds."""

    def find(self, name: bytes) -> Piece | None:
        """The piece of the segment with this name; None if it is not held."""

    def keep(self, name: bytes, piece: Piece) -> Piece:
        """Hold a piece as long as it is used; returns what to use instead of it."""

    def turn(self) -> AbstractContextManager[None]:
        """A block in which pieces are made that are not held, for other processes as well."""


class NoPieces:
    """A store that holds nothing."""

    def find(self, _name: bytes) -> Piece | None:
        """None."""
        return None

    def keep(self, _name: bytes, piece: Piece) -> Piece:
        """The piece."""
        return piece

    def turn(self) -> AbstractContextManager[None]:
        """A block that nobody waits for."""
        return nullcontext()


NO_PIECES = NoPieces()


def separator_of(name: str) -> bytes:
    """What is between two items of an array of an entry.

    Args:
        name: of a view; `LIST` for the list.
    """
    return LIST_SEPARATOR if name == LIST else VIEW_SEPARATOR


def segments_of(manifests: Manifests) -> dict[bytes, tuple[Segment, bytes]]:
    """All segments by name, each with the separator between its items."""
    return {
        one.name: (one, separator_of(name))
        for name, segments in manifests.items()
        for one in segments
    }


def is_of(piece: Piece, segment: Segment) -> bool:
    """Whether a piece has the content that a manifest says."""
    return piece.checked == segment.checked and len(piece.ends) == segment.items


def read_piece(value: bytes, segment: Segment, separator: bytes) -> Piece:
    """The piece in the stored body of a segment.

    Raises:
        UnreadableError: it is damaged.
    """
    try:
        packed = Packed.from_bytes(value)
        plain = packed.plain(segment.checked)
    except Exception as error:
        raise UnreadableError from error
    if len(packed.ends) != segment.items or len(packed.blocks) != segment.packed_size:
        raise UnreadableError
    # Views are not sent compressed.
    blocks = packed.blocks if separator == LIST_SEPARATOR else b""
    return Piece.of(plain, blocks, packed.ends, segment.checked, separator)


def assembled(metadata: Metadata, manifests: Manifests, pieces: Mapping[bytes, Piece]) -> Entry:
    """The entry that these manifests describe.

    Args:
        metadata: of the entry.
        manifests: of the list and its views.
        pieces: of all their segments, by name.

    Raises:
        UnreadableError: the list has another number of items, or of bytes, than the metadata say.
    """
    arrays = {
        name: SegmentedArray([pieces[one.name] for one in segments], separator_of(name))
        for name, segments in manifests.items()
    }
    whole = arrays.pop(LIST)
    if len(whole) != metadata.items or len(whole.body) != metadata.size:
        raise UnreadableError
    return Entry(
        metadata,
        whole.body,
        encoded={"gzip": whole.gzip},
        array=whole,
        views=arrays,
        manifests=manifests,
    )
