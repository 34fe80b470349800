import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.encodings import ENCODINGS
from shared.entry import (
    METADATA_FIELDS,
    Entry,
    Metadata,
    content_fields,
    entry_from,
    metadata_from,
)
from shared.errors import UnreadableError
from shared.json_array import JsonArray
from shared.stored_form import SCHEMA, StoredForm
from tests.builders import (
    NOW,
    RANKINGS,
    compressed,
    make_entry,
    make_list_entry,
    make_metadata,
    make_ranked_entry,
    redis_fields,
)

times = st.floats(0, 1e12)
metadata = st.builds(
    Metadata,
    status=st.integers(200, 599),
    version=st.integers(0, 2**63),
    etag=st.text(),
    content_type=st.text(),
    changed_at=times,
    size=st.integers(0),
    validated_at=times,
    fresh_until=times,
    form=st.builds(StoredForm, st.text(), st.integers(), st.text()),
    derived=st.dictionaries(st.text(), st.integers()),
    items=st.none() | st.integers(0),
    links=st.lists(st.tuples(st.text(), st.text()), max_size=4).map(tuple),
)
items = st.lists(st.integers().map(lambda number: str(number).encode()), max_size=5)
views = st.dictionaries(
    st.sampled_from([*RANKINGS, "unheard_of"]), items.map(lambda some: JsonArray.join(some, b", "))
)
entries = st.builds(
    Entry,
    metadata,
    body=st.binary(),
    encoded=st.dictionaries(st.sampled_from(ENCODINGS), st.binary()),
    ends=st.none() | items.map(lambda some: JsonArray.join(some).ends),
    views=views,
)


def as_redis_returns(entry: Entry) -> dict[bytes, bytes]:
    """redis-py writes floats with `repr`, and returns all as bytes."""
    return {
        name.encode(): value if isinstance(value, bytes) else repr(value).encode()
        for name, value in redis_fields(entry).items()
    }


def metadata_values(entry: Entry) -> Sequence[bytes | None]:
    fields = as_redis_returns(entry)
    return [fields.get(name.encode()) for name in METADATA_FIELDS]


@given(entries)
def test_an_entry_is_read_as_it_was_written(entry: Entry) -> None:
    assert entry_from(as_redis_returns(entry)) == entry


@given(entries)
def test_the_metadata_is_read_without_the_body(entry: Entry) -> None:
    assert metadata_from(metadata_values(entry)) == entry.metadata


@given(entries, times, times)
def test_confirming_content_moves_no_field_but_the_freshness(
    entry: Entry, validated_at: float, fresh_until: float
) -> None:
    later = replace(entry.metadata, validated_at=validated_at, fresh_until=fresh_until)
    assert content_fields(replace(entry, metadata=later)) == content_fields(entry)


def test_what_an_entry_lacks_takes_no_field() -> None:
    assert set(content_fields(make_entry())) == {"meta", "body"}
    encoded = {f"body:{encoding}" for encoding in ENCODINGS}
    assert set(content_fields(compressed(make_list_entry(2)))) == {"meta", "body", "ends"} | encoded
    ranked = make_ranked_entry({"a/b": 1}, views=["stars"])
    assert set(content_fields(ranked)) == {"meta", "body", "ends", "view:stars", "view:stars:ends"}


@given(entries, st.sets(st.sampled_from(ENCODINGS)))
def test_an_entry_is_read_whichever_encodings_its_writer_knew(
    entry: Entry, unknown: set[str]
) -> None:
    # Processes of an older and of a newer release run side by side, on the same keys.
    kept = {name: body for name, body in entry.encoded.items() if name not in unknown}
    fields = as_redis_returns(entry)
    for name in unknown:
        fields.pop(f"body:{name}".encode(), None)
    assert entry_from(fields) == replace(entry, encoded=kept)
    assert entry_from({**fields, b"body:nonsense": b"unheard of"}) == replace(entry, encoded=kept)


def test_an_entry_of_a_process_that_knew_only_gzip_is_readable() -> None:
    fields = as_redis_returns(compressed(make_entry()))
    for name in set(ENCODINGS) - {"gzip"}:
        del fields[f"body:{name}".encode()]
    read = entry_from(fields)
    assert read is not None
    assert dict(read.encoded) == {"gzip": compressed(make_entry()).encoded["gzip"]}


def test_no_fields_are_no_entry() -> None:
    assert entry_from({}) is None
    assert metadata_from([None, None, None]) is None


@pytest.mark.parametrize("lost", METADATA_FIELDS)
def test_an_entry_without_part_of_its_metadata_is_none(lost: str) -> None:
    fields = as_redis_returns(make_entry())
    del fields[lost.encode()]
    assert entry_from(fields) is None


