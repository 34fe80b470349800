import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refresher.content.json_cutting import cut
from tests.refresher.workbench import property_test

# Numbers and strings that can be written in more than one way.
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, width=16)
    | st.text(max_size=6)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=25,
)
# How JSON can be laid out: separators, indentation, and whether letters are escaped.
layouts = st.sampled_from(
    [
        {"separators": (",", ":"), "ensure_ascii": False},
        {"separators": (",", ":"), "ensure_ascii": True},
        {"separators": (", ", ": "), "ensure_ascii": False},
        {"indent": 2, "ensure_ascii": True},
        {"indent": "\t", "separators": (",", " : "), "ensure_ascii": False},
    ]
)


def without(value: Any, data: st.DataObject) -> Any:
    """The value without some members of its objects; the identical object if none was removed."""
    if isinstance(value, dict):
        kept = {
            key: without(one, data)
            for key, one in value.items()
            if data.draw(st.booleans(), "keep")
        }
        is_same = kept.keys() == value.keys() and all(kept[key] is value[key] for key in kept)
        return value if is_same else kept
    if isinstance(value, list):
        items = [without(one, data) for one in value]
        return value if all(map(lambda a, b: a is b, items, value)) else items
    return value


@property_test
@given(values, layouts, st.data())
def test_what_is_left_is_written_as_if_the_rest_had_never_been_there(
    value: Any, layout: dict[str, Any], data: st.DataObject
) -> None:
    left = without(value, data)
    text = json.dumps(value, **layout)
    written = cut(text, value, left)
    assert json.loads(written) == left
    if not _lost_all_members(value, left):
        assert written == json.dumps(left, **layout)


def _lost_all_members(value: Any, left: Any) -> bool:
    """Whether an object was emptied: then its white space is not the original one."""
    if isinstance(value, dict):
        return bool(value) and (
            not left or any(_lost_all_members(value[key], left[key]) for key in left)
        )
    if isinstance(value, list):
        return any(map(_lost_all_members, value, left))
    return False


def test_a_text_that_loses_nothing_keeps_every_byte() -> None:
    text = '{ "a" : 1.10, "b":"\\u00e9" }'
    value = json.loads(text)
    assert cut(text, value, value) is text


def test_numbers_and_escapes_are_kept_as_they_were_written() -> None:
    text = '{"plan":{"name":"x"},"score":1.0E5,"name":"caf\\u00e9","url":"https:\\/\\/x"}'
    value = json.loads(text)
    left = {key: one for key, one in value.items() if key != "plan"}
    assert cut(text, value, left) == ('{"score":1.0E5,"name":"caf\\u00e9","url":"https:\\/\\/x"}')


def test_null_takes_the_place_of_a_value_that_is_withheld() -> None:
    text = '{"email": "a@b.example", "name": "A"}'
    value = json.loads(text)
    assert cut(text, value, {**value, "email": None}) == '{"email": null, "name": "A"}'


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ('{"a":1,"o":{"x":0,"a":1}}', "a", '{"o":{"x":0,"a":1}}'),
        ('{"b":1,"a":1,"o":{"x":0,"a":1}}', "a", '{"b":1,"o":{"x":0,"a":1}}'),
        ('{"b":1, "a":1,"o":{"x":0,"a":1}}', "a", '{"b":1,"o":{"x":0,"a":1}}'),
        ('{"o":{"x":0,"a":1},"\\u0061":1}', "a", '{"o":{"x":0,"a":1}}'),
        ('{"b":",\\"a\\":1","a":1}', "a", '{"b":",\\"a\\":1"}'),
        ('{"b":["a"],"a":1}', "a", '{"b":["a"]}'),
        ('{"a":1}', "a", "{}"),
    ],
)
def test_the_member_that_goes_is_the_one_that_was_meant(text: str, key: str, expected: str) -> None:
    value = json.loads(text)
    left = {name: one for name, one in value.items() if name != key}
    assert cut(text, value, left) == expected
