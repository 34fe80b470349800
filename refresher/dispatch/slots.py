"""How many jobs of each lane a refresher runs at the same time: pure bookkeeping.

Neither party can occupy the whole refresher (`refresher.party_limits`). Of tracked jobs, few are
large lists (a bulkhead: Nygard, "Release It!"). A refresher with one slot gives it to the lanes in
turns.
"""

from collections.abc import Mapping

from refresher.lock.large_list_limit import large_at_once
from refresher.party_limits import limits_of
from shared.queue_order import Lane


class Slots:
    """The slots of one refresher; not thread-safe.

    Args:
        total: most jobs that run at the same time.
        reserve: `BUDGET_RESERVE`.
    """

    def __init__(self, total: int, *, reserve: float) -> None:
        self.total = total
        parties = limits_of(total, reserve=reserve)
        self.limits: Mapping[Lane, int] = {
            Lane.TRACKED: parties.tracked,
            Lane.LARGE: min(parties.tracked, large_at_once(total)),
            Lane.ON_DEMAND: parties.on_demand,
        }
        self.running: dict[Lane, int] = dict.fromkeys(Lane, 0)
        self._entered: dict[Lane, int] = dict.fromkeys(Lane, 0)  # number of the last job of each
        self._count = 0

    @property
    def free(self) -> int:
        """Slots without a job."""
        return self.total - sum(self.running.values())

    def wanted(self) -> list[tuple[Lane, int]]:
        """The lanes that may give jobs, with the number of each; the lane to begin with first.

        That is the lane that uses the smallest part of its limit; of several, the one whose last
        job began first.
        """
        tracked = self.running[Lane.TRACKED] + self.running[Lane.LARGE]
        room = {lane: self.limits[lane] - self.running[lane] for lane in Lane}
        room[Lane.TRACKED] = self.limits[Lane.TRACKED] - tracked
        room[Lane.LARGE] = min(room[Lane.LARGE], room[Lane.TRACKED])
        lanes = sorted(
            (lane for lane in Lane if room[lane] > 0 and self.free > 0),
            key=lambda lane: (self.running[lane] / self.limits[lane], self._entered[lane]),
        )
        return [(lane, min(room[lane], self.free)) for lane in lanes]

    def enter(self, lane: Lane) -> None:
        """A job begins."""
        self.running[lane] += 1
        self._count += 1
        self._entered[lane] = self._count

    def leave(self, lane: Lane) -> None:
        """A job has ended."""
        self.running[lane] -= 1
