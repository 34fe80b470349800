"""Pages of JSON are split into items without changing a byte of them."""

import hashlib
import json
import re
from collections.abc import Hashable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refresher.content.items import Item, decode, elements, split
from refresher.content.narrowing import Findings
from refresher.errors import OriginError
from shared.outcomes import FailureKind
from shared.resources.kinds import REPOSITORIES, Kind
from shared.resources.operations.shapes import SCALAR, Shape
from tests.refresher.workbench import ANYTHING, UNRANKED, property_test

# Making JSON is slow; each example has many forms of it.
json_test = settings(property_test, max_examples=25)

# JSON as anyone may write it, as text: odd white space, any escapes, numbers of any size.
spaces = st.text(" \t\n\r", max_size=3)
numbers = st.one_of(
    st.integers(-(10**60), 10**60).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["-0", "1E5", "1.0e-3", "0.10", "1e300"]),
)
characters = st.one_of(
    st.characters(codec="utf-8").map(lambda one: json.dumps(one, ensure_ascii=False)[1:-1]),
    st.characters(codec="utf-8").map(lambda one: json.dumps(one)[1:-1]),
    st.sampled_from(
        ["\\ud800", "\\udfff", "\\uD83D\\uDE00", "\\/", "\\u0000", "\\u005B", "]", ","]
    ),
)
strings = st.lists(characters, max_size=5).map(lambda parts: '"' + "".join(parts) + '"')
scalars = st.one_of(st.sampled_from(["null", "true", "false"]), numbers, strings)


@st.composite
def joined(draw: st.DrawFn, parts: st.SearchStrategy[str], brackets: str) -> str:
    """Parts in brackets, with commas and white space between them."""
    padded = [draw(spaces) + part + draw(spaces) for part in draw(st.lists(parts, max_size=4))]
    inside = ",".join(padded) if padded else draw(spaces)
    return brackets[0] + inside + brackets[1]


