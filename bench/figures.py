"""What is made of measurements: percentiles, and ratios between what was measured side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Literal

# What a ratio can be taken of: fields of `Sample`.
Quantity = Literal["per_second", "per_cpu_second"]


@dataclass(frozen=True)
class Sample:
    """One server under one workload, once.

    Args:
        round: what was measured in the same one was measured a few seconds apart.
        workload: its name.
        server: its name.
        per_second: requests answered in a second.
        per_cpu_second: requests answered for a second of the server's CPU time.
        busy: CPU seconds that the server took in a second: below 1 it waited for the load.
    """

    round: int
    workload: str
    server: str
    per_second: float
    per_cpu_second: float
    busy: float


# Of a core, below which something else than the server set the pace.
_WAITING = 0.8


@dataclass(frozen=True)
class Spread:
    """The middle and the ends of a few values."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of one value at least."""
        return cls(median(values), min(values), max(values))


def ratios(
    samples: Sequence[Sample], *, workload: str, server: str, base: str, quantity: Quantity
) -> Spread | None:
    """How many times what another server did a server did, round by round.

    The machine is quicker at one time than at another; the two numbers of a round's ratio were
    measured at about the same time. None where one of the servers was not measured.
    """
    of_server = _by_round(samples, workload, server, quantity)
    of_base = _by_round(samples, workload, base, quantity)
    found = [of_server[number] / of_base[number] for number in of_server.keys() & of_base.keys()]
    return Spread.of(found) if found else None


def had_to_wait(samples: Sequence[Sample], *, workload: str, server: str) -> bool:
    """Whether the server could have done more in a second, had it been asked, or heard, sooner."""
    busy = [one.busy for one in samples if (one.workload, one.server) == (workload, server)]
    return bool(busy) and median(busy) < _WAITING


def _by_round(
    samples: Sequence[Sample], workload: str, server: str, quantity: Quantity
) -> dict[int, float]:
    return {
        sample.round: getattr(sample, quantity)
        for sample in samples
        if (sample.workload, sample.server) == (workload, server)
    }


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all are not above (nearest rank).

    Args:
        values: in any order; one at least.
        percent: above 0, to 100.
    """
    return sorted(values)[max(0, ceil(len(values) * percent / 100) - 1)]
