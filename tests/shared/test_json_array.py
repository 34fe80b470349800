import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.buffers import Buffers
from shared.json_array import JsonArray, first_of, last_of, pack_ends, unpack_ends

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=3,
)
separators = st.sampled_from([b",", b", ", b",\n  ", b" , "])
some_items = st.lists(json_values, max_size=8)
offsets = st.integers(-3, 11)


def join(items: list[object], separator: bytes = b",") -> JsonArray:
    return JsonArray.join((json.dumps(item).encode() for item in items), separator)


@given(some_items, separators)
def test_a_joined_array_reads_as_its_items(items: list[object], separator: bytes) -> None:
    array = join(items, separator)
    assert json.loads(array.body) == items
    assert len(array) == len(items)


@given(some_items, separators, offsets, offsets)
def test_a_slice_reads_as_the_items_from_start_up_to_stop(
    items: list[object], separator: bytes, start: int, stop: int
) -> None:
    cut = join(items, separator).slice(start, stop)
    assert json.loads(bytes(cut)) == [item for at, item in enumerate(items) if start <= at < stop]


@given(some_items, separators, offsets, offsets)
def test_a_slice_is_written_as_if_its_items_had_been_joined(
    items: list[object], separator: bytes, start: int, stop: int
) -> None:
    kept = [item for at, item in enumerate(items) if start <= at < stop]
    assert join(items, separator).slice(start, stop) == join(kept, separator).body


@given(some_items, separators, st.integers(0, 15))
def test_first_and_last_give_so_many_items_of_either_end(
    items: list[object], separator: bytes, count: int
) -> None:
    array = join(items, separator)
    assert json.loads(bytes(first_of(array, count))) == items[:count]
    assert json.loads(bytes(last_of(array, count))) == items[max(0, len(items) - count) :]


@given(some_items)
def test_every_end_is_the_offset_behind_its_item(items: list[object]) -> None:
    array = join(items)
    starts = [1, *(end + 1 for end in array.ends)]
    cut = [array.body[start:end] for start, end in zip(starts, array.ends, strict=False)]
    assert [json.loads(item) for item in cut] == items


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_packed_ends_unpack_to_what_they_were(ends: list[int]) -> None:
    assert list(unpack_ends(pack_ends(ends))) == ends


@given(some_items, separators)
def test_ends_that_joining_made_survive_being_packed(items: list[object], separator: bytes) -> None:
    array = join(items, separator)
    assert JsonArray(array.body, unpack_ends(pack_ends(array.ends)), separator) == array


def test_ends_are_packed_as_little_endian_numbers_of_eight_bytes() -> None:
    assert pack_ends([1, 258]) == bytes([1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0])


def test_ends_of_a_broken_length_are_refused() -> None:
    with pytest.raises(struct.error):
        unpack_ends(b"123456789")


def test_golden_bytes() -> None:
    array = JsonArray.join([b'"a"', b"22", b"[]"])
    assert (array.body, list(array.ends)) == (b'["a",22,[]]', [4, 7, 10])
    assert array.slice(1, 3) == b"[22,[]]"
    assert array.slice(0, 1) == b'["a"]'
    assert JsonArray.join([]).body == b"[]"


def test_the_whole_array_is_given_without_a_copy() -> None:
    array = JsonArray.join([b"1", b"2"])
    assert array.slice(-1, 9) is array.body


def test_a_large_slice_is_a_part_of_the_body() -> None:
    array = JsonArray.join(b"%d" % number * 3 for number in range(20_000))
    cut = array.slice(5, 15_000)
    assert isinstance(cut, Buffers)
    assert isinstance(part := cut.parts[1], memoryview)
    assert part.obj is array.body
    whole = bytes(cut)
    assert json.loads(whole) == [int(f"{number}" * 3) for number in range(5, 15_000)]
    assert len(cut) == len(whole)
    assert b"".join(cut) == b"".join(cut.parts) == whole
    assert max(map(len, cut)) < 20_000


def test_ends_do_not_flood_the_repr() -> None:
    assert "ends" not in repr(JsonArray.join([b"1"]))
