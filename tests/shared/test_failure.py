import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UnreadableError
from shared.failure import Failure
from shared.outcomes import FailureKind
from shared.time_bounds import LONGEST_PAUSE
from tests.builders import NOW, make_failure

times = st.floats(0, 1e11)
pauses = st.floats(0, LONGEST_PAUSE - 1)


def build(at: float, ago: float, pause: float, **known: Any) -> Failure:
    return Failure(since=max(0.0, at - ago), at=at, retry_at=at + pause, **known)


failures = st.builds(
    build,
    kind=st.sampled_from(FailureKind),
    reason=st.text(),
    status=st.none() | st.integers(100, 599),
    attempts=st.integers(1, 1_000_000),
    at=times,
    ago=times,
    pause=pauses,
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
        {"attempts": "3"}, {"at": 10**400}, {"attempts": 10**400},
        {"status": "502"}, {"reason": 7}, {"kind": "unheard of"}, {"more": 1},
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


@pytest.mark.parametrize("retry_at", [NOW + 3601, NOW + 999_999, 4102444800, 1e299])
def test_a_record_holds_nothing_back_for_longer_than_an_hour(retry_at: float) -> None:
    read = Failure.from_json(make_failure(at=NOW, retry_at=retry_at).to_json())
    assert read.holds_back(NOW + 3599)
    assert not read.holds_back(NOW + 3600)


@pytest.mark.parametrize("ahead", [6, 3600, 4102444800, 1e299])
def test_a_failure_in_the_future_holds_nothing_back(ahead: float) -> None:
    at = NOW + ahead
    read = Failure.from_json(make_failure(since=at, at=at, retry_at=at + 60).to_json())
    assert not read.holds_back(NOW)


def test_a_failure_of_a_process_that_reads_the_clock_a_little_later_holds_back() -> None:
    assert make_failure(at=NOW + 1, retry_at=NOW + 6).holds_back(NOW)


@pytest.mark.parametrize("damage", ["since", "at", "retry_at"])
@pytest.mark.parametrize("time", [1e299, -1e299, -1])
def test_every_time_of_a_record_can_be_shown(damage: str, time: float) -> None:
    read = Failure.from_json(make_failure(**{damage: time}).to_json())
    for one in (read.since, read.at, read.retry_at):
        assert datetime.fromtimestamp(one - LONGEST_PAUSE, UTC).year in {1969, 1970, 2027, 9999}


def test_resuming_ends_a_failure_from_before_and_none_from_after() -> None:
    failure = make_failure(at=NOW, retry_at=NOW + 3600)
    assert not failure.ended_by(NOW + 1).holds_back(NOW + 1)
    assert failure.ended_by(NOW - 1) == failure
    assert failure.ended_by(0) == failure
    assert failure.ended_by(NOW + 1).attempts == failure.attempts
