import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

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

times = st.floats(0, 2.5e11)  # up to the year 9892
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
    confirmed_by=st.integers(0, 2**63),
    first_at=times,
)
items = st.lists(st.integers().map(lambda number: str(number).encode()), max_size=5)
views = st.dictionaries(
    st.sampled_from([*RANKINGS, "unheard_of"]), items.map(lambda some: JsonArray.join(some, b", "))
)


def entry_of(content: bytes | JsonArray, **known: Any) -> Entry:
    """An entry of a list, or of anything else."""
    if isinstance(content, bytes):
        return Entry(body=content, **known)
    return Entry(body=content.body, array=content, **known)


entries = st.builds(
    entry_of,
    st.binary() | items.map(JsonArray.join),
    metadata=metadata,
    encoded=st.dictionaries(st.sampled_from(ENCODINGS), st.binary()),
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
    assert metadata_from([None] * len(METADATA_FIELDS)) is None


@pytest.mark.parametrize("lost", ["meta", "validated_at", "fresh_until"])
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
        metadata_from([b'{"schema": 99, "unheard": "of"}', b"1", b"2", None, None])


DEEP = b"[" * 100_000
DAMAGED: dict[str, list[object]] = {
    "status": ["200", None, 200.5, True],
    "version": ["1", None, 1.5, 10**19, 10**400],
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
        metadata_from([fields.get(name.encode()) for name in METADATA_FIELDS])


@pytest.mark.parametrize("meta", [b"", b"{", b"[]", b"1", b"null", b"{}", b"\xff", DEEP])
def test_metadata_that_is_no_object_is_refused(meta: bytes) -> None:
    with pytest.raises(UnreadableError):
        metadata_from([meta, b"1", b"2", None, None])


@pytest.mark.parametrize("time", [b"", b"soon", b"nan", b"inf", b"-inf", b"1e999"])
@pytest.mark.parametrize("name", ["validated_at", "fresh_until"])
def test_a_time_that_is_no_finite_number_is_refused(name: str, time: bytes) -> None:
    fields = {**as_redis_returns(make_entry()), name.encode(): time}
    with pytest.raises(UnreadableError):
        metadata_from([fields.get(name.encode()) for name in METADATA_FIELDS])


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
    read = metadata_from([json.dumps(known).encode(), b"1", b"2", None, None])
    assert read is not None
    assert read.derived == {}


def test_content_is_fresh_until_it_is_not() -> None:
    known = make_metadata(fresh_until=NOW + 10)
    assert known.is_fresh(NOW + 9.999)
    assert not known.is_fresh(NOW + 10)


@pytest.mark.parametrize("ahead", [6, 3600, 1e9])
def test_content_that_was_confirmed_in_the_future_is_stale(ahead: float) -> None:
    known = make_metadata(validated_at=NOW + ahead, fresh_until=NOW + ahead + 1000)
    assert not known.is_fresh(NOW)
    assert known.is_fresh(NOW + ahead)


def test_two_processes_may_read_the_clock_a_little_differently() -> None:
    assert make_metadata(validated_at=NOW + 1, fresh_until=NOW + 1001).is_fresh(NOW)


@pytest.mark.parametrize("huge", [b"1e300", b"9" * 300, b"253402300800", b"-1", b"-1e300"])
def test_a_time_that_nothing_can_show_is_read_as_one_that_can_be_shown(huge: bytes) -> None:
    fields = as_redis_returns(make_entry())
    meta = {**json.loads(fields[b"meta"]), "changed_at": float(huge)}
    read = metadata_from([json.dumps(meta).encode(), huge, huge, None, None])
    assert read is not None
    for time in (read.validated_at, read.fresh_until, read.changed_at):
        assert datetime.fromtimestamp(time, UTC).year in {1970, 9999}


@pytest.mark.parametrize("token", [b"", b"soon", b"1.5", b"9" * 400, b"9" * 5000])
def test_a_token_that_is_no_number_is_refused_or_absent(token: bytes) -> None:
    fields = as_redis_returns(make_entry())
    values = [fields[b"meta"], b"1", b"2", token, None]
    if token:
        with pytest.raises(UnreadableError):
            metadata_from(values)
    else:
        assert metadata_from(values) is not None


@pytest.mark.parametrize("damage", [b"", b"soon", b"nan", b"1e999", b"\xff"])
def test_the_mark_of_a_list_that_nothing_was_compared_with_is_absent_if_it_is_damaged(
    damage: bytes,
) -> None:
    fields = as_redis_returns(make_entry())
    read = metadata_from([fields[b"meta"], b"1", b"2", None, damage])
    assert read is not None
    assert read.first_at == 0


class TestOrder:
    """Fencing tokens order what readers hold; a token is Redis's time in microseconds."""

    @staticmethod
    def made(version: float, confirmed_by: float = 0, **known: Any) -> Metadata:
        return make_metadata(
            version=int(version * 1e6), confirmed_by=int(confirmed_by * 1e6), **known
        )

    def assert_order(self, older: Metadata, newer: Metadata) -> None:
        assert newer.is_newer_than(older, NOW)
        assert not older.is_newer_than(newer, NOW)

    def test_a_greater_version_is_newer_whatever_the_times_say(self) -> None:
        ahead = {"validated_at": NOW + 3600, "fresh_until": NOW + 4600}
        self.assert_order(self.made(NOW - 9, **ahead), self.made(NOW - 1, validated_at=NOW - 3600))

    def test_a_later_confirmation_is_newer(self) -> None:
        self.assert_order(self.made(NOW - 9), self.made(NOW - 9, NOW - 1))
        self.assert_order(self.made(NOW - 9, NOW - 2), self.made(NOW - 9, NOW - 1))

    def test_a_version_is_newer_than_what_was_confirmed_before_it(self) -> None:
        self.assert_order(self.made(NOW - 9, NOW - 2), self.made(NOW - 1))

    def test_the_same_is_not_newer(self) -> None:
        same = self.made(NOW - 9, NOW - 2)
        assert not same.is_newer_than(same, NOW)

    def test_tokens_go_on_growing_while_the_clock_that_made_them_is_set_back(self) -> None:
        self.assert_order(self.made(NOW + 3600), self.made(NOW + 3600.000001))

    def test_a_redis_that_lost_its_data_and_is_behind_is_believed(self) -> None:
        self.assert_order(self.made(NOW + 3600), self.made(NOW - 1))


def test_only_an_expanded_list_has_an_array() -> None:
    assert make_entry().array is None
    array = make_list_entry(3).array
    assert array is not None
    assert json.loads(bytes(array.slice(1, 2))) == [{"id": 2}]
    empty = make_list_entry(0).array
    assert empty is not None
    assert len(empty) == 0


@given(entries)
def test_all_bytes_of_an_entry_are_counted(entry: Entry) -> None:
    held = [entry.body, *entry.encoded.values(), *(view.body for view in entry.views.values())]
    items = len(entry.array or ()) + sum(map(len, entry.views.values()))
    assert entry.held_bytes >= sum(map(len, held)) + 8 * items
