import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UnreadableError
from shared.failure import Failure
from shared.outcomes import FailureKind
from tests.builders import NOW, make_failure

times = st.floats(0, 1e11)
failures = st.builds(
    Failure,
    kind=st.sampled_from(FailureKind),
    reason=st.text(),
    status=st.none() | st.integers(100, 599),
    attempts=st.integers(1),
    since=times,
    at=times,
    retry_at=times,
)


@given(failures)
def test_a_record_is_read_as_it_was_written(failure: Failure) -> None:
    assert Failure.from_json(failure.to_json()) == failure
    assert Failure.from_json(failure.to_json().encode()) == failure


@given(failures)
def test_the_kind_is_read_back_as_a_kind(failure: Failure) -> None:
    assert type(Failure.from_json(failure.to_json()).kind) is FailureKind


def test_no_refresh_is_due_before_retry_at() -> None:
    failure = make_failure(retry_at=NOW + 5)
    assert failure.holds_back(NOW)
    assert failure.holds_back(NOW + 4.999)
    assert not failure.holds_back(NOW + 5)


@pytest.mark.parametrize(
    "damage",
    [
        {"retry_at": "soon"}, {"retry_at": None}, {"since": float("nan")}, {"at": float("inf")},
        {"attempts": "3"}, {"status": "502"}, {"reason": 7}, {"kind": "unheard of"}, {"more": 1},
    ],
)  # fmt: skip
def test_a_damaged_record_is_unreadable(damage: dict[str, Any]) -> None:
    fields = json.loads(make_failure().to_json())
    with pytest.raises(UnreadableError):
        Failure.from_json(json.dumps({**fields, **damage}))


@pytest.mark.parametrize("text", ["", "[]", "7", "{}", "[" * 100_000])
def test_what_is_not_a_record_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError):
        Failure.from_json(text)
