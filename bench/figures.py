"""Figures from measurements: percentiles, and ratios within a round."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Literal

# Fields of `Sample` that have ratios.
Quantity = Literal["per_second", "per_cpu_second"]


@dataclass(frozen=True)
class Sample:
    """One measurement of one server under one workload.

    Args:
        round: measurements of one round are a few seconds apart.
        workload: its name.
        server: its name.
        per_second: responses in a second.
        per_cpu_second: responses for a second of the server's CPU time.
        busy: CPU seconds that the server used in a second: below 1 it waited for the load.
    """

    round: int
    workload: str
    server: str
    per_second: float
    per_cpu_second: float
    busy: float


# Share of a core; below it something other than the server was the bottleneck.
_WAITING = 0.8


@dataclass(frozen=True)
class Spread:
    """Median and range of a few values."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of at least one value."""
        return cls(median(values), min(values), max(values))


def ratios(
    samples: Sequence[Sample], *, workload: str, server: str, base: str, quantity: Quantity
) -> Spread | None:
    """Ratios of one server to another, round by round; None if one was not measured.

    The machine's speed varies; the two numbers of a round's ratio were measured at about the same
    time.
    """
    of_server = _by_round(samples, workload, server, quantity)
    of_base = _by_round(samples, workload, base, quantity)
    found = [of_server[number] / of_base[number] for number in of_server.keys() & of_base.keys()]
    return Spread.of(found) if found else None


def had_to_wait(samples: Sequence[Sample], *, workload: str, server: str) -> bool:
    """Whether the server waited for its load or its client, and could have done more."""
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
    """The smallest value that `percent` of all values do not exceed (nearest rank).

    Args:
        values: in any order; at least one.
        percent: above 0, to 100.
    """
    return sorted(values)[max(0, ceil(len(values) * percent / 100) - 1)]
