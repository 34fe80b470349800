"""Pauses double up to a limit, have jitter, and are never shorter than GitHub asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refresher.backoff import next_failure
from refresher.errors import OriginError
from shared.failure import Failure
from shared.outcomes import FailureKind
from tests.refresher.workbench import property_test

attempts = st.integers(0, 5000)
limits = st.floats(0.01, 1e6)
chances = st.floats(0, 1, exclude_max=True)


def failed(
    before: int = 0,
    *,
    longest: float = 60,
    chance: float = 0,
    retry_after: float | None = None,
    now: float = 0,
) -> Failure:
    """The record of a failure after `before` others."""
    previous = Failure(FailureKind.TIMEOUT, "before", None, before, since=-9, at=-1, retry_at=-1)
    return next_failure(
        previous if before else None,
        OriginError(FailureKind.STATUS, "GitHub answered 500", status=500, retry_after=retry_after),
        now=now,
        longest=longest,
        chance=chance,
    )


def test_the_first_failure_begins_a_row() -> None:
    assert failed(now=100) == Failure(
        FailureKind.STATUS, "GitHub answered 500", 500, attempts=1, since=100, at=100, retry_at=101
    )


def test_a_further_failure_counts_on_and_keeps_its_beginning() -> None:
    assert failed(3, now=100) == Failure(
        FailureKind.STATUS, "GitHub answered 500", 500, attempts=4, since=-9, at=100, retry_at=108
    )


def test_pauses_double_up_to_the_limit() -> None:
    assert [failed(before).retry_at for before in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@property_test
@given(attempts, limits, chances)
def test_a_pause_lies_between_half_of_the_full_one_and_all_of_it(
    before: int, longest: float, chance: float
) -> None:
    full = failed(before, longest=longest).retry_at
    assert full / 2 <= failed(before, longest=longest, chance=chance).retry_at <= full
    assert 0 < full <= longest


@property_test
@given(attempts, limits, chances)
def test_pauses_never_shrink_with_further_failures(
    before: int, longest: float, chance: float
) -> None:
    earlier = failed(before, longest=longest, chance=chance).retry_at
    later = failed(before + 1, longest=longest, chance=chance).retry_at
    assert earlier <= later


@property_test
@given(attempts, limits, chances, st.floats(0, 1e6))
def test_what_github_asks_for_is_waited_for_up_to_an_hour(
    before: int, longest: float, chance: float, asked: float
) -> None:
    own = failed(before, longest=longest, chance=chance).retry_at
    retry_at = failed(before, longest=longest, chance=chance, retry_after=asked).retry_at
    assert retry_at == max(own, min(asked, 3600))


@pytest.mark.parametrize("asked", [3600.5, 999_999, 4102444800, 1e300])
def test_nothing_is_waited_for_longer_than_an_hour(asked: float) -> None:
    assert failed(retry_after=asked).retry_at == 3600
    assert failed(40, longest=1e6).retry_at == 3600


@pytest.mark.parametrize(("chance", "pause"), [(0, 8), (0.5, 6), (0.999999, 4.000004)])
def test_chance_takes_up_to_a_half_off(chance: float, pause: float) -> None:
    assert failed(3, chance=chance).retry_at == pytest.approx(pause)


def test_nobody_asks_again_before_the_pause_is_over() -> None:
    failure = failed(now=100)
    assert [failure.holds_back(now) for now in (100, 100.999, 101, 102)] == [
        True,
        True,
        False,
        False,
    ]
