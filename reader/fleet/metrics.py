"""`/metrics`: all counters and gauges in Prometheus's text format.

The only module that names metrics. It has three sources: the counters of this node's processes,
the state of its tracked content, and the counters of the refreshers, which are in Redis for the
whole fleet. The last are the same at every reader: take one of them (`max without (instance)`)
instead of adding them up.

Label values come from closed sets: routes are templates, resources the tracked ones, credentials
digests. Paths and addresses of clients are never labels.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from reader.fleet.disclosure import public_fleet, public_views
from reader.fleet.privileged_credentials import privileged
from reader.fleet.queue_view import Queued
from reader.fleet.view import Fleet, NodeView, TrackedView
from reader.temporary_files import Use
from shared.holds import Hold, HoldKind
from shared.lost_deliveries import Fate
from shared.measures import Labels, Measure, Measures
from shared.mended import Damage
from shared.outcomes import DriftCheck, RefreshOutcome
from shared.queue_order import Lane, Priority
from shared.redis.trouble import REFUSING, Trouble
from shared.version import VERSION

CONTENT_TYPE = CONTENT_TYPE_LATEST
PREFIX = "api_read_cache_"


@dataclass(frozen=True)
class _Counter:
    measure: Measure
    name: str
    help: str
    labels: Sequence[str] = ()


_NODE_COUNTERS = (
    _Counter(
        Measure.REQUESTS,
        "requests_total",
        "Responses by route, outcome and status.",
        ("route", "outcome", "status"),
    ),
    _Counter(Measure.STALE, "stale_responses_total", "Responses with stale content.", ("route",)),
    _Counter(
        Measure.ASKED,
        "refreshes_asked_total",
        "Requests for a refresh, by result.",
        ("result",),
    ),
    _Counter(
        Measure.REFUSALS,
        "refusals_total",
        "Requests for content that was not held and that got a 429 or a 503, by cause.",
        ("cause",),
    ),
    _Counter(Measure.REDIS_READS, "redis_reads_total", "State checks and bodies read.", ("what",)),
    _Counter(Measure.ANNOUNCEMENTS, "announcements_total", "Announcements received."),
)
_FLEET_COUNTERS = (
    _Counter(
        Measure.ORIGIN_REQUESTS,
        "origin_requests_total",
        'Requests to GitHub, by status; "none" for no response.',
        ("status",),
    ),
    _Counter(
        Measure.POINTS,
        "points_used_total",
        "Requests that counted against a credential's rate limit.",
        ("credential",),
    ),
    _Counter(Measure.REFRESHES, "refreshes_total", "Refreshes by outcome.", ("kind", "outcome")),
    _Counter(
        Measure.FAILURES, "refresh_failures_total", "Failed refreshes by reason.", ("reason",)
    ),
)
# Outcomes of a refresh that involve another refresh's lock, and their label.
_CONTENTION = {RefreshOutcome.BUSY: "held", RefreshOutcome.FENCED: "lost"}

_DRIFT_CHECKS = _Counter(
    Measure.DRIFT_CHECKS,
    "drift_checks_total",
    "Comparisons of a stored page with GitHub's unconditional answer, by result.",
    ("result",),
)

_NOT_QUEUED = Queued(0, 0.0)


def expose(
    node: NodeView,
    tracked: Sequence[TrackedView],
    fleet: Fleet | None,
    refusing: Trouble | None = None,
    holds: Sequence[Hold] = (),
) -> bytes:
    """The metrics in Prometheus's text format.

    Args:
        node: counters and gauges of this node.
        tracked: the tracked resources in this process's memory.
        fleet: from Redis; None while Redis is unavailable.
        refusing: why Redis refuses the writes of this process; None if it takes them.
        holds: what holds something back, as everybody may see it.

    Paths of `TRACK` that cannot be served are counted, and not named.
    """
    withheld = _gauge(
        "tracked_paths_withheld",
        "Paths of TRACK that this process cannot serve, or for which clients get an error.",
        len(tracked) - len(public_views(tracked)),
    )
    shown = [withheld, _refusing(refusing), _held_back(holds)]
    shown += _tracked(public_views(tracked))
    public = _fleet(None if fleet is None else public_fleet(fleet))
    return generate_latest(_Collected([*_node(node), *shown, *public]))


class _Collected(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _node(node: NodeView) -> Iterator[Metric]:
    info = GaugeMetricFamily(PREFIX + "build_info", "The running version.", labels=["version"])
    info.add_metric([VERSION], 1)
    yield info
    yield _gauge("reader_processes", "Reader processes of this node.", node.processes)
    yield from _counters(_NODE_COUNTERS, node.measures)
    yield _histogram(
        node.measures,
        Measure.REQUEST_SECONDS,
        "request_duration_seconds",
        "From a request's arrival in the process to the writing of its response.",
        ["outcome"],
    )
    for what, unit in (("local_entries", "Entries"), ("local_bytes", "Bytes")):
        family = GaugeMetricFamily(
            PREFIX + what, f"{unit} in the memory of this node's processes.", labels=["kind"]
        )
        for name, value in node.gauges.items():
            if name.startswith(what):
                family.add_metric([name.partition("|")[2]], value)
        yield family
    failing = GaugeMetricFamily(
        PREFIX + "temporary_files_failing",
        "Processes of this node that cannot write temporary files, by what they are for.",
        labels=["use"],
    )
    for use in Use:
        failing.add_metric([use], node.gauges.get(f"temporary_files_failing|{use}", 0))
    yield failing
    for name, text in (
        ("connections", "Open connections."),
        ("waiting_requests", "Requests that are waiting for content."),
        ("change_followers", "Followers of the change feed."),
    ):
        yield _gauge(name, text, node.gauges.get(name, 0))


def _tracked(tracked: Sequence[TrackedView]) -> Iterator[Metric]:
    held = _by_resource("resource_servable", "Whether this process can serve the resource.")
    age = _by_resource("resource_age_seconds", "Seconds since GitHub confirmed the content.")
    ends = _by_resource("resource_fresh_until_timestamp_seconds", "When the content becomes stale.")
    size = _by_resource("resource_size_bytes", "Bytes of the content, uncompressed.")
    items = _by_resource("resource_items", "Number of items of the list.")
    for view in tracked:
        name, metadata = [view.resource.name], view.metadata
        held.add_metric(name, metadata is not None)
        if metadata is None:
            continue
        age.add_metric(name, view.age)
        ends.add_metric(name, metadata.fresh_until)
        size.add_metric(name, metadata.size)
        if metadata.items is not None:
            items.add_metric(name, metadata.items)
    yield from (held, age, ends, size, items)


def _refusing(refusing: Trouble | None) -> Metric:
    family = GaugeMetricFamily(
        PREFIX + "redis_refuses_writes",
        "Whether Redis refuses the writes of this process, by trouble.",
        labels=["trouble"],
    )
    for trouble in sorted(REFUSING):
        family.add_metric([trouble], trouble is refusing)
    return family


def _held_back(holds: Sequence[Hold]) -> Metric:
    family = GaugeMetricFamily(
        PREFIX + "held_back", "What holds something back, by kind.", labels=["hold"]
    )
    counts = Counter(hold.kind for hold in holds)
    for kind in HoldKind:
        family.add_metric([kind], counts[kind])
    return family


def _redis(fleet: Fleet) -> Iterator[Metric]:
    """Every kind of damage is there from the start, so that the first one is an increase."""
    mended = CounterMetricFamily(
        PREFIX + "redis_mended_values_total",
        "Damaged values in Redis that refreshers have mended: of another type, or without expiry.",
        labels=["damage"],
    )
    for damage in Damage:
        mended.add_metric([damage], fleet.measures.of(Measure.MENDED).get((damage,), 0))
    yield mended
    yield _gauge(
        "redis_damaged_parts",
        "Parts of what the fleet reports that cannot be read, because a value is damaged.",
        len(fleet.damaged),
    )
    evicted = CounterMetricFamily(
        PREFIX + "redis_evicted_keys_total", "Keys that Redis has evicted since it started."
    )
    evicted.add_metric([], fleet.redis.evicted)
    yield evicted


def _fleet(fleet: Fleet | None) -> Iterator[Metric]:
    yield _gauge("redis_up", "Whether Redis responds to this reader.", fleet is not None)
    if fleet is None:
        return
    yield from _counters(_FLEET_COUNTERS, fleet.measures)
    contention = CounterMetricFamily(
        PREFIX + "lock_contention_total",
        "Refreshes that found another one's lock (held), or lost their own (lost).",
        labels=["what"],
    )
    refreshes = fleet.measures.of(Measure.REFRESHES)
    for outcome, what in _CONTENTION.items():
        met = sum(number for labels, number in refreshes.items() if labels[1:] == (outcome,))
        contention.add_metric([what], met)
    yield contention
    yield _histogram(
        fleet.measures,
        Measure.ORIGIN_SECONDS,
        "origin_request_duration_seconds",
        "A request to GitHub, until the last byte of its response.",
        [],
    )
    yield _histogram(
        fleet.measures,
        Measure.REFRESH_SECONDS,
        "refresh_duration_seconds",
        "Refreshes that requested something from GitHub.",
        [],
    )
    yield _histogram(
        fleet.measures,
        Measure.QUEUE_SECONDS,
        "queue_duration_seconds",
        "Time of refreshes in the queue, until a refresher took them.",
        ["lane", "priority"],
    )
    yield from _budgets(fleet)
    yield _gauge(
        "privileged_credentials",
        "Credentials that see more than the public.",
        sum(1 for _ in privileged(fleet.budgets)),
    )
    yield _gauge(
        "unknown_fields",
        "Keys of GitHub's responses of the last week that are dropped: no public shape has them.",
        len(fleet.unknown_fields),
    )
    yield from _failing(fleet)
    yield from _redelivery(fleet)
    yield from _processes(fleet)


def _redelivery(fleet: Fleet) -> Iterator[Metric]:
    report = fleet.redelivery
    if report is None:
        return
    fates = CounterMetricFamily(
        PREFIX + "lost_deliveries_total",
        "Lost deliveries of webhooks, by what became of them.",
        labels=["fate"],
    )
    for fate in Fate:  # with a 0 from the beginning, so that the first one is an increase
        fates.add_metric([fate], fleet.measures.of(Measure.DELIVERIES).get((fate,), 0))
    yield fates
    yield _gauge(
        "lost_deliveries_looked_at_timestamp_seconds",
        "When refreshers last looked for lost deliveries of webhooks.",
        report.at,
    )
    yield _gauge(
        "lost_deliveries_interval_seconds", "Seconds between two such looks.", report.interval
    )
    yield _gauge(
        "lost_deliveries_unlisted_sources",
        "Organisations, and the GitHub App, whose deliveries could not be listed.",
        len(report.problems),
    )
    yield _gauge(
        "lost_deliveries", "Lost deliveries that GitHub is asked to send again.", report.waiting
    )


def _processes(fleet: Fleet) -> Iterator[Metric]:
    yield _drift_checks(fleet.measures)
    yield from _redis(fleet)
    yield from _queue(fleet)
    help_text = "Tracked resources that are looked at again after an event."
    yield _gauge("resources_looked_at_again", help_text, fleet.looks)
    help_text = "Repositories that GitHub reported as made private or deleted in the last hour."
    yield _gauge("repositories_withdrawn", help_text, fleet.withdrawn)
    yield _gauge("refreshing_paused", "Whether refreshing is paused.", fleet.suspended)
    yield _gauge(
        "origin_paused_until_timestamp_seconds",
        "Until when GitHub gets no requests, after a secondary rate limit; 0 if it does.",
        fleet.origin_paused_until,
    )
    workers = GaugeMetricFamily(
        PREFIX + "workers", "Running refreshers, by state.", labels=["state"]
    )
    for state in ("idle", "busy", "suspended"):
        workers.add_metric([state], sum(one.state == state for one in fleet.workers))
    yield workers
    at_work = GaugeMetricFamily(
        PREFIX + "refreshes_running", "Refreshes at work, by lane.", labels=["lane"]
    )
    for lane in Lane:
        at_work.add_metric([lane], sum(one.running.get(lane, 0) for one in fleet.workers))
    yield at_work
    yield _gauge(
        "refresh_slots",
        "Refreshes that all refreshers together can do at once.",
        sum(1 if one.slots is None else one.slots for one in fleet.workers),
    )
    skew = GaugeMetricFamily(
        PREFIX + "clock_skew_seconds",
        "The largest number of seconds that a machine's clock is away from Redis's, by process.",
        labels=["process"],
    )
    for process, running in (("reader", fleet.readers), ("refresher", fleet.workers)):
        skew.add_metric([process], max((abs(one.skew) for one in running), default=0))
    yield skew
    yield _gauge("schedulers", "Running schedulers.", fleet.schedulers)
    yield _gauge("readers", "Running reader processes of all nodes.", len(fleet.readers))


def _queue(fleet: Fleet) -> Iterator[Metric]:
    yield _gauge("queue_length", "Queued refreshes.", fleet.queue_length)
    labels = ["lane", "priority"]
    jobs = GaugeMetricFamily(
        PREFIX + "queued_refreshes", "Queued refreshes, by lane and priority.", labels=labels
    )
    longest = GaugeMetricFamily(
        PREFIX + "queued_longest_seconds",
        "How long ago the oldest of them was requested.",
        labels=labels,
    )
    for lane in Lane:
        for priority in Priority:
            queued = fleet.queue.get((lane, priority), _NOT_QUEUED)
            jobs.add_metric([lane, priority], queued.jobs)
            longest.add_metric([lane, priority], queued.longest)
    yield from (jobs, longest)


def _budgets(fleet: Fleet) -> Iterator[Metric]:
    labels = ["credential", "class"]
    left = GaugeMetricFamily(
        PREFIX + "points_remaining", "Requests left of a credential's rate limit.", labels=labels
    )
    limit = GaugeMetricFamily(PREFIX + "points_limit", "A credential's rate limit.", labels=labels)
    reset = GaugeMetricFamily(
        PREFIX + "points_reset_timestamp_seconds", "When the rate limit resets.", labels=labels
    )
    for budget in fleet.budgets:
        name = [budget.credential, budget.resource_class]
        left.add_metric(name, budget.remaining)
        limit.add_metric(name, budget.limit)
        reset.add_metric(name, budget.resets_at)
    yield from (left, limit, reset)
    if fleet.points is not None:
        minute = GaugeMetricFamily(
            PREFIX + "minute_points_remaining",
            "Requests to GitHub that may be sent now, by whose share of the minute they are.",
            labels=["party"],
        )
        minute.add_metric(["tracked"], fleet.points.tracked)
        minute.add_metric(["on-demand"], fleet.points.on_demand)
        yield minute


def _failing(fleet: Fleet) -> Iterator[Metric]:
    failures = _by_resource("resource_failures_in_a_row", "Consecutive failed refreshes.")
    retry = _by_resource("resource_retry_timestamp_seconds", "When a failed refresh is retried.")
    for view in fleet.tracked:
        name, failure = [view.resource.name], view.failure
        failures.add_metric(name, failure.attempts if failure else 0)
        if failure is not None:
            retry.add_metric(name, failure.retry_at)
    yield from (failures, retry)


def _counters(table: Iterable[_Counter], measures: Measures) -> Iterator[Metric]:
    for row in table:
        family = CounterMetricFamily(PREFIX + row.name, row.help, labels=list(row.labels))
        for labels, number in sorted(_of_length(measures.of(row.measure), len(row.labels))):
            family.add_metric(labels, number)
        if not row.labels and not family.samples:
            family.add_metric([], 0)
        yield family


def _of_length(counts: Mapping[Labels, float], length: int) -> Iterator[tuple[Labels, float]]:
    """The counts with so many labels: another version may use more."""
    return ((labels, number) for labels, number in counts.items() if len(labels) == length)


def _drift_checks(measures: Measures) -> Metric:
    """Every result is there from the start: an alert would not see the first drift otherwise."""
    row, counts = _DRIFT_CHECKS, measures.of(Measure.DRIFT_CHECKS)
    family = CounterMetricFamily(PREFIX + row.name, row.help, labels=list(row.labels))
    for result in DriftCheck:
        family.add_metric([result], counts.get((result,), 0))
    return family


def _histogram(
    measures: Measures, measure: Measure, name: str, text: str, labels: Sequence[str]
) -> Metric:
    family = HistogramMetricFamily(PREFIX + name, text, labels=list(labels))
    for found, histogram in sorted(measures.histograms(measure).items()):
        family.add_metric(found, list(histogram.buckets), histogram.total)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _by_resource(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, labels=["resource"])
