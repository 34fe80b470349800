"""What a request is called."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reader.telemetry.request_ids import RequestIds, taken

PREFIX = "0123456789abcde"
SANE = [
    b"abc-123",
    b"a",
    b"7b1f0a2e-3f0c-4c39-9d5c-0a1b2c3d4e5f",
    b"Root=1-67891233-abcdef012345678912345678",
    b"user@host:1/2+3~x_y",
    b"x" * 128,
]
ODD = [
    b"",
    b"x" * 129,
    b"two words",
    b" a",
    b"a ",
    b"a\tb",
    b"a\r\nSet-Cookie: x=1",
    b"a\n",
    b"a\x00",
    b"a,b",
    b'"quoted"',
    b"<script>",
    b"caf\xe9",
    b"{}",
    b"a;b",
    b"%s",
    b"\\",
]


@pytest.mark.parametrize("value", SANE)
def test_a_word_of_a_sane_length_is_taken_as_it_is(value: bytes) -> None:
    assert taken(value) == value
    assert RequestIds(PREFIX).of(value) == value.decode()


@pytest.mark.parametrize("value", ODD)
def test_anything_else_is_replaced(value: bytes) -> None:
    assert taken(value) is None
    assert re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]+", RequestIds(PREFIX).of(value))


@given(st.binary(max_size=200))
@example(b"a\n")
def test_what_is_taken_fits_into_a_header_a_log_and_a_job(value: bytes) -> None:
    known = RequestIds(PREFIX).of(value)
    assert re.fullmatch(r"[!-~]{1,128}", known)
    assert not set(known) & set("\"\\<>,;'`{}")


def test_each_is_another_one_and_can_be_taken_by_whoever_gets_it() -> None:
    ids, others = RequestIds(PREFIX), RequestIds("fedcba987654321")
    made = [new() for new in (ids.new, others.new) for _ in range(1000)]
    made += [ids.of(b"").encode() for _ in range(1000)]
    assert len(set(made)) == 3000
    assert all(taken(one) == one for one in made)
