"""Puts a list together from its segments: those that are held, and those that were read. Pure.

A process that holds an entry of the list takes unchanged segments from its bodies, and needs only
the others.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO

from shared.entry import LIST, LIST_SEPARATOR, VIEW_SEPARATOR, Entry, Metadata
from shared.errors import UnreadableError
from shared.json_array import JsonArray
from shared.segments import (
    Packed,
    Segment,
    gzip_parts,
    gzip_places,
    plain_places,
)

Manifests = Mapping[str, Sequence[Segment]]


@dataclass(frozen=True)
class Piece:
    """A segment's bytes; parts of what is held are not copied.

    Args:
        plain: its body.
        ends: where its items end in that.
        blocks: its deflate blocks; empty for a segment of a view, which is not sent compressed.
    """

    plain: bytes | memoryview = field(repr=False)
    ends: Sequence[int] = field(repr=False)
    blocks: bytes | memoryview = field(repr=False)


def no_pause() -> None:
    """Does nothing."""


def pieces_of(entry: Entry | None, pause: Callable[[], None] = no_pause) -> dict[bytes, Piece]:
    """The pieces of a list that is held, by the names of their segments; none for other entries.

    Args:
        entry: that is held.
        pause: called after each piece, so that other threads go on.
    """
    pieces: dict[bytes, Piece] = {}
    if entry is None or entry.array is None:
        return pieces
    for name, segments in entry.manifests.items():
        held = entry.array if name == LIST else entry.views.get(name)
        if held is None:
            continue
        member = memoryview(entry.encoded.get("gzip", b"") if name == LIST else b"")
        body, item = memoryview(held.body), 0
        places = zip(
            segments,
            plain_places(segments, held.separator),
            gzip_places(segments, held.separator),
            strict=True,
        )
        for segment, (begin, end), (first, last) in places:
            ends = array("I", (one - begin for one in held.ends[item : item + segment.items]))
            pieces[segment.name] = Piece(body[begin:end], ends, member[first:last])
            item += segment.items
            pause()
    return pieces


def read_piece(value: bytes, segment: Segment) -> Piece:
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
    return Piece(plain, packed.ends, packed.blocks)


def assembled(
    metadata: Metadata,
    manifests: Manifests,
    pieces: Mapping[bytes, Piece],
    pause: Callable[[], None] = no_pause,
) -> Entry:
    """The entry that these manifests describe.

    It is written piece by piece: one `bytes.join` of 40 MB would hold the interpreter's lock for as
    long as it copies.

    Args:
        metadata: of the entry.
        manifests: of the list and its views.
        pieces: of all their segments, by name.
        pause: called after each piece, so that other threads go on.

    Raises:
        UnreadableError: the list has another number of items than the metadata say.
    """
    arrays = {
        name: _joined(segments, pieces, LIST_SEPARATOR if name == LIST else VIEW_SEPARATOR, pause)
        for name, segments in manifests.items()
    }
    whole = arrays.pop(LIST)
    if len(whole) != metadata.items or len(whole.body) != metadata.size:
        raise UnreadableError
    member = BytesIO()
    blocks = (pieces[one.name].blocks for one in manifests[LIST])
    for part in gzip_parts(manifests[LIST], blocks, LIST_SEPARATOR):
        member.write(part)
    pause()
    return Entry(
        metadata,
        whole.body,
        encoded={"gzip": member.getvalue()},
        ends=whole.ends,
        views=arrays,
        manifests=manifests,
    )


def _joined(
    segments: Sequence[Segment],
    pieces: Mapping[bytes, Piece],
    separator: bytes,
    pause: Callable[[], None],
) -> JsonArray:
    body, ends, before = BytesIO(), array("Q"), b"["
    for segment in segments:
        piece = pieces[segment.name]
        body.write(before)
        begin = body.tell()
        body.write(piece.plain)
        ends.extend(array("Q", (begin + end for end in piece.ends)))
        before = separator
        pause()
    body.write(b"]" if segments else b"[]")
    return JsonArray(body.getvalue(), ends, separator)
