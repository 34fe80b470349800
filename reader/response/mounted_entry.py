"""An entry as it is served under the mount: with other addresses and an entity tag of its own.

Pages, views and encodings are made of it as of any entry, so nothing else knows of the mount.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

from reader.response.representation import Representation
from reader.response.rewriting import STEP, VERSION, Rewriting
from shared import etag
from shared.encodings import gzipped
from shared.entry import Entry, Metadata
from shared.json_array import Body
from shared.resources.media_types import is_json

LARGE = 1_000_000  # bytes of a body that is not rewritten in one go
_PIECE = 16 * 1024  # bytes of a body that are rewritten at once for a client that may be slow
_COPIED = 32 * 1024  # bytes of a body of which each client may have a copy of its own


def is_rewritten(metadata: Metadata) -> bool:
    """Whether the bodies of an entry may contain addresses that are replaced: only in JSON."""
    return is_json(metadata.content_type)


def relabelled(entry: Entry, address: str) -> Entry:
    """An entry with the tag that it has under an address; its body is still the origin's.

    Only what is not JSON keeps its compressed bodies: those of JSON have the origin's addresses.
    """
    encoded = {} if is_rewritten(entry.metadata) else entry.encoded
    return replace(entry, metadata=mounted_metadata(entry.metadata, address), encoded=encoded)


def mounted_metadata(metadata: Metadata, address: str) -> Metadata:
    """The metadata of an entry under an address; `size` stays that of the origin's body.

    The tag depends on the address, so that bodies with different addresses never validate each
    other.
    """
    tag = etag.of_mounted(metadata.etag, address=address, rule=VERSION)
    return replace(metadata, etag=tag)


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
) -> Entry:
    """The whole entry under an address, compressed with gzip if the original is compressed.

    Args:
        entry: as it is stored.
        address: that replaces the origin's.
        rewriting: of the origin's addresses.
        pause: called after each short step.
        compress: `gzipped`, or the same at low priority.
    """
    named = relabelled(entry, address)
    if not is_rewritten(entry.metadata):
        return named
    body, ends = _rewritten(entry, address, rewriting, pause)
    if body == entry.body:
        return replace(named, body=entry.body, encoded=entry.encoded)
    return replace(named, body=body, ends=ends, encoded=compress(body) if entry.encoded else {})


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
    entry: Entry, address: str, rewriting: Rewriting, pause: Callable[[], None]
) -> tuple[bytes, Sequence[int] | None]:
    """The body, and where its items end."""
    out, ends, at, paused_at = BytesIO(), array("Q"), 0, 0
    for end in (*(entry.ends or ()), len(entry.body)):
        for piece in rewriting.pieces(entry.body[at:end], address):
            out.write(piece)
            if out.tell() - paused_at >= STEP:
                pause()
                paused_at = out.tell()
        ends.append(out.tell())
        at = end
    return out.getvalue(), ends[:-1] if entry.ends is not None else None
