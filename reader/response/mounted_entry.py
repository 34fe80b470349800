"""An entry as it is served under the mount: with other addresses and entity tags of its own.

Pages, views and encodings are made of it as of any entry, so nothing else knows of the mount.
"""

import hashlib
from array import array as numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

from reader.response.representation import Representation
from reader.response.rewriting import STEP, VERSION, Rewriting
from shared import etag, long_work
from shared.buffers import Body
from shared.encodings import gzipped
from shared.entry import LIST, Entry, Metadata
from shared.gzip_joining import Checked, deflated, stored
from shared.json_array import JsonArray
from shared.resources.media_types import is_json
from shared.segmented_array import Piece, SegmentedArray
from shared.segmented_entry import NO_PIECES, PieceStore

LARGE = 1_000_000  # bytes of a body that is not rewritten in one go
_PIECE = 16 * 1024  # bytes of a body that are rewritten at once for a client that may be slow
_COPIED = 32 * 1024  # bytes of a body of which each client may have a copy of its own


def is_rewritten(metadata: Metadata) -> bool:
    """Whether the bodies of an entry may contain addresses that are replaced: only in JSON."""
    return is_json(metadata.content_type)


def relabelled(entry: Entry, address: str) -> Entry:
    """An entry whose representations have the tags of an address; its body is still the origin's.

    Only what is not JSON keeps its compressed bodies: those of JSON have the origin's addresses.
    """
    encoded = {} if is_rewritten(entry.metadata) else entry.encoded
    return replace(entry, address=address, encoded=encoded)


def with_tag_of(representation: Representation, address: str) -> Representation:
    """A representation with the tag that it has under an address; empty for the origin's.

    The tag depends on the address, so that bodies with different addresses never validate each
    other.
    """
    if not address:
        return representation
    tag = etag.of_mounted(representation.tag, address=address, rule=VERSION)
    return replace(representation, tag=tag)


def with_address(
    representation: Representation,
    address: str,
    rewriting: Rewriting,
    *,
    pause: Callable[[], None],
) -> Representation:
    """A representation of a relabelled entry, with the addresses in its body replaced.

    Except for a small one it is rewritten while it is sent: a client that takes nothing costs no
    memory, whatever it calls us.

    Args:
        representation: of an entry of which `is_rewritten` is true.
        address: that replaces the origin's.
        rewriting: of the origin's addresses.
        pause: called after each short step of what is not small.
    """
    body = representation.body
    if len(body) > _COPIED:
        return replace(representation, body=b"", stream=_Paced(rewriting, body, address, pause))
    return replace(representation, body=rewriting.rewritten(bytes(body), address))


def mounted(
    entry: Entry,
    address: str,
    rewriting: Rewriting,
    *,
    pause: Callable[[], None],
    compress: Callable[[bytes], Mapping[str, bytes]] = gzipped,
    pieces: PieceStore = NO_PIECES,
) -> Entry:
    """The whole entry under an address, compressed with gzip if the original is compressed.

    Args:
        entry: as it is stored.
        address: that replaces the origin's.
        rewriting: of the origin's addresses.
        pause: called after each short step.
        compress: `gzipped`, or the same at low priority.
        pieces: where those of a list in pieces are found that were made before, and kept.
    """
    named = relabelled(entry, address)
    if not is_rewritten(entry.metadata):
        return named
    if isinstance(entry.array, SegmentedArray):
        return _mounted_in_pieces(named, address, rewriting, pause=pause, pieces=pieces)
    ends = entry.array.ends if isinstance(entry.array, JsonArray) else ()
    body, ends = _rewritten(bytes(entry.body), ends, address, rewriting, pause)
    if body == entry.body:
        return replace(named, encoded=entry.encoded)
    encoded = compress(body) if entry.encoded else {}
    array = None if entry.array is None else JsonArray(body, ends)
    return replace(named, body=body, array=array, encoded=encoded)


def _mounted_in_pieces(
    named: Entry,
    address: str,
    rewriting: Rewriting,
    *,
    pause: Callable[[], None],
    pieces: PieceStore,
) -> Entry:
    """The same for a list that is held in pieces."""
    array = named.array
    assert isinstance(array, SegmentedArray)
    made = [
        _mounted_piece(segment.name, piece, address, rewriting, pieces=pieces, pause=pause)
        for segment, piece in zip(named.manifests[LIST], array.pieces, strict=True)
    ]
    whole = SegmentedArray(made, array.separator)
    return replace(named, body=whole.body, array=whole, encoded={"gzip": whole.gzip})


def _mounted_piece(
    name: bytes,
    piece: Piece,
    address: str,
    rewriting: Rewriting,
    *,
    pieces: PieceStore,
    pause: Callable[[], None],
) -> Piece:
    """A piece under an address, which is made only if it was not made before."""
    name = hashlib.sha256(b"%b%d\n%b" % (name, VERSION, address.encode())).digest()[: len(name)]
    found = pieces.find(name)
    if found is not None:
        return found
    separator = bytes(piece.body[piece.ends[-1] :])
    plain = bytes(piece.body[: piece.ends[-1]])
    body, ends = _rewritten(plain, piece.ends[:-1], address, rewriting, pause)
    if body == plain:
        return piece
    blocks = long_work.run(deflated, body) + stored(separator)
    made = Piece(
        body + separator, blocks, numbers("I", (*ends, len(body))), piece.digests, Checked.of(body)
    )
    return pieces.keep(name, made)


@dataclass(frozen=True)
class _Paced:
    """The pieces of a body under another address, with pauses; iterable more than once."""

    rewriting: Rewriting
    body: Body
    address: str
    pause: Callable[[], None]

    def __iter__(self) -> Iterator[bytes]:
        made = 0
        for piece in self.rewriting.pieces(self.body, self.address, step=_PIECE):
            yield piece
            made += len(piece)
            if made >= STEP:
                self.pause()
                made = 0


def _rewritten(
    body: bytes,
    ends: Sequence[int],
    address: str,
    rewriting: Rewriting,
    pause: Callable[[], None],
) -> tuple[bytes, Sequence[int]]:
    """A body under an address, and where its items end."""
    out, new_ends, at, paused_at = BytesIO(), numbers("Q"), 0, 0
    for end in (*ends, len(body)):
        for piece in rewriting.pieces(body[at:end], address):
            out.write(piece)
            if out.tell() - paused_at >= STEP:
                pause()
                paused_at = out.tell()
        new_ends.append(out.tell())
        at = end
    return out.getvalue(), new_ends[:-1]
