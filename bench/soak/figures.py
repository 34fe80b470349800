"""Figures from a soak's requests and samples: percentiles, ratios, growth. Pure."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.figures import Spread, percentile
from bench.soak.request_mix import COLD, HELD
from bench.soak.samples import Sample
from bench.soak.shape import WITH, WITHOUT, Shape

_SETTLING = 0.25  # share of a compared window, at its begin, in which clients connect
_YOUNG = 0.2  # share of a process's life in which it loads content
_FEWEST = 40  # samples of a process; fewer say nothing about growth
_GROWTH = 0.01  # share, from one quarter of the rest of its life to the next
_AT_ALL = 4_000_000  # bytes; less growth is noise


@dataclass(frozen=True)
class Request:
    """One request of a well-behaved client.

    Args:
        due: seconds since the run's begin.
        took: seconds from then until the response was complete.
        noticed: seconds from then until the generator noticed, which the server did not cause.
        kind: name of its kind.
        group: of its kind.
        outcome: a status, or the failure.
    """

    due: float
    took: float
    noticed: float
    kind: str
    group: str
    outcome: str

    @property
    def is_right(self) -> bool:
        """Whether the outcome is right.

        Cold names may be refused with a 503 while GitHub or Redis is down.
        """
        right = {"200", "304"} if self.group != COLD else {"200", "304", "503"}
        return self.outcome in right


@dataclass(frozen=True)
class Times:
    """Percentiles of some requests' times and of the generator's own delay, in milliseconds."""

    requests: int
    p50: float
    p99: float
    p999: float
    worst: float
    generator_p99: float

    @classmethod
    def of(cls, requests: Sequence[Request]) -> "Times | None":
        """The times of requests; None if there are none."""
        if not requests:
            return None
        took = sorted(1000 * one.took for one in requests)
        p50, p99, p999 = (percentile(took, percent) for percent in (50, 99, 99.9))
        late = percentile([1000 * one.noticed for one in requests], 99)
        return cls(len(requests), p50, p99, p999, took[-1], late)


def by_phase(requests: Iterable[Request], shape: Shape) -> dict[str, list[Request]]:
    """The requests of each phase, in the hour's order; a request belongs where it was due."""
    found: dict[str, list[Request]] = {name: [] for name in shape.phases()}
    for one in requests:
        found[shape.phase(one.due)].append(one)
    return found


def errors(requests: Iterable[Request]) -> dict[str, int]:
    """Number of failures by kind of request and outcome."""
    return dict(Counter(f"{one.kind}: {one.outcome}" for one in requests if not one.is_right))


def settled(windows: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Windows without their begin."""
    return [(begin + _SETTLING * (end - begin), end) for begin, end in windows]


def within(requests: Iterable[Request], window: tuple[float, float]) -> list[Request]:
    """The requests that were due in a window."""
    return [one for one in requests if window[0] <= one.due < window[1]]


def ratios(requests: Sequence[Request], shape: Shape) -> dict[str, Spread]:
    """Ratios of the times of held content with slow clients to those without.

    They are taken within a pair: its two windows follow each other, so that other work of the
    machine affects both alike.
    """
    held = [one for one in requests if one.group == HELD]
    pairs = zip(settled(shape.windows(WITHOUT)), settled(shape.windows(WITH)), strict=True)
    times = [
        (Times.of(within(held, without)), Times.of(within(held, with_))) for without, with_ in pairs
    ]
    found = {}
    for name in ("p50", "p99", "p999"):
        values = [getattr(b, name) / getattr(a, name) for a, b in times if a and b]
        if values:
            found[name] = Spread.of(values)
    return found


def mean_shares(samples: Sequence[Sample], window: tuple[float, float]) -> dict[str, float]:
    """Mean share of a core that each group of processes used in a window."""
    inside = [one.shares for one in samples if window[0] <= one.at < window[1]]
    names = dict.fromkeys(name for shares in inside for name in shares)
    return {name: sum(one.get(name, 0.0) for one in inside) / len(inside) for name in names}


def lives(samples: Sequence[Sample]) -> dict[str, list[tuple[float, int]]]:
    """Times and memory in bytes of each reader process."""
    found: dict[str, list[tuple[float, int]]] = {}
    for sample in samples:
        for pid, held in sample.readers.items():
            found.setdefault(pid, []).append((sample.at, held.rss))
    return found


def keeps_growing(sizes: Sequence[int]) -> bool:
    """Whether a process's memory keeps growing.

    A leak grows in each quarter of the process's life; content that was loaded once, or comes and
    goes, does not.

    Args:
        sizes: of a process, from its first second to its last, evenly spaced.
    """
    if len(sizes) < _FEWEST:
        return False
    grown = sizes[int(_YOUNG * len(sizes)) :]
    quarters = [
        median(grown[place * len(grown) // 4 : (place + 1) * len(grown) // 4]) for place in range(4)
    ]
    steps = [later / earlier - 1 for earlier, later in itertools.pairwise(quarters)]
    return min(steps) > _GROWTH and quarters[-1] - quarters[0] > _AT_ALL


def total_rss(samples: Sequence[Sample], window: tuple[float, float]) -> list[int]:
    """Total memory of all reader processes in each sample of a window, in bytes."""
    return [_rss(one) for one in samples if window[0] <= one.at < window[1]]


def _rss(sample: Sample) -> int:
    return sum(held.rss for held in sample.readers.values())


def cost_of_slow_clients(
    samples: Sequence[Sample], shape: Shape, number: int
) -> Mapping[str, float] | None:
    """Bytes that each slow client cost the readers and the kernel at first.

    The maximum of the first phase with them, less the last value before: other growth at that time
    counts as theirs. None if there are too few samples.
    """
    came = shape.slow_clients()[0][0]
    before = [one for one in samples if one.at < came][-3:]
    after = [one for one in samples if came <= one.at < shape.phases()["crowd"][1]]
    if not before or not after:
        return None
    rss = max(map(_rss, after)) - median(map(_rss, before))
    kernel = max(one.kernel for one in after) - median(one.kernel for one in before)
    return {"reader": rss / number, "kernel": kernel / number}
