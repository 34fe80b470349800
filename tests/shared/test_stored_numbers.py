import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.stored_numbers import count_of, number_of

DAMAGED = [None, b"", b"x", b"nan", b"inf", b"-inf", b"\xff\xfe", b"9" * 400]


@pytest.mark.parametrize("stored", DAMAGED)
def test_what_is_damaged_or_absent_is_zero(stored: bytes | None) -> None:
    assert number_of(stored) == 0.0
    assert count_of(stored) == 0


def test_a_number_is_read_as_it_was_stored() -> None:
    assert number_of(b"-2.5e3") == -2500.0
    assert count_of(b"41.9") == 41


def test_a_fencing_token_is_read_whole() -> None:
    token = 4_102_444_800_000_000  # of the year 2100
    assert count_of(str(token)) == token


@given(st.binary(max_size=30))
def test_no_bytes_are_an_error(stored: bytes) -> None:
    assert math.isfinite(number_of(stored))
    assert abs(count_of(stored)) < 2**53
