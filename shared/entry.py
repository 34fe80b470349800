"""An entry: a resource's stored representation, and its form in Redis.

In Redis an entry is one hash, so that one command reads a consistent whole:

==================  ==========================================================================
field               meaning
==================  ==========================================================================
meta                JSON, changes with the version only: see `Metadata`; with `schema`
name                the resource's name: its key has only a digest
validated_at        Unix time in seconds at which GitHub last confirmed the content
fresh_until         Unix time in seconds at which it becomes stale
confirmed_by        the fencing token of the refresh that stored or last confirmed the content;
                    absent if only an older release did: then the version is meant
first_at            Unix time in seconds at which GitHub was asked for tracked content of which
                    nothing was stored; removed by a refresh that asked `SECOND_LOOK_S` later
body                the representation, uncompressed
body:{encoding}     the same, compressed once by the refresher, for each of `ENCODINGS`; absent
                    if that saves nothing
ends                of an expanded list: where each item ends, see `json_array.pack_ends`
view:{name}         of a ranked list: `[[name of the item, value], ...]`, best first
view:{name}:ends    where each of its items ends
==================  ==========================================================================

A list of several segments (`shared.segments`) has these fields instead of bodies and ends; the
bodies of its segments are in a hash of their own, by the segments' names:

======================  ======================================================================
field                   meaning
======================  ======================================================================
segments                the rows of its manifest
view:{name}:segments    likewise, of a view
view:{name}:of          digest of what the view was made of, for refreshers
======================  ======================================================================
"""

import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from shared.buffers import Body
from shared.encodings import ENCODINGS
from shared.errors import UnreadableError
from shared.json_array import ItemArray, JsonArray, pack_ends, unpack_ends
from shared.segmented_array import SegmentedArray
from shared.segments import Segment, pack_manifest, unpack_manifest
from shared.stored_form import SCHEMA, StoredForm
from shared.suspicion import may_be_cut
from shared.time_bounds import is_past, showable, time_of

VIEW_SEPARATOR = b", "  # as `json.dumps` writes it
LIST_SEPARATOR = b","
LIST = ""  # the name of a list among its arrays; the others are the names of its views
SEGMENTS = "segments"  # the field of its manifest
_VIEW, _ENDS = "view:", ":ends"
_CONTENT = frozenset({200, 204})
_GREATEST_TOKEN = 2**63  # versions are fencing tokens; Redis counts no further
# What reading damaged metadata raises.
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)

# The types of the plain values in `meta`, exactly: Python takes a `bool` for an `int`.
_TYPES: Mapping[str, tuple[type, ...]] = {
    "status": (int,),
    "version": (int,),
    "etag": (str,),
    "content_type": (str,),
    "changed_at": (int, float),
    "size": (int,),
    "items": (int, type(None)),
}

# The fields that are read without the body, in the order of `metadata_from`.
METADATA_FIELDS = ("meta", "validated_at", "fresh_until", "confirmed_by", "first_at")


