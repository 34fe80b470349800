"""An entry without what tells of withdrawn repositories. Pure.

A list keeps the form in which it is held: whole, or in pieces, of which only those that told of one
are made anew. Its entity tag is that of a list that never had these items, and `Last-Modified` is
the time of the event: no client is told that what it holds is still right.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shared import etag
from shared.encodings import gzipped
from shared.entry import LIST, LIST_SEPARATOR, Entry, Metadata
from shared.github_form import JSON, NOT_FOUND_BODY
from shared.gzip_joining import deflated
from shared.json_array import ItemArray, JsonArray
from shared.resources.media_types import is_json
from shared.segmented_array import Piece, SegmentedArray
from shared.segments import Packed, Segment, name_of_digests
from shared.withdrawn_content import Cut, Remover

_NAME = 16  # bytes of the name of a segment


def without(remover: Remover, entry: Entry) -> Entry:
    """An entry without what is withdrawn; the entry itself if it tells of nothing that is.

    Args:
        remover: of what is withdrawn.
        entry: as it is stored.
    """
    metadata = entry.metadata
    if not metadata.is_content or not is_json(metadata.content_type):
        return entry
    if entry.array is not None:
        return _list_without(remover, entry, entry.array)
    body = remover.body(bytes(entry.body))
    if body is None:
        return withdrawn_entry(entry, remover.at)
    if body == entry.body:
        return entry
    tag = etag.of_content(
        body, status=metadata.status, content_type=metadata.content_type, links=metadata.links
    )
    metadata = _changed(metadata, remover, etag=tag, size=len(body))
    return replace(entry, metadata=metadata, body=body, encoded=gzipped(body))


def withdrawn_entry(entry: Entry, at: float) -> Entry:
    """The 404 that is served instead of an entry.

    Args:
        entry: as it is stored.
        at: Unix time in seconds of the event.
    """
    metadata = replace(
        entry.metadata,
        status=404,
        etag=etag.of_content(NOT_FOUND_BODY, status=404, content_type=JSON, links=()),
        content_type=JSON,
        size=len(NOT_FOUND_BODY),
        items=None,
        links=(),
        location=None,
        changed_at=max(entry.metadata.changed_at, at),
        is_withdrawn=True,
    )
    return Entry(metadata, NOT_FOUND_BODY)


_KEPT = ("status", "etag", "content_type", "size", "items", "links", "location", "is_withdrawn")


def relabelled(shown: Entry, metadata: Metadata) -> Entry:
    """What is shown of an entry, after GitHub has confirmed the entry.

    Args:
        shown: of the entry, with something removed.
        metadata: of the same version of the entry, as it is stored now.
    """
    kept: dict[str, Any] = {name: getattr(shown.metadata, name) for name in _KEPT}
    changed_at = max(shown.metadata.changed_at, metadata.changed_at)
    return replace(shown, metadata=replace(metadata, **kept, changed_at=changed_at))


def _changed(metadata: Metadata, remover: Remover, **changes: Any) -> Metadata:
    return replace(metadata, changed_at=max(metadata.changed_at, remover.at), **changes)


def _list_without(remover: Remover, entry: Entry, array: ItemArray) -> Entry:
    left, names = _array(remover, array)
    if left is array:
        return entry
    of_views = Remover(remover.keys | names)
    views = {name: _array(of_views, view, is_view=True)[0] for name, view in entry.views.items()}
    body = left.body
    metadata = _changed(
        entry.metadata,
        remover,
        etag=etag.of_list(left.digests(0, len(left))),
        size=len(body),
        items=len(left),
    )
    if not isinstance(left, SegmentedArray):
        encoded = gzipped(bytes(body))
        return replace(
            entry, metadata=metadata, body=body, array=left, views=views, encoded=encoded
        )
    manifests = {name: _manifest(one) for name, one in {LIST: left, **views}.items()}
    return replace(
        entry,
        metadata=metadata,
        body=body,
        array=left,
        views=views,
        encoded={"gzip": left.gzip},
        manifests=manifests,
    )


def _array(
    remover: Remover, array: ItemArray, *, is_view: bool = False
) -> tuple[ItemArray, set[str]]:
    """An array without what is withdrawn, and the full names of the items that were removed."""
    if isinstance(array, SegmentedArray):
        return _segmented(remover, array, is_view=is_view)
    assert isinstance(array, JsonArray)
    if not remover.may_tell(array.body):
        return array, set()
    texts = [bytes(array.slice(at, at + 1))[1:-1] for at in range(len(array))]
    kept, names = remover.items(texts, is_view=is_view)
    return (array if kept == texts else JsonArray.join(kept, array.separator)), names


def _segmented(
    remover: Remover, array: SegmentedArray, *, is_view: bool
) -> tuple[SegmentedArray, set[str]]:
    pieces, names, is_changed = list[Piece](), set[str](), False
    for piece in array.pieces:
        cut = remover.known_cut(piece)
        if isinstance(cut, bool):
            cut = _cut(remover, piece, array.separator, is_view=is_view)
        remover.cuts[piece] = cut
        if cut is None:
            pieces.append(piece)
            continue
        is_changed = True
        names |= cut.names
        pieces += [] if cut.piece is None else [cut.piece]
    return (SegmentedArray(pieces, array.separator) if is_changed else array), names


def _cut(remover: Remover, piece: Piece, separator: bytes, *, is_view: bool) -> Cut | None:
    """What is left of a piece; None if all is."""
    if not remover.may_tell(piece.body):
        return None
    texts = [bytes(piece.part(at, at + 1, separator)) for at in range(len(piece.ends))]
    kept, names = remover.items(texts, is_view=is_view)
    if kept == texts:
        return None
    return Cut(_piece_of(kept, piece, separator) if kept else None, frozenset(names))


def _piece_of(texts: Sequence[bytes], before: Piece, separator: bytes) -> Piece:
    deflate = deflated if before.blocks else _nothing
    packed, checked = Packed.of(texts, separator=separator, deflate=deflate)
    return Piece.of(separator.join(texts), packed.blocks, packed.ends, checked, separator)


def _nothing(_: bytes) -> bytes:
    return b""


def _manifest(array: ItemArray) -> tuple[Segment, ...]:
    assert isinstance(array, SegmentedArray)
    is_list = array.separator == LIST_SEPARATOR
    return tuple(
        Segment(
            name_of_digests(bytes(one.digests)) if is_list else _name_of(one),
            len(one.ends),
            one.checked,
            len(one.blocks),
        )
        for one in array.pieces
    )


def _name_of(piece: Piece) -> bytes:
    return hashlib.sha256(piece.body).digest()[:_NAME]
