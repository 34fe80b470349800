"""A list as segments: the same bytes as the whole list, and few of them change with it."""

import gzip
import json
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.json_array import JsonArray
from shared.segmented_array import Piece, SegmentedArray
from shared.segments import (
    Packed,
    Segment,
    borders,
    digest_of,
    name_of,
    pack_manifest,
    runs_between,
    size_of,
    unpack_manifest,
)

Items = list[tuple[int, bytes]]
USUAL = 32
SEPARATORS = st.sampled_from([b",", b", "])
lists = st.lists(st.integers(1, 10**9), max_size=300, unique=True)


def items_of(ids: Sequence[int]) -> Items:
    """Items with these ids."""
    return [(one, json.dumps({"id": one, "stars": one % 7}).encode()) for one in ids]


def names_of(items: Items) -> list[bytes]:
    """The names of the segments of a list."""
    return [name_of(digest_of(text) for _, text in run) for run in runs_of(items)]


def runs_of(items: Items) -> list[Items]:
    """The items of each segment."""
    return [
        items[one]
        for one in runs_between(borders((identity for identity, _ in items), usual=USUAL))
    ]


def stored(items: Items, separator: bytes = b",") -> tuple[list[Segment], list[Packed]]:
    """The segments of a list, and their bodies."""
    segments, bodies = [], []
    for name, run in zip(names_of(items), runs_of(items), strict=True):
        packed, checked = Packed.of([text for _, text in run], separator=separator)
        segments.append(Segment(name, len(run), checked, len(packed.blocks)))
        bodies.append(Packed.from_bytes(packed.to_bytes()))
    return segments, bodies


def array_of(items: Items, separator: bytes = b",") -> SegmentedArray:
    """A list in pieces, as a reader has it."""
    pieces = [
        Piece.of(body.plain(one.checked), body.blocks, body.ends, one.checked, separator)
        for one, body in zip(*stored(items, separator), strict=True)
    ]
    return SegmentedArray(pieces, separator)


@given(ids=lists, separator=SEPARATORS)
def test_joined_they_are_the_whole_list(ids: list[int], separator: bytes) -> None:
    items = items_of(ids)
    whole = b"[" + separator.join(text for _, text in items) + b"]"
    segments, _ = stored(items, separator)
    array = array_of(items, separator)
    assert bytes(array.body) == whole
    assert gzip.decompress(bytes(array.gzip)) == whole
    assert size_of(segments, separator) == len(array.body) == len(whole)
    assert sum(one.items for one in segments) == len(array) == len(items)
    assert unpack_manifest(pack_manifest(segments)) == tuple(segments)


@given(ids=lists, separator=SEPARATORS, start=st.integers(-3, 310), count=st.integers(-1, 310))
def test_a_slice_is_that_of_the_whole_list(
    ids: list[int], separator: bytes, start: int, count: int
) -> None:
    items = items_of(ids)
    array = array_of(items, separator)
    whole = JsonArray.join((text for _, text in items), separator)
    stop = start + count
    assert bytes(array.slice(start, stop)) == bytes(whole.slice(start, stop))
    assert array.digests(start, stop) == whole.digests(start, stop)


@given(ids=lists)
def test_items_end_where_they_are_said_to(ids: list[int]) -> None:
    items = items_of(ids)
    found: list[bytes] = []
    for segment, body in zip(*stored(items), strict=True):
        plain, begin = body.plain(segment.checked), 0
        for end in body.ends:
            found.append(plain[begin:end])
            begin = end + 1
    assert found == [text for _, text in items]


@given(ids=lists.filter(bool), data=st.data())
def test_one_change_changes_few_of_them(ids: list[int], data: st.DataObject) -> None:
    items = items_of(ids)
    place = data.draw(st.integers(0, len(items) - 1))
    changed = [*items[:place], (items[place][0], b"{}"), *items[place + 1 :]]
    removed = [*items[:place], *items[place + 1 :]]
    added = [*items[:place], (10**10, b'{"id":10000000000}'), *items[place:]]
    before = set(names_of(items))
    assert len(set(names_of(changed)) - before) == 1
    assert len(set(names_of(removed)) - before) <= 1
    assert len(set(names_of(added)) - before) <= 2


def test_a_damaged_body_is_noticed() -> None:
    (segment,), (body,) = stored(items_of([1, 2]))
    for damaged in (segment.checked._replace(crc=1), segment.checked._replace(size=3)):
        with pytest.raises(ValueError, match="damaged"):
            body.plain(damaged)


def test_they_have_a_sensible_size_in_a_large_list() -> None:
    dice = random.Random("ids")
    items = items_of(dice.sample(range(10**9), 7000))
    sizes = [len(run) for run in runs_of(items)]
    assert 150 < len(sizes) < 350
    assert max(sizes) <= 512