@dataclass(frozen=True)
class Metadata:
    """Everything about an entry except its bodies.

    Args:
        status: HTTP status of the representation: 200, or another answer of GitHub's.
        version: grows whenever the stored bodies change.
        etag: opaque part of the strong entity tag of the uncompressed representation.
        content_type: media type of the body.
        changed_at: Unix time in seconds at which the content last changed.
        size: bytes of the uncompressed body.
        items: number of items of an expanded list; None for anything else.
        links: of an on-demand page, GitHub's `Link` as (relation, query) pairs.
        location: of a redirect, its target; None for anything else.
        form: what the entry was made for.
        derived: what our own code derived from the body, with the version of each.
        validated_at: Unix time in seconds at which GitHub last confirmed the content.
        fresh_until: Unix time in seconds at which it becomes stale.
        confirmed_by: fencing token of the refresh that stored or last confirmed the content; 0 if
            that is not known.
        first_at: Unix time in seconds of the request, if nothing was stored before and no second
            one has followed: Redis may have lost what to compare it with, see `shared.suspicion`;
            0 otherwise.
        segments: number of different segments of a list and its views; 0 if it is stored whole.
        is_awaited: an event of GitHub's has touched it: if it is stale, whoever reads it waits for
            newer content. Not stored: `shared.event_bound` decides it at each reading.
        is_withdrawn: it is a 404 that is served instead of a withdrawn repository. Not stored:
            `shared.withdrawal` decides it.
    """

    status: int
    version: int
    etag: str
    content_type: str
    changed_at: float
    size: int
    validated_at: float
    fresh_until: float
    form: StoredForm
    derived: Mapping[str, int] = field(default_factory=dict)
    items: int | None = None
    links: Sequence[tuple[str, str]] = ()
    location: str | None = None
    confirmed_by: int = 0
    first_at: float = 0.0
    segments: int = 0
    is_awaited: bool = False
    is_withdrawn: bool = False

    @property
    def is_content(self) -> bool:
        """Whether it is content of GitHub's, and not an error, a redirect or a 202."""
        return self.status in _CONTENT

    def is_fresh(self, now: float) -> bool:
        """Whether the content is inside its freshness lifetime (RFC 9111 section 4.2).

        Content that was confirmed in the future is stale: else it would be fresh until then. The
        next refresh stores the right times.
        """
        return is_past(self.validated_at, now) and now < self.fresh_until

    def is_outlived(self, now: float) -> bool:
        """Whether a client waits for newer content instead of being served this while it is stale.

        That is a negative answer, a redirect or a 202 past its lifetime: what was missing may exist
        by now, and a client may take a 404 for the truth. And it is content that an event has
        touched. Both are requested anew while the client waits, as a miss. What is withdrawn is
        said to be gone at once.
        """
        if self.is_withdrawn:
            return False
        return (self.is_awaited or not self.is_content) and not self.is_fresh(now)

    def may_lack_items_of(self, other: "Metadata") -> bool:
        """Whether this is a list that must not replace `other` before a second look at GitHub.

        Nothing was stored when GitHub was asked for it, and it lost much of what `other` has.
        """
        if not self.first_at or self.items is None or other.items is None:
            return False
        return may_be_cut(other.items, self.items)

    def is_newer_than(self, other: "Metadata", now: float) -> bool:
        """Whether a later refresh confirmed this one, so that `other` must not replace it.

        Fencing tokens decide, not times. They grow from one refresh to the next; only a Redis that
        has lost its data hands out smaller ones, if its clock is behind that of the Redis before.
        Then the token that lies in the future is the older one.

        Args:
            other: of the same resource.
            now: Unix time in seconds.
        """
        own, others = (max(one.version, one.confirmed_by) for one in (self, other))
        is_possible = is_past(own / 1e6, now)  # a token is Redis's time in microseconds
        if is_possible != is_past(others / 1e6, now):
            return is_possible
        return own > others


@dataclass(frozen=True)
class Entry:
    """A resource's stored representation with its metadata.

    Args:
        metadata: everything except the bodies.
        body: the representation, uncompressed.
        encoded: the same, compressed, by the name of the coding; absent if that saves nothing.
        array: of an expanded list, its body ready to be sliced; None for anything else.
        views: of a ranked list, the pre-ordered views by the name of their ranking.
        manifests: of a list that is stored in segments, those of the list (`LIST`) and of its
            views, by name.
        address: what URLs in the bodies begin with instead of the origin's address; empty if they
            begin with that.
    """

    metadata: Metadata
    body: Body
    encoded: Mapping[str, Body] = field(default_factory=dict)
    array: ItemArray | None = None
    views: Mapping[str, ItemArray] = field(default_factory=dict)
    manifests: Mapping[str, Sequence[Segment]] = field(default_factory=dict)
    address: str = ""

    @property
    def members(self) -> Mapping[str, Any]:
        """The members of the JSON object that the body is; none if it is no object, or damaged."""
        try:
            value = json.loads(bytes(self.body))
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @cached_property
    def held_bytes(self) -> int:
        """Approximate size of the entry in memory, in bytes."""
        views = sum(len(view.body) + 8 * len(view) for view in self.views.values()) + 2048
        if isinstance(self.array, SegmentedArray):
            return self.array.held_bytes + views
        bodies = len(self.body) + sum(map(len, self.encoded.values()))
        return bodies + 8 * len(self.array or ()) + views


def content_fields(entry: Entry) -> dict[str, bytes]:
    """The fields of an entry's hash that a new version writes: all except its freshness.

    Of a list that is stored in segments, `shared.segments` has the rest.
    """
    fields = {"meta": _encode_metadata(entry.metadata)}
    if entry.manifests:
        for name, segments in entry.manifests.items():
            fields[_manifest_field(name)] = pack_manifest(segments)
        return fields
    fields["body"] = bytes(entry.body)
    for encoding, body in entry.encoded.items():
        fields[f"body:{encoding}"] = bytes(body)
    if isinstance(entry.array, JsonArray):
        fields["ends"] = pack_ends(entry.array.ends)
    for name, view in entry.views.items():
        assert isinstance(view, JsonArray)  # of a list that is stored whole
        fields[f"{_VIEW}{name}"] = view.body
        fields[f"{_VIEW}{name}{_ENDS}"] = pack_ends(view.ends)
    return fields


