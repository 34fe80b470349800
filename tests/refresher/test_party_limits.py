"""Each party has its share of a limit, in whole numbers."""

from fractions import Fraction
from math import floor

import pytest

from refresher.dispatch.slots import Slots
from refresher.party_limits import PartyLimits, limits_of
from shared.queue_order import Lane


@pytest.mark.parametrize(
    ("total", "reserve", "expected"),
    [
        (50, 0.2, PartyLimits(40, 40)),
        (50, 0.8, PartyLimits(40, 10)),
        (50, 0.9, PartyLimits(45, 5)),
        (50, 0.0, PartyLimits(40, 50)),
        (10, 0.25, PartyLimits(8, 7)),
        (2, 0.2, PartyLimits(1, 1)),
        (1, 0.2, PartyLimits(1, 1)),
    ],
)
def test_each_party_leaves_the_share_of_the_other(
    total: int, reserve: float, expected: PartyLimits
) -> None:
    assert limits_of(total, reserve=reserve) == expected


@pytest.mark.parametrize("hundredths", range(100))
def test_the_error_of_a_float_takes_nothing_from_on_demand_refreshes(hundredths: int) -> None:
    for total in range(1, 91):
        exact = max(1, floor(total * (1 - Fraction(hundredths, 100))))
        assert limits_of(total, reserve=hundredths / 100).on_demand == exact
        assert Slots(total, reserve=hundredths / 100).limits[Lane.ON_DEMAND] == exact