@pytest.mark.parametrize("schema", [SCHEMA - 1, SCHEMA + 1, None, "1"])
def test_another_schema_is_refused(schema: object) -> None:
    fields = as_redis_returns(make_entry())
    fields[b"meta"] = json.dumps({**json.loads(fields[b"meta"]), "schema": schema}).encode()
    with pytest.raises(UnreadableError):
        entry_from(fields)


def test_another_schema_is_refused_whatever_else_it_holds() -> None:
    with pytest.raises(UnreadableError):
        metadata_from([b'{"schema": 99, "unheard": "of"}', b"1", b"2"])


DEEP = b"[" * 100_000
DAMAGED: dict[str, list[object]] = {
    "status": ["200", None, 200.5, True],
    "version": ["1", None, 1.5],
    "etag": [1, None],
    "content_type": [1, None],
    "changed_at": ["1", None],
    "size": ["1", None],
    "form": [None, 1, [], {}, "members", {"kind": "members"}],
    "derived": [None, 1, "br", ["br"], {"br": "1"}, {"br": None}, {"br": [1]}, {"br": 1.5}],
    "items": ["1", 1.5, [1]],
    "links": [None, 1, [1], [["next"]], [["next", 1]]],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in DAMAGED.items() for value in values]
)
def test_metadata_with_a_value_of_another_type_is_refused(name: str, value: object) -> None:
    fields = as_redis_returns(make_entry())
    fields[b"meta"] = json.dumps({**json.loads(fields[b"meta"]), name: value}).encode()
    with pytest.raises(UnreadableError):
        metadata_from([fields[name.encode()] for name in METADATA_FIELDS])


@pytest.mark.parametrize("meta", [b"", b"{", b"[]", b"1", b"null", b"{}", b"\xff", DEEP])
def test_metadata_that_is_no_object_is_refused(meta: bytes) -> None:
    with pytest.raises(UnreadableError):
        metadata_from([meta, b"1", b"2"])


@pytest.mark.parametrize("time", [b"", b"soon", b"nan", b"inf", b"-inf", b"1e999"])
@pytest.mark.parametrize("name", ["validated_at", "fresh_until"])
def test_a_time_that_is_no_finite_number_is_refused(name: str, time: bytes) -> None:
    fields = {**as_redis_returns(make_entry()), name.encode(): time}
    with pytest.raises(UnreadableError):
        metadata_from([fields[name.encode()] for name in METADATA_FIELDS])


@pytest.mark.parametrize(
    "damage",
    [
        {b"view:stars": b"[]"},  # without its ends
        {b"view:stars": b"[]", b"view:stars:ends": b"1234567"},
        {b"ends": b"1234567"},
        {b"view:\xff": b"[]"},
    ],
    ids=str,
)
def test_an_entry_with_damaged_derived_data_is_refused(damage: dict[bytes, bytes]) -> None:
    with pytest.raises(UnreadableError):
        entry_from({**as_redis_returns(make_entry()), **damage})


def test_metadata_of_a_release_that_did_not_record_derived_data_is_readable() -> None:
    fields = as_redis_returns(make_entry())
    known = json.loads(fields[b"meta"])
    del known["derived"]
    read = metadata_from([json.dumps(known).encode(), b"1", b"2"])
    assert read is not None
    assert read.derived == {}


def test_content_is_fresh_until_it_is_not() -> None:
    known = make_metadata(fresh_until=NOW + 10)
    assert known.is_fresh(NOW + 9.999)
    assert not known.is_fresh(NOW + 10)


def test_what_was_confirmed_later_is_newer_whatever_its_version() -> None:
    early = make_metadata(validated_at=NOW, version=9)
    late = make_metadata(validated_at=NOW + 1, version=1)
    assert late.is_newer_than(early)
    assert not early.is_newer_than(late)


def test_of_two_confirmed_at_once_the_greater_version_is_newer() -> None:
    one, two = make_metadata(version=1), make_metadata(version=2)
    assert two.is_newer_than(one)
    assert not one.is_newer_than(two)
    assert not one.is_newer_than(make_metadata(version=1))


def test_only_an_expanded_list_has_an_array() -> None:
    assert make_entry().array is None
    array = make_list_entry(3).array
    assert array is not None
    assert json.loads(array.slice(1, 2)) == [{"id": 2}]
    empty = make_list_entry(0).array
    assert empty is not None
    assert len(empty) == 0


@given(entries)
def test_all_bytes_of_an_entry_are_counted(entry: Entry) -> None:
    held = [entry.body, *entry.encoded.values(), *(view.body for view in entry.views.values())]
    ends = [entry.ends or (), *(view.ends for view in entry.views.values())]
    assert entry.held_bytes >= sum(map(len, held)) + 8 * sum(map(len, ends))
