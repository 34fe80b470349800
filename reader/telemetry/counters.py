"""Counting answers: plain numbers where they are sent, added up once a second.

The front answers some ten thousand requests a second from one thread, so each of its answers
carries the `Counter` that counts it: no look-up, no lock. Flask's threads count with a lock.
"""

import collections
from collections.abc import Iterable, Mapping
from enum import StrEnum
from threading import Lock
from typing import NamedTuple

from shared.measures import BOUNDS, BUCKETS, SUM, Counted, Measure, bucket_of
from shared.outcomes import Served

# Most answers of the front take less than this many seconds, and are not looked up in the buckets.
QUICK = BOUNDS[Measure.REQUEST_SECONDS][0]
_QUICK_BUCKET = BUCKETS[Measure.REQUEST_SECONDS][0]
_MAX_NAMES = 2000  # on-demand names that are counted apart between two reports


class Route(StrEnum):
    """Route labels of what is not a resource; those of resources stand in the table of kinds."""

    VIEW = "/view/{direction}/{count}/{metric}"
    HEALTHCHECK = "/healthcheck"
    LIVEZ = "/livez"
    METRICS = "/metrics"
    STATUS = "/status"
    STATUS_JSON = "/status.json"
    STATUS_ACTION = "/status/{action}"
    WEBHOOK = "/webhooks/github"
    OPENAPI = "/openapi.json"
    OTHER = "other"


def served_by_status(status: int) -> Served:
    """How an answer was come by that is not content."""
    if status < 400:
        return Served.OWN
    if status < 500:
        return Served.REFUSED
    return Served.UNAVAILABLE if status == 503 else Served.FAILED


class RequestLabels(NamedTuple):
    """A kind of answer.

    Args:
        route: what was asked for.
        served: how it was come by.
        status: HTTP status.
        is_stale: the content was.
        name: of an on-demand resource; None for anything else.
    """

    route: str
    served: Served
    status: int
    is_stale: bool = False
    name: str | None = None


class Counter:
    """The answers of one kind that one thread has sent; nobody else writes to it."""

    __slots__ = ("labels", "requests", "seconds", "slow")

    def __init__(self, labels: RequestLabels) -> None:
        self.labels = labels
        self.requests = 0
        self.seconds = 0.0
        self.slow: list[float] = []  # seconds of each answer that took more than `QUICK`

    def count(self, seconds: float) -> None:
        """One more answer, which took so many seconds."""
        self.requests += 1
        self.seconds += seconds
        if seconds > QUICK:
            self.slow.append(seconds)


class LocalCounters:
    """The tallies of one thread."""

    def __init__(self) -> None:
        self._counters: dict[RequestLabels, Counter] = {}

    def of(self, labels: RequestLabels) -> Counter:
        """The tally of a kind, until they are taken."""
        counter = self._counters.get(labels)
        if counter is None:
            counter = self._counters[labels] = Counter(labels)
        return counter

    def take(self) -> list[Counter]:
        """All tallies, to be added up; whoever still holds one must count with it no more."""
        taken, self._counters = self._counters, {}
        return list(taken.values())


class Counters:
    """All that a reader process has counted since it began; for any thread."""

    def __init__(self) -> None:
        self._counts: collections.Counter[Counted] = collections.Counter()
        self._names: collections.Counter[str] = collections.Counter()
        self._lock = Lock()

    def count(self, measure: Measure, *labels: str, by: float = 1) -> None:
        """Add to a count."""
        with self._lock:
            self._add((measure, labels), by)

    def add(self, local_counters: Iterable[Counter]) -> None:
        """Add up tallies that are counted with no more."""
        with self._lock:
            for counter in local_counters:
                self._add_counter(counter)

    def answered(self, labels: RequestLabels, seconds: float) -> None:
        """Count one answer."""
        counter = Counter(labels)
        counter.count(seconds)
        self.add([counter])

    def counts(self) -> Mapping[Counted, float]:
        """Everything, at this moment."""
        with self._lock:
            return dict(self._counts)

    def take_names(self) -> Mapping[str, int]:
        """How often on-demand resources were asked for since this was called last."""
        with self._lock:
            names, self._names = self._names, collections.Counter()
            return names

    def _add(self, counted: Counted, by: float) -> None:
        # A Counter's values are numbers of any kind; its type says whole ones.
        self._counts[counted] += by  # type: ignore[assignment]

    def _add_counter(self, counter: Counter) -> None:
        labels = counter.labels
        if not counter.requests:
            return
        key = (labels.route, labels.served, str(labels.status))
        self._add((Measure.REQUESTS, key), counter.requests)
        if labels.is_stale:
            self._add((Measure.STALE, (labels.route,)), counter.requests)
        measure = Measure.REQUEST_SECONDS
        quick = counter.requests - len(counter.slow)
        self._add((measure, (labels.served, _QUICK_BUCKET)), quick)
        for seconds in counter.slow:
            self._add((measure, (labels.served, bucket_of(measure, seconds))), 1)
        self._add((measure, (labels.served, SUM)), counter.seconds)
        if labels.name is not None and (
            labels.name in self._names or len(self._names) < _MAX_NAMES
        ):
            self._names[labels.name] += counter.requests
