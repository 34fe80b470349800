"""A representation of an entry: the bytes and metadata that a response sends."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.buffers import Body
from shared.entry import Entry, Metadata


@dataclass(frozen=True)
class Representation:
    """The selected representation of an entry (RFC 9110 section 3.2).

    Args:
        metadata: of the entry.
        body: uncompressed.
        tag: opaque part of the strong entity tag of `body`.
        encoded: the compressed body by content coding, as far as it is stored.
        links: the `Link` header as (relation, query) pairs, on the path of the request.
        stream: pieces of the body, made each time that they are iterated; `body` is empty then.
    """

    metadata: Metadata
    body: Body
    tag: str
    encoded: Mapping[str, Body] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()
    stream: Iterable[bytes] | None = None

    @property
    def status(self) -> int:
        """HTTP status."""
        return self.metadata.status

    @property
    def content_type(self) -> str:
        """Media type of the body."""
        return self.metadata.content_type


def whole(entry: Entry) -> Representation:
    """The whole entry, as it is stored."""
    metadata = entry.metadata
    return Representation(
        metadata, entry.body, metadata.etag, encoded=entry.encoded, links=tuple(metadata.links)
    )
