import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.redis.announcements import Announcement, parse

values = st.none() | st.booleans() | st.integers() | st.floats(allow_infinity=False) | st.text()


@given(st.binary())
def test_no_bytes_make_parsing_fail(message: bytes) -> None:
    parsed = parse(message)
    assert parsed is None or isinstance(parsed, Announcement)


@given(
    values
    | st.lists(values)
    | st.fixed_dictionaries({}, optional={"name": values, "number": values | st.lists(values)})
)
def test_no_json_makes_parsing_fail(value: object) -> None:
    parsed = parse(json.dumps(value).encode())
    assert parsed is None or isinstance(parsed, Announcement)


@given(st.text(), st.integers(0, 2**63))
def test_an_announcement_is_read_as_it_was_written(name: str, number: int) -> None:
    message = json.dumps({"name": name, "number": number}).encode()
    assert parse(message) == Announcement(name, number)


@pytest.mark.parametrize(
    "message",
    [b"", b"{}", b"null", b"[]", b'"name"', b'{"name": "/"}', b'{"number": 1}', b"\xff\xfe",
     b'{"name": "/", "number": null}', b'{"name": "/", "number": "x"}',
     b'{"name": "/", "number": NaN}', b'{"name": "/", "number": "' + b"9" * 5000 + b'"}'],
)  # fmt: skip
def test_another_message_is_no_announcement(message: bytes) -> None:
    assert parse(message) is None


@pytest.mark.parametrize(
    "message",
    [
        b'{"name": "/", "number": Infinity}',
        b'{"name": "/", "number": 1e400}',
        b"[" * 100_000,
    ],
    ids=["infinity", "overflow", "nesting"],
)
def test_a_monstrous_message_is_no_announcement(message: bytes) -> None:
    assert parse(message) is None
