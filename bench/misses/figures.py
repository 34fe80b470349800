"""Figures of misses: one sample of one server, and ratios within a round."""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from bench.figures import Spread, percentile
from bench.misses.load import Loaded, Request
from bench.misses.origin_process import Seen

# Seconds between two requests below which their order says nothing.
_SAME_TIME = 0.02

Quantity = Callable[["Sample"], float | None]


@dataclass(frozen=True)
class Sample:
    """One measurement; times in milliseconds.

    Args:
        round: measurements of one round are close in time.
        phase: what else happens.
        scenario: its name.
        server: its name.
        right: number of right responses.
        failures: number of the others, by outcome.
        per_second: right responses in a second.
        p50: median time of the right responses; None if there are none, as for the next three.
        p99: 99th percentile.
        above_p50: median of the times less the origin's own time for the same object.
        above_p99: 99th percentile of these.
        overtaken: most requests that were sent later than one, and had their responses before it.
        asked: requests for small objects at the origin.
        not_modified: responses with 304 among them.
        at_once: most requests at once at the origin, those for the list included.
        connections: opened to the origin.
        handshakes: TLS handshakes among them.
        list_share: share of the time in which a page of the large list was being requested.
        cpu: CPU seconds by kind of process.
    """

    round: int
    phase: str
    scenario: str
    server: str
    right: int
    failures: Mapping[str, int]
    per_second: float
    p50: float | None
    p99: float | None
    above_p50: float | None
    above_p99: float | None
    overtaken: int
    asked: int
    not_modified: int
    at_once: int
    connections: int
    handshakes: int
    list_share: float
    cpu: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        """Its form in a results file, with few digits."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Place:
    """Where a sample belongs: see `Sample`."""

    round: int
    phase: str
    scenario: str
    server: str


@dataclass(frozen=True)
class AtOrigin:
    """What the origin saw during a sample.

    Args:
        small: requests for small objects.
        pages: requests for the large list.
        at_once: see `Sample`, as for the next two.
        connections: opened.
        handshakes: among them.
    """

    small: Sequence[Seen]
    pages: Sequence[Seen]
    at_once: int
    connections: int
    handshakes: int


def sample_of(
    place: Place, loaded: Loaded, origin: AtOrigin, *, cpu: Mapping[str, float]
) -> Sample:
    """The figures of one measurement.

    Args:
        place: where it belongs.
        loaded: what the clients met; at least one request.
        origin: what the origin saw.
        cpu: CPU seconds of the other processes, by kind.
    """
    right = [one for one in loaded.requests if one.is_right]
    begin = min(one.sent for one in loaded.requests)
    end = max(one.done for one in loaded.requests)
    took = [1000 * (one.done - one.sent) for one in right]
    above = times_above(loaded.requests, origin.small)
    return Sample(
        **asdict(place),
        right=len(right),
        failures=dict(Counter(one.outcome for one in loaded.requests if not one.is_right)),
        per_second=len(right) / (end - begin),
        p50=percentile(took, 50) if took else None,
        p99=percentile(took, 99) if took else None,
        above_p50=percentile(above, 50) if above else None,
        above_p99=percentile(above, 99) if above else None,
        overtaken=most_overtaken(loaded.requests),
        asked=len(origin.small),
        not_modified=sum(one.status == 304 for one in origin.small),
        at_once=origin.at_once,
        connections=origin.connections,
        handshakes=origin.handshakes,
        list_share=share_of_time(origin.pages, begin, end),
        cpu={**cpu, "load": loaded.cpu},
    )


def times_above(requests: Sequence[Request], seen: Sequence[Seen]) -> list[float]:
    """Milliseconds of each right response less the origin's own time for the same object.

    Only objects that one client requested once, and the origin sent once: of others it is not known
    which of the origin's times belongs to which response.
    """
    asked, sent = Counter(one.path for one in requests), Counter(one.target for one in seen)
    own = {one.target: one.left - one.arrived for one in seen if sent[one.target] == 1}
    return [
        1000 * (one.done - one.sent - own[one.path])
        for one in requests
        if one.is_right and asked[one.path] == 1 and one.path in own
    ]


def most_overtaken(requests: Sequence[Request]) -> int:
    """The most requests that were sent after one of them, and had their responses before it."""
    earlier: list[float] = []  # when those were sent that had their responses before, in order
    most = 0
    for one in sorted(requests, key=lambda one: one.done):
        most = max(most, len(earlier) - bisect_right(earlier, one.sent + _SAME_TIME))
        insort(earlier, one.sent)
    return most


def share_of_time(seen: Sequence[Seen], begin: float, end: float) -> float:
    """The share of the time from `begin` to `end` in which at least one request waited."""
    covered, until = 0.0, begin
    for one in sorted(seen, key=lambda one: one.arrived):
        start = max(one.arrived, until)
        if start < min(one.left, end):
            covered += min(one.left, end) - start
        until = max(until, min(one.left, end))
    return covered / (end - begin)


def ratio(
    samples: Sequence[Sample],
    quantity: Quantity,
    *,
    of: tuple[str, str, str],
    to: tuple[str, str, str],
) -> Spread | None:
    """A quantity as a multiple of another sample's of the same round; None without such pairs.

    Args:
        quantity: of a sample; pairs in which it is None or 0 are left out.
        of: phase, scenario and server.
        to: the same of the other samples.
    """
    ours, base = (_by_round(samples, quantity, which) for which in (of, to))
    found = [ours[number] / base[number] for number in ours.keys() & base.keys() if base[number]]
    return Spread.of(found) if found else None


def spread(
    samples: Sequence[Sample], quantity: Quantity, of: tuple[str, str, str]
) -> Spread | None:
    """A quantity over the rounds; None if no round has it."""
    found = list(_by_round(samples, quantity, of).values())
    return Spread.of(found) if found else None


def picked(samples: Sequence[Sample], which: tuple[str, str, str]) -> list[Sample]:
    """The samples of a phase, a scenario and a server."""
    return [one for one in samples if (one.phase, one.scenario, one.server) == which]


def _by_round(
    samples: Sequence[Sample], quantity: Quantity, which: tuple[str, str, str]
) -> dict[int, float]:
    values = ((one.round, quantity(one)) for one in picked(samples, which))
    return {number: value for number, value in values if value is not None}


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {name: _rounded(inner) for name, inner in value.items()}
    return value