def metadata_from(values: Sequence[bytes | None]) -> Metadata | None:
    """The metadata in the values of `METADATA_FIELDS`; None if there is no entry.

    Raises:
        UnreadableError: it was written under another schema, or is damaged.
    """
    meta, validated_at, fresh_until, confirmed_by, first_at = values
    if meta is None or validated_at is None or fresh_until is None:
        return None
    try:
        known = json.loads(meta)
        confirmed = int(confirmed_by or 0)
        is_readable = known.pop("schema") == SCHEMA and _is_well_typed(known)
        if not is_readable or max(abs(known["version"]), abs(confirmed)) > _GREATEST_TOKEN:
            raise UnreadableError
        known["links"] = tuple((relation, query) for relation, query in known["links"])
        known["form"] = StoredForm(**known["form"])
        known["changed_at"] = showable(known["changed_at"])
        return Metadata(
            validated_at=_time(validated_at),
            fresh_until=_time(fresh_until),
            confirmed_by=confirmed,
            first_at=time_of(first_at),
            **known,
        )
    except _DAMAGE as error:
        raise UnreadableError from error


def digest_field(view: str) -> str:
    """The field that says what a view was made of."""
    return f"{_VIEW}{view}:of"


def _manifest_field(name: str) -> str:
    return f"{_VIEW}{name}:{SEGMENTS}" if name else SEGMENTS


def manifests_from(fields: Mapping[bytes, bytes]) -> dict[str, Sequence[Segment]]:
    """The manifests in the fields of an entry's hash, by name; none if it is stored whole.

    Raises:
        UnreadableError: a manifest is damaged.
    """
    found: dict[str, Sequence[Segment]] = {}
    if SEGMENTS.encode() not in fields:
        return found
    try:
        for field_name, packed in fields.items():
            key = field_name.decode()
            if key == SEGMENTS:
                found[LIST] = unpack_manifest(packed)
            elif key.startswith(_VIEW) and key.endswith(f":{SEGMENTS}"):
                name = key.removeprefix(_VIEW).removesuffix(f":{SEGMENTS}")
                found[name] = unpack_manifest(packed)
    except (ValueError, struct.error) as error:
        raise UnreadableError from error
    return found


def _is_well_typed(known: Mapping[str, Any]) -> bool:
    """Whether the values in `meta` have the types that `Metadata` promises."""
    derived, links = known.get("derived", {}), known["links"]
    location = known.get("location", "")
    return (
        type(known.get("segments", 0)) is int
        and type(location) is str
        and location.isascii()
        and (not location or location.isprintable())
        and all(type(known[name]) in types for name, types in _TYPES.items())
        and all(type(version) is int for version in derived.values())
        and all(type(text) is str for link in links for text in link)
        and math.isfinite(known["changed_at"])
    )


def _time(value: bytes) -> float:
    time = float(value)
    if not math.isfinite(time):
        raise ValueError("a time is not finite")
    return showable(time)


def entry_from(fields: Mapping[bytes, bytes]) -> Entry | None:
    """The entry in the fields of its hash; None if there is no entry.

    Raises:
        UnreadableError: it was written under another schema, or is damaged.
    """
    metadata = metadata_from([fields.get(name.encode()) for name in METADATA_FIELDS])
    if metadata is None:
        return None
    ends = fields.get(b"ends")
    try:
        body = fields[b"body"]
        return Entry(
            metadata,
            body,
            encoded=dict(_encoded(fields)),
            array=None if ends is None else JsonArray(body, unpack_ends(ends)),
            views=dict(_views(fields)),
        )
    except (KeyError, ValueError, struct.error) as error:
        raise UnreadableError from error


def _encoded(fields: Mapping[bytes, bytes]) -> Iterator[tuple[str, bytes]]:
    for encoding in ENCODINGS:
        body = fields.get(f"body:{encoding}".encode())
        if body is not None:
            yield encoding, body


def _views(fields: Mapping[bytes, bytes]) -> Iterator[tuple[str, JsonArray]]:
    """Every view that is stored, also one that only a newer release knows."""
    for field_name, body in fields.items():
        key = field_name.decode()
        if key.startswith(_VIEW) and not key.endswith(_ENDS):
            ends = unpack_ends(fields[f"{key}{_ENDS}".encode()])
            yield key.removeprefix(_VIEW), JsonArray(body, ends, VIEW_SEPARATOR)


def _encode_metadata(metadata: Metadata) -> bytes:
    # A process of an older release reads no entry that has a field that it does not know.
    unused = [name for name in ("location", "segments") if not getattr(metadata, name)]
    left_out = {*METADATA_FIELDS, "is_awaited", "is_withdrawn", *unused}
    kept = {name: value for name, value in vars(metadata).items() if name not in left_out}
    return json.dumps({"schema": SCHEMA, **kept, "form": vars(metadata.form)}).encode()
