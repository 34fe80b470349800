"""Counters of requests: plain numbers in the thread that sends, added up once a second.

The front serves some ten thousand requests a second from one thread, so each of its responses
carries the `Counter` that counts it: no look-up, no lock. Flask's threads count with a lock.
"""

import collections
from collections.abc import Iterable, Mapping
from enum import StrEnum
from threading import Lock
from typing import NamedTuple

from shared.measures import BOUNDS, BUCKETS, SUM, Counted, Measure, bucket_of
from shared.outcomes import Served

# Most responses of the front take less than this many seconds, and need no search of the buckets.
QUICK = BOUNDS[Measure.REQUEST_SECONDS][0]
_QUICK_BUCKET = BUCKETS[Measure.REQUEST_SECONDS][0]
_MAX_NAMES = 2000  # on-demand names that are counted individually between two reports


class Route(StrEnum):
    """Route labels of paths that are not resources; the table of kinds has those of resources."""

    VIEW = "/view/{direction}/{count}/{metric}"
    HEALTHCHECK = "/healthcheck"
    LIVEZ = "/livez"
    METRICS = "/metrics"
    STATUS = "/status"
    STATUS_JSON = "/status.json"
    STATUS_ACTION = "/status/{action}"
    RUNBOOK = "/status/runbooks/{name}"
    WEBHOOK = "/webhooks/github"
    OPENAPI = "/openapi.json"
    OPERATIONS = "/operations"
    RATE_LIMIT = "/rate_limit"
    CHANGES = "/changes"
    OTHER = "other"


def served_by_status(status: int) -> Served:
    """The `Served` outcome of a response that carries no cached content, by its status."""
    if status < 400:
        return Served.OWN
    if status < 500 or status == 504:  # which only a client that asks for it gets
        return Served.REFUSED
    return Served.UNAVAILABLE if status == 503 else Served.FAILED


class RequestLabels(NamedTuple):
    """The labels under which a request and its response are counted.

    Args:
        route: path template of the request.
        served: outcome.
        status: HTTP status.
        is_stale: whether the response carries stale content.
        name: of an on-demand resource; None for any other.
    """

    route: str
    served: Served
    status: int
    is_stale: bool = False
    name: str | None = None

    @classmethod
    def without_content(cls, route: Route, status: int) -> "RequestLabels":
        """The labels of a response that carries no cached content."""
        return cls(route, served_by_status(status), status)


class Counter:
    """The requests with the same labels that one thread has served; only that thread writes."""

    __slots__ = ("labels", "requests", "seconds", "slow")

    def __init__(self, labels: RequestLabels) -> None:
        self.labels = labels
        self.requests = 0
        self.seconds = 0.0
        self.slow: list[float] = []  # seconds of each response that took more than `QUICK`

    def count(self, seconds: float) -> None:
        """Count one more request, which took so many seconds."""
        self.requests += 1
        self.seconds += seconds
        if seconds > QUICK:
            self.slow.append(seconds)


class LocalCounters:
    """The counters of one thread."""

    def __init__(self) -> None:
        self._counters: dict[RequestLabels, Counter] = {}

    def of(self, labels: RequestLabels) -> Counter:
        """The counter for some labels, valid until the next `take`."""
        counter = self._counters.get(labels)
        if counter is None:
            counter = self._counters[labels] = Counter(labels)
        return counter

    def take(self) -> list[Counter]:
        """All counters, to be added up; callers must not increment them afterwards."""
        taken, self._counters = self._counters, {}
        return list(taken.values())


class Counters:
    """All that a reader process has counted since its start; for any thread."""

    def __init__(self) -> None:
        self._counts: collections.Counter[Counted] = collections.Counter()
        self._names: collections.Counter[str] = collections.Counter()
        self._lock = Lock()

    def count(self, measure: Measure, *labels: str, by: float = 1) -> None:
        """Add to the count of a measure."""
        with self._lock:
            self._add((measure, labels), by)

    def add(self, local_counters: Iterable[Counter]) -> None:
        """Add up counters that no thread increments any more."""
        with self._lock:
            for counter in local_counters:
                self._add_counter(counter)

    def answered(self, labels: RequestLabels, seconds: float) -> None:
        """Count one request."""
        counter = Counter(labels)
        counter.count(seconds)
        self.add([counter])

    def counts(self) -> Mapping[Counted, float]:
        """A copy of all counts."""
        with self._lock:
            return dict(self._counts)

    def take_names(self) -> Mapping[str, int]:
        """Numbers of requests by on-demand name since the last call."""
        with self._lock:
            names, self._names = self._names, collections.Counter()
            return names

    def _add(self, counted: Counted, by: float) -> None:
        # A Counter's values may be any numbers, but its type allows only integers.
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
