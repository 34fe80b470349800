"""The shape of an hour: rates, slow clients and events over time. Pure.

It converts minutes of the hour to compressed seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

_HOUR = 60.0  # minutes


@dataclass(frozen=True)
class Stretch:
    """A part of the hour in which the rate changes evenly.

    Args:
        phase: its name; stretches of one name are one phase.
        minutes: of the hour.
        begin: rate at its begin, as a multiple of the usual rate.
        end: rate at its end.
        slow_clients: whether slow and rude clients are connected.
    """

    phase: str
    minutes: float
    begin: float = 1.0
    end: float = 1.0
    slow_clients: bool = True


WITHOUT, WITH = "without", "with"
RELOAD, CHANGES, OUTAGE, NO_REDIS = "reload", "changes", "outage", "no Redis"
PAIRS = 4  # of compared windows

HOUR = (
    Stretch("climb", 5, 0.2, 0.6, slow_clients=False),
    Stretch("crowd", 5, 0.6, 1.0),
    *(Stretch("spikes", 1), Stretch("spikes", 1, 3, 3), Stretch("spikes", 1.5)),
    *(Stretch("spikes", 1, 3, 3), Stretch("spikes", 1.5)),
    Stretch("lull", 4, 0.2, 0.2),
    Stretch(RELOAD, 5),
    Stretch(CHANGES, 5),
    Stretch(OUTAGE, 10),
    Stretch("recovery", 3),
    Stretch(NO_REDIS, 1),
    Stretch("Redis back", 3),
    *(Stretch(WITHOUT, 1.5, slow_clients=False), Stretch(WITH, 1.5)) * PAIRS,
    Stretch("evening", 1, 1.0, 0.2, slow_clients=False),
)


@dataclass(frozen=True)
class Placed:
    """A stretch with its place in the run, in seconds since the run's begin."""

    stretch: Stretch
    begin: float
    end: float

    def level(self, at: float) -> float:
        """The rate at a second of it, as a multiple of the usual rate."""
        share = (at - self.begin) / (self.end - self.begin)
        return self.stretch.begin + share * (self.stretch.end - self.stretch.begin)


class Shape:
    """The hour, compressed.

    Args:
        minutes: duration of the run.
        rate: the usual rate, requests a second.
    """

    def __init__(self, minutes: float, rate: float) -> None:
        self._rate = rate
        self._scale = minutes / _HOUR * 60
        self.placed: list[Placed] = []
        at = 0.0
        for stretch in HOUR:
            end = at + self.compressed(60 * stretch.minutes)
            self.placed.append(Placed(stretch, at, end))
            at = end

    @property
    def seconds(self) -> float:
        """Duration of the run."""
        return self.placed[-1].end

    def compressed(self, seconds: float) -> float:
        """Convert seconds of the hour to seconds of the run."""
        return seconds * self._scale / 60

    def rate(self, at: float) -> float:
        """Requests a second at a second of the run; 0 outside of it."""
        found = self._at(at)
        return 0.0 if found is None else self._rate * found.level(at)

    def phase(self, at: float) -> str:
        """The phase of a second; times after the end belong to the last phase."""
        found = self._at(at)
        return (found or self.placed[-1]).stretch.phase

    def phases(self) -> dict[str, tuple[float, float]]:
        """Begin and end of each phase, in order; phases that alternate overlap."""
        found: dict[str, tuple[float, float]] = {}
        for placed in self.placed:
            name = placed.stretch.phase
            found[name] = (found.get(name, (placed.begin, 0.0))[0], placed.end)
        return found

    def windows(self, phase: str) -> list[tuple[float, float]]:
        """Begin and end of each stretch of a phase."""
        return [(one.begin, one.end) for one in self.placed if one.stretch.phase == phase]

    def slow_clients(self) -> list[tuple[float, float]]:
        """Begin and end of the times with slow and rude clients."""
        found: list[tuple[float, float]] = []
        for placed in self.placed:
            if not placed.stretch.slow_clients:
                continue
            if found and found[-1][1] == placed.begin:
                found[-1] = (found[-1][0], placed.end)
            else:
                found.append((placed.begin, placed.end))
        return found

    def arrivals(self, random: Random) -> Iterator[float]:
        """Due times of requests: independent of each other and of the responses (Poisson).

        By thinning (Lewis and Shedler, 1979): arrivals at the highest rate, of which the share is
        kept that the rate at their time requires.
        """
        highest = self._rate * max(max(one.begin, one.end) for one in HOUR)
        at = random.expovariate(highest)
        while at < self.seconds:
            if random.random() * highest < self.rate(at):
                yield at
            at += random.expovariate(highest)

    def _at(self, at: float) -> Placed | None:
        return next((one for one in self.placed if one.begin <= at < one.end), None)
