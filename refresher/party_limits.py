"""How much of a limit each party may use at the same time: slots, and requests in flight. Pure.

On-demand refreshes leave the share `BUDGET_RESERVE` to tracked ones. Tracked refreshes leave a
fifth to on-demand ones, so that a client's miss does not wait for a slow tracked refresh to end.
"""

from dataclasses import dataclass
from math import floor

_LEFT_TO_ON_DEMAND = 0.2  # share of the whole


@dataclass(frozen=True)
class PartyLimits:
    """The limits of both parties; together they are more than the whole.

    Args:
        tracked: at least 1.
        on_demand: at least 1.
    """

    tracked: int
    on_demand: int


def limits_of(total: int, *, reserve: float) -> PartyLimits:
    """The limits of both parties.

    Args:
        total: slots of a refresher, or requests in flight of the fleet; at least 1.
        reserve: `BUDGET_RESERVE`.
    """
    on_demand = max(1, _whole_part(total * (1 - reserve)))
    # On-demand refreshes cannot use more than their limit.
    left = min(on_demand, max(1, _whole_part(total * _LEFT_TO_ON_DEMAND)))
    return PartyLimits(max(1, total - left), on_demand)


def _whole_part(number: float) -> int:
    """Round down, except for the error of a float: 50 * (1 - 0.8) is 9.999999999999998."""
    return floor(number + 1e-9)