def objects_of(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Objects of such values."""
    members = st.tuples(strings, spaces, spaces, values).map(
        lambda member: f"{member[0]}{member[1]}:{member[2]}{member[3]}"
    )
    return joined(members, "{}").filter(has_unique_names)


def has_unique_names(text: str) -> bool:
    """Whether no object names a member twice: that would be damage."""
    found: list[bool] = []
    json.loads(text, object_pairs_hook=lambda pairs: found.append(len(dict(pairs)) == len(pairs)))
    return all(found)


values = st.recursive(
    scalars, lambda inner: st.one_of(objects_of(inner), joined(inner, "[]")), max_leaves=8
)
objects = objects_of(values)


@st.composite
def lists_of_objects(draw: st.DrawFn) -> tuple[list[str], str]:
    """The texts of some objects, and a list of them."""
    texts = draw(st.lists(objects, max_size=5))
    padded = [draw(spaces) + text + draw(spaces) for text in texts]
    inside = ",".join(padded) if padded else draw(spaces)
    return texts, draw(spaces) + "[" + inside + "]" + draw(spaces)


def items_of(body: bytes, *, kind: Kind = UNRANKED) -> list[Item]:
    """The items of a page of any shape."""
    return split(body, ANYTHING, Findings(), kind=kind)


def kind_of_refusal(body: bytes) -> FailureKind:
    """Why a page is refused; fails if it is not."""
    with pytest.raises(OriginError) as refused:
        items_of(body, kind=UNRANKED)
    return refused.value.kind


@json_test
@given(lists_of_objects())
def test_each_item_is_the_very_bytes_that_github_wrote(page: tuple[list[str], str]) -> None:
    texts, body = page
    items = items_of(body.encode(), kind=UNRANKED)
    assert [item.text for item in items] == [text.encode() for text in texts]


@json_test
@given(lists_of_objects())
def test_the_values_are_those_of_the_standard_library(page: tuple[list[str], str]) -> None:
    body = page[1].encode()
    read = [value for _, value in elements(body)]
    # As text, since 1 == 1.0 == True.
    assert repr(read) == repr(json.loads(body))


@json_test
@given(lists_of_objects(), st.data())
def test_a_page_cut_off_anywhere_is_not_json(
    page: tuple[list[str], str], data: st.DataObject
) -> None:
    body = page[1].rstrip().encode()
    cut = data.draw(st.integers(0, len(body) - 1))
    assert kind_of_refusal(body[:cut]) is FailureKind.NOT_JSON


@json_test
@given(lists_of_objects(), st.sampled_from(["]", ",", "x", "{}", "[]", "null", "\x00", "\u00a0"]))
def test_anything_behind_the_list_is_not_json(page: tuple[list[str], str], rest: str) -> None:
    assert kind_of_refusal((page[1] + rest).encode()) is FailureKind.NOT_JSON


@json_test
@given(lists_of_objects(), st.data())
def test_a_damaged_byte_passes_only_where_it_makes_other_valid_json(
    page: tuple[list[str], str], data: st.DataObject
) -> None:
    body = bytearray(page[1].encode())
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    try:
        value = decode(bytes(body))
        is_list_of_objects = isinstance(value, list) and all(isinstance(i, dict) for i in value)
    except OriginError:
        is_list_of_objects = False
    if is_list_of_objects:
        assert len(items_of(bytes(body), kind=UNRANKED)) == len(value)
    else:
        assert kind_of_refusal(bytes(body)) in {FailureKind.NOT_JSON, FailureKind.UNEXPECTED}


@json_test
@given(values.filter(lambda text: not text.startswith("[")))
def test_json_other_than_a_list_is_unexpected(text: str) -> None:
    assert kind_of_refusal(text.encode()) is FailureKind.UNEXPECTED


@json_test
@given(st.lists(objects, max_size=2), scalars)
def test_a_list_of_something_other_than_objects_is_unexpected(texts: list[str], odd: str) -> None:
    assert kind_of_refusal(f"[{','.join([*texts, odd])}]".encode()) is FailureKind.UNEXPECTED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"[",
        b"[{}",
        b"[{},]",
        b"[,{}]",
        b"[{} {}]",
        b"[{}]]",
        b"[{]",
        b'[{"a": \xff}]',
        b'["\xed\xa0\x80"]',  # a lone surrogate is no UTF-8
        b"<!DOCTYPE html>",
        b'[{"a": ' + b"9" * 5000 + b"}]",  # Python refuses to parse such a number
        b"[" + b'{"a":[' * 200_000,
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
def test_broken_json_is_not_json(body: bytes) -> None:
    assert kind_of_refusal(body) is FailureKind.NOT_JSON


def test_an_empty_list_has_no_items() -> None:
    assert items_of(b" [ \n ] ", kind=UNRANKED) == []


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf[{"id":1}]',  # a byte-order mark
        b'[{"private":true,"private":false}]',  # who reads it decides what it says
        b'[{"owner":{"login":"a","login":"b"}}]',
        b'[{"n":NaN}]',
        b'[{"n":Infinity}]',
        b'[{"n":-Infinity}]',
        b'[{"n":1e400}]',  # infinite where numbers are doubles
    ],
)
def test_what_may_be_read_in_more_than_one_way_is_damage(body: bytes) -> None:
    assert kind_of_refusal(body) is FailureKind.NOT_JSON
    with pytest.raises(OriginError):
        decode(body)


def test_an_item_is_known_by_its_id() -> None:
    items = items_of(b'[{"id": 7}, {"id": "x"}]', kind=UNRANKED)
    assert [item.id for item in items] == [7, "x"]


def test_an_item_without_an_id_is_known_by_a_digest_of_its_text() -> None:
    first, second, third = items_of(b'[{"a": 1}, {"a":1}, {"a":1}]', kind=UNRANKED)
    assert first.id == hashlib.sha256(b'{"a": 1}').hexdigest()
    assert first.id != second.id == third.id


@pytest.mark.parametrize("identity", [[], {}, {"a": [1]}])
def test_an_item_is_known_by_something_that_can_be_compared(identity: Any) -> None:
    (item,) = items_of(json.dumps([{"id": identity}]).encode(), kind=UNRANKED)
    assert isinstance(item.id, Hashable)


def test_what_the_views_order_by_is_noted_for_ranked_lists_only() -> None:
    body = b'[{"id": 1, "full_name": "Netflix/a", "forks_count": 3}]'
    (plain,), (ranked,) = items_of(body, kind=UNRANKED), items_of(body, kind=REPOSITORIES)
    assert plain.row is None
    assert ranked.row is not None
    assert ranked.row.name == "Netflix/a"


def test_a_ranked_list_of_other_things_is_unexpected() -> None:
    with pytest.raises(OriginError) as refused:
        items_of(b'[{"id": 1}]', kind=REPOSITORIES)
    assert refused.value.kind is FailureKind.UNEXPECTED


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 200_000])
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(OriginError) as refused:
        decode(body)
    assert refused.value.kind is FailureKind.NOT_JSON


def test_the_reason_holds_nothing_of_the_body() -> None:
    with pytest.raises(OriginError) as refused:
        items_of(b'[{"secret": "hunter2"', kind=UNRANKED)
    assert not re.search("secret|hunter2", refused.value.reason)


def test_an_item_that_refers_to_something_private_is_kept_without_it() -> None:
    shape = Shape({"id": SCALAR})
    assert shape.members is not None
    shape.members["template_repository"] = shape
    body = b'[{"id":1,"template_repository":{"id":2,"private":true}},{"id":3,"private":true}]'
    first, second = split(body, shape, Findings(), kind=UNRANKED)
    assert (first.text, first.private) == (b'{"id":1,"template_repository":null}', False)
    assert second.private
    (shown, _) = split(body, shape, Findings(), kind=UNRANKED, private=True)
    assert b'"id":2' in shown.text
