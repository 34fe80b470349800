"""Counting answers: plain numbers where they are sent, added up once a second.

The front answers some ten thousand requests a second from one thread, so each of its answers
carries the `Tally` that counts it: no look-up, no lock. Flask's threads count with a lock.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from threading import Lock
from typing import NamedTuple

from shared.measures import BOUNDS, BUCKETS, SUM, Counted, Measure, bucket_of
from shared.outcomes import Served
from shared.resources.resource import Resource

# Most answers of the front take less than this many seconds, and are not looked up in the buckets.
QUICK = BOUNDS[Measure.REQUEST_SECONDS][0]
_QUICK_BUCKET = BUCKETS[Measure.REQUEST_SECONDS][0]
_MAX_NAMES = 2000  # on-demand names that are counted apart between two reports


class Route(StrEnum):
    """What was asked for, as a template: a closed set, unlike paths."""

    ROOT = "/"
    ORG = "/orgs/{org}"
    MEMBERS = "/orgs/{org}/members"
    REPOS = "/orgs/{org}/repos"
    VIEW = "/view/{direction}/{count}/{metric}"
    ON_DEMAND = "on-demand"
    HEALTHCHECK = "/healthcheck"
    LIVEZ = "/livez"
    METRICS = "/metrics"
    STATUS = "/status"
    STATUS_JSON = "/status.json"
    STATUS_ACTION = "/status/{action}"
    WEBHOOK = "/webhooks/github"
    OPENAPI = "/openapi.json"
    OTHER = "other"


def route_of(resource: Resource) -> Route:
    """The route of a resource that is asked for by its own path."""
    if not resource.tracked:
        return Route.ON_DEMAND
    depth = resource.path.rstrip("/").count("/")
    if depth < 3:
        return Route.ORG if depth else Route.ROOT
    return Route.REPOS if resource.ranked else Route.MEMBERS


def served_by_status(status: int) -> Served:
    """How an answer was come by that is not content."""
    if status < 400:
        return Served.OWN
    if status < 500:
        return Served.REFUSED
    return Served.UNAVAILABLE if status == 503 else Served.FAILED


class Kind(NamedTuple):
    """A kind of answer.

    Args:
        route: what was asked for.
        served: how it was come by.
        status: HTTP status.
        is_stale: the content was.
        name: of an on-demand resource; None for anything else.
    """

    route: Route
    served: Served
    status: int
    is_stale: bool = False
    name: str | None = None


class Tally:
    """The answers of one kind that one thread has sent; nobody else writes to it."""

    __slots__ = ("kind", "requests", "seconds", "slow")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.requests = 0
        self.seconds = 0.0
        self.slow: list[float] = []  # seconds of each answer that took more than `QUICK`

    def count(self, seconds: float) -> None:
        """One more answer, which took so many seconds."""
        self.requests += 1
        self.seconds += seconds
        if seconds > QUICK:
            self.slow.append(seconds)


class Tallies:
    """The tallies of one thread."""

    def __init__(self) -> None:
        self._tallies: dict[Kind, Tally] = {}

    def of(self, kind: Kind) -> Tally:
        """The tally of a kind, until they are taken."""
        tally = self._tallies.get(kind)
        if tally is None:
            tally = self._tallies[kind] = Tally(kind)
        return tally

    def take(self) -> list[Tally]:
        """All tallies, to be added up; whoever still holds one must count with it no more."""
        taken, self._tallies = self._tallies, {}
        return list(taken.values())


class Totals:
    """All that a reader process has counted since it began; for any thread."""

    def __init__(self) -> None:
        self._counts: Counter[Counted] = Counter()
        self._names: Counter[str] = Counter()
        self._lock = Lock()

    def count(self, measure: Measure, *labels: str, by: float = 1) -> None:
        """Add to a count."""
        with self._lock:
            self._add((measure, labels), by)

    def add(self, tallies: Iterable[Tally]) -> None:
        """Add up tallies that are counted with no more."""
        with self._lock:
            for tally in tallies:
                self._add_tally(tally)

    def answered(self, kind: Kind, seconds: float) -> None:
        """Count one answer."""
        tally = Tally(kind)
        tally.count(seconds)
        self.add([tally])

    def counts(self) -> Mapping[Counted, float]:
        """Everything, at this moment."""
        with self._lock:
            return dict(self._counts)

    def take_names(self) -> Mapping[str, int]:
        """How often on-demand resources were asked for since this was called last."""
        with self._lock:
            names, self._names = self._names, Counter()
            return names

    def _add(self, counted: Counted, by: float) -> None:
        # A Counter's values are numbers of any kind; its type says whole ones.
        self._counts[counted] += by  # type: ignore[assignment]

    def _add_tally(self, tally: Tally) -> None:
        kind = tally.kind
        if not tally.requests:
            return
        labels = (kind.route, kind.served, str(kind.status))
        self._add((Measure.REQUESTS, labels), tally.requests)
        if kind.is_stale:
            self._add((Measure.STALE, (kind.route,)), tally.requests)
        measure = Measure.REQUEST_SECONDS
        quick = tally.requests - len(tally.slow)
        self._add((measure, (kind.served, _QUICK_BUCKET)), quick)
        for seconds in tally.slow:
            self._add((measure, (kind.served, bucket_of(measure, seconds))), 1)
        self._add((measure, (kind.served, SUM)), tally.seconds)
        if kind.name is not None and (kind.name in self._names or len(self._names) < _MAX_NAMES):
            self._names[kind.name] += tally.requests
