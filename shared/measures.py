"""Counters and histograms that only grow: readers count for their node, refreshers for the fleet.

RQ runs each job in a process of its own, which ends before its counters could be read. So
refreshers add theirs up in one Redis hash, where every reader finds them for `/metrics`. Readers
keep theirs on their machine, so that they are available when Redis is not
(`reader.telemetry.process_files`). In both, a field is a measure's name and its labels, joined by
`|`. After a loss of data, counters begin at 0 again, which is what Prometheus expects.

=================  =====================  ==========  ==========================================
measure            labels                 counted by  value
=================  =====================  ==========  ==========================================
requests           route, outcome,        readers     responses
                   status
stale              route                  readers     responses with stale content
request-seconds    outcome, bucket        readers     duration of a request, as a histogram
asked              result                 readers     requests for a refresh
redis-reads        what                   readers     state checks, and bodies read
announcements                             readers     announcements received
refusals               cause                  readers     misses that got a 429 or a 503
origin-requests    status, or "none"      refreshers  requests to the origin
origin-seconds     bucket                 refreshers  time of these on the wire, as a histogram
points             credential             refreshers  requests that count against its rate limit
refreshes          tracked | on-demand,   refreshers  refreshes by outcome
                   outcome
refresh-seconds    bucket                 refreshers  duration of those that asked the origin
failures           kind                   refreshers  failed refreshes by reason
refusals           cause                  readers     misses that got a 429 or a 503
drift-checks       result                 refreshers  comparisons of a stored page with GitHub's
queue-seconds      lane, priority,        refreshers  time of jobs in the queue, as a histogram
                   bucket
mended             damage                 refreshers  damaged values in Redis, see `mended`
deliveries         what                   refreshers  lost deliveries of webhooks, by what became
                                                      of them, see `lost_deliveries.Fate`
=================  =====================  ==========  ==========================================

A bucket's label is its upper bound in seconds; beside the buckets, "sum" holds the total.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from redis import Redis
from redis.client import Pipeline

from shared.redis import keys
from shared.stored_numbers import number_of

_SEPARATOR = "|"
SUM = "sum"


class Measure(StrEnum):
    """The names; see the table above."""

    REQUESTS = "requests"
    STALE = "stale"
    REQUEST_SECONDS = "request-seconds"
    ASKED = "asked"
    REDIS_READS = "redis-reads"
    ANNOUNCEMENTS = "announcements"
    ORIGIN_REQUESTS = "origin-requests"
    ORIGIN_SECONDS = "origin-seconds"
    POINTS = "points"
    REFRESHES = "refreshes"
    REFRESH_SECONDS = "refresh-seconds"
    FAILURES = "failures"
    REFUSALS = "refusals"
    QUEUE_SECONDS = "queue-seconds"
    DELIVERIES = "deliveries"
    DRIFT_CHECKS = "drift-checks"
    MENDED = "mended"


# Upper bounds in seconds, as the labels spell them; the last bucket has none.
BUCKETS: Mapping[Measure, Sequence[str]] = {
    Measure.REQUEST_SECONDS: (
        *("0.0001", "0.0002", "0.0005", "0.001", "0.002", "0.005", "0.01", "0.02", "0.05"),
        *("0.1", "0.2", "0.5", "1", "2", "5", "10", "+Inf"),
    ),
    Measure.ORIGIN_SECONDS: ("0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10", "30", "60", "+Inf"),
    Measure.QUEUE_SECONDS: ("0.01", "0.05", "0.1", "0.5", "1", "2", "5", "10", "30", "60", "+Inf"),
    Measure.REFRESH_SECONDS: ("0.1", "0.5", "1", "2", "5", "10", "30", "60", "300", "900", "+Inf"),
}
BOUNDS: Mapping[Measure, Sequence[float]] = {
    measure: [float(label) for label in labels] for measure, labels in BUCKETS.items()
}

Labels = tuple[str, ...]
Counted = tuple[Measure, Labels]


@dataclass(frozen=True)
class Histogram:
    """A cumulative histogram, as in Prometheus.

    Args:
        buckets: upper bounds in seconds, as labels, each with the number of values up to it.
        total: sum of all values, in seconds.
    """

    buckets: Sequence[tuple[str, float]]
    total: float


def bucket_of(measure: Measure, seconds: float) -> str:
    """The label of the first bucket that a duration fits into."""
    return BUCKETS[measure][bisect_left(BOUNDS[measure], seconds)]


@dataclass(frozen=True)
class Measures:
    """All counters at one time.

    Args:
        counts: by measure and labels.
    """

    counts: Mapping[Measure, Mapping[Labels, float]]

    def of(self, measure: Measure) -> Mapping[Labels, float]:
        """The counters of one measure, by labels."""
        return self.counts.get(measure, {})

    def histograms(self, measure: Measure) -> Mapping[Labels, Histogram]:
        """The cumulative histograms of one of `BUCKETS`, by the labels before the bucket."""
        counts = self.of(measure)
        found = {}
        for labels in dict.fromkeys(labels[:-1] for labels in counts):
            cumulative, buckets = 0.0, []
            for label in BUCKETS[measure]:
                cumulative += counts.get((*labels, label), 0)
                buckets.append((label, cumulative))
            found[labels] = Histogram(buckets, counts.get((*labels, SUM), 0.0))
        return found


def field_of(measure: Measure, labels: Labels) -> str:
    """The field name of a counter."""
    return _SEPARATOR.join([measure, *labels])


def parse(fields: Iterable[tuple[str, float]]) -> Measures:
    """The counters in fields and their values, without measures that this code does not know."""
    known = frozenset(Measure)
    counts: dict[Measure, dict[Labels, float]] = {}
    for field, value in fields:
        name, *labels = field.split(_SEPARATOR)
        if name in known:
            counts.setdefault(Measure(name), {})[tuple(labels)] = value
    return Measures(counts)


def read(redis: Redis) -> Measures:
    """The refreshers' counters; may raise `redis.RedisError`."""
    fields = cast(dict[bytes, bytes], redis.hgetall(keys.MEASURES))
    return parse(
        (field.decode(errors="replace"), number_of(value)) for field, value in fields.items()
    )


def add(pipeline: Pipeline, counts: Mapping[Counted, float]) -> None:
    """Add to the refreshers' counters, in a pipeline."""
    for (measure, labels), by in counts.items():
        pipeline.hincrbyfloat(keys.MEASURES, field_of(measure, labels), by)
