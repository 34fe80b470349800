"""What is written of an entry: all of it, or of a list of several segments only what changed.

Where the segments of a view end is stored beside the pages, for refreshers only: in the field
`lasts:{view}`, the digest of what the view was made of, and JSON with the last row of each segment.
It counts only for the view of that digest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from redis import Redis

from refresher.content.content import Content
from refresher.content.segmented_list import NOTHING_STORED, Stored, lasts_in
from refresher.content.view_change import ViewRow
from refresher.storage import page_store
from refresher.storage.page_store import KnownPages
from shared.entry import LIST, Entry, content_fields, digest_field, manifests_from
from shared.errors import UnreadableError
from shared.redis import keys
from shared.resources.resource import Resource
from shared.segments import DIGEST_SIZE, checked_part, with_checksum

_LASTS = "lasts:"


@dataclass(frozen=True)
class Written:
    """The arguments of `write_scripts.WRITE` that differ from one content to the next.

    Args:
        stored: number of segments that are believed to be stored; -1 to replace everything.
        gone: names of segments to remove.
        pages_gone: fields of pages to remove.
        segments: bodies of new segments, by name.
        entry: the fields of the entry.
        pages: the fields of the pages.
        kept: bytes that are stored already, about.
    """

    stored: int
    gone: Sequence[bytes]
    pages_gone: Sequence[str]
    segments: Mapping[bytes, bytes]
    entry: Mapping[str, Any]
    pages: Mapping[str, bytes]
    kept: int = 0

    @property
    def size(self) -> int:
        """Bytes that are stored afterwards, about."""
        fields = [*self.segments.values(), *self.entry.values(), *self.pages.values()]
        return self.kept + sum(len(value) for value in fields if isinstance(value, bytes))


def whole_entry(resource: Resource, content: Content, entry: Entry) -> Written:
    """What is written of an entry that has no segments."""
    pages = page_store.fields_of(content.pages, content.ids, resource.kind)
    return Written(-1, [], [], {}, _fields_of(entry, resource), pages)


def changes_of_list(
    resource: Resource,
    content: Content,
    stored: Stored,
    known: KnownPages,
    make: Callable[..., Entry],
) -> Written:
    """What is written of a list of several segments.

    Args:
        resource: the list.
        content: to store.
        stored: what is stored; nothing to replace all.
        known: the stored pages.
        make: makes the entry.

    Raises:
        StoredPageError: the text of an unchanged item could not be read.
    """
    assert content.segmented is not None
    segmentation, before = content.segmented.segmentation(stored), stored.segments
    fields = _fields_of(make(segmentation=segmentation), resource)
    fields |= {digest_field(name): one for name, one in segmentation.digests.items()}
    if not before:
        known = page_store.NOTHING_KNOWN
    pages = page_store.fields_of(content.pages, content.ids, resource.kind, known)
    for name, lasts in segmentation.lasts.items():
        pages[f"{_LASTS}{name}"] = with_checksum(segmentation.digests[name] + lasts)
    return Written(
        stored=len(before) or -1,
        gone=sorted(before.keys() - segmentation.names),
        pages_gone=page_store.fields_of_gone(content.pages, known),
        segments=segmentation.new,
        entry=fields,
        pages=pages,
        kept=sum(one.packed_size for one in before.values()),
    )


def stored_list(redis: Redis, resource: Resource) -> Stored:
    """What is stored of a list; nothing if it is damaged.

    Raises:
        redis.RedisError: Redis is unavailable.
    """
    names = [ranking.name for ranking in resource.kind.rankings]
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(keys.entry(resource))
        if names:
            pipeline.hmget(keys.pages(resource), [f"{_LASTS}{name}" for name in names])
        fields, *lasts = pipeline.execute()
    try:
        manifests = manifests_from(fields)
    except UnreadableError:
        return NOTHING_STORED
    digests = {
        name: fields.get(digest_field(name).encode(), b"") for name in manifests if name != LIST
    }
    of_views = dict(zip(names, lasts[0] if lasts else (), strict=True))
    rows = {name: _lasts_of(of_views.get(name), digest) for name, digest in digests.items()}
    return Stored(manifests, digests, rows, partial(_segment, redis, resource))


def _segment(redis: Redis, resource: Resource, name: bytes) -> bytes | None:
    # Bytes are a field's name as any other.
    return cast(bytes | None, redis.hget(keys.segments(resource), cast(str, name)))


def _lasts_of(stored: bytes | None, digest: bytes) -> Sequence[ViewRow]:
    """The last row of each segment of the view with that digest; none if they are not known."""
    try:
        value = checked_part(stored or b"")
        of_view = value[:DIGEST_SIZE] == digest
        return lasts_in(value[DIGEST_SIZE:]) if of_view else ()
    except (ValueError, TypeError):
        return ()


def _fields_of(entry: Entry, resource: Resource) -> dict[str, bytes | float | str]:
    """All fields of an entry's hash."""
    metadata = entry.metadata
    first = {"first_at": metadata.first_at} if metadata.first_at else {}
    return {
        **content_fields(entry),
        **first,
        "name": resource.name,
        "validated_at": metadata.validated_at,
        "fresh_until": metadata.fresh_until,
        "confirmed_by": str(metadata.confirmed_by),
    }
