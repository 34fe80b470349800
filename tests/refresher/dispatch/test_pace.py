"""The moving average of the duration of refreshes."""

import pytest

from refresher.dispatch.pace import Pace


def test_it_is_not_known_before_the_first_refresh() -> None:
    assert Pace().seconds is None


def test_it_follows_slowly_so_that_one_slow_refresh_says_little() -> None:
    pace = Pace()
    pace.note(0.2)
    assert pace.seconds == pytest.approx(0.2)
    pace.note(10.2)
    assert pace.seconds == pytest.approx(1.2)
    for _ in range(60):
        pace.note(0.2)
    assert pace.seconds == pytest.approx(0.2, abs=0.01)
