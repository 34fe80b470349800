"""What readers expose for Prometheus, with everything in it that there can be."""

from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from reader.fleet.heartbeats import ReaderReport
from reader.fleet.metrics import expose
from reader.fleet.queue_view import Queued
from reader.fleet.view import Fleet, NodeView, TrackedView
from reader.fleet.workers import WorkerView
from reader.telemetry.counters import Route
from reader.temporary_files import Use
from shared.budgets import CredentialBudget
from shared.lost_deliveries import Fate, LookReport, SourceReport
from shared.measures import BUCKETS, SUM, Labels, Measure, Measures
from shared.outcomes import FailureKind, RefreshOutcome, Refusal, Served
from shared.point_buckets import Points
from shared.queue_order import Lane, Priority
from shared.queueing import Asked
from tests.builders import CATALOGUE, NOW, make_failure, make_metadata

KINDS = ("tracked", "on-demand")


def every(*vocabularies: Any) -> dict[Labels, float]:
    """A count of 1 for each combination of words."""
    return {tuple(str(word) for word in words): 1.0 for words in product(*vocabularies)}


def buckets(measure: Measure, *vocabularies: Any) -> dict[Labels, float]:
    """A histogram's counts, for each combination of words."""
    return every(*vocabularies, [*BUCKETS[measure], SUM])


def a_node() -> NodeView:
    """A node that has answered everything in every way."""
    statuses = ("200", "304", "404", "405", "500", "503", "504")
    counts: dict[Measure, Mapping[Labels, float]] = {
        Measure.REQUESTS: every(Route, Served, statuses),
        Measure.STALE: every(Route),
        Measure.ASKED: every(Asked),
        Measure.REFUSALS: every(Refusal),
        Measure.REDIS_READS: every(("look", "body")),
        Measure.ANNOUNCEMENTS: {(): 1.0},
        Measure.REQUEST_SECONDS: buckets(Measure.REQUEST_SECONDS, Served),
    }
    names = [f"{what}|{kind}" for what, kind in product(("local_entries", "local_bytes"), KINDS)]
    names += [f"temporary_files_failing|{use}" for use in Use]
    gauges = dict.fromkeys([*names, "connections", "waiting_requests"], 1.0)
    return NodeView(Measures(counts), gauges, processes=2)


def a_fleet() -> Fleet:
    """A fleet that has seen everything."""
    statuses = ("200", "304", "401", "403", "404", "429", "502", "none")
    counts: dict[Measure, Mapping[Labels, float]] = {
        Measure.ORIGIN_REQUESTS: every(statuses),
        Measure.ORIGIN_SECONDS: buckets(Measure.ORIGIN_SECONDS),
        Measure.POINTS: every(("abcdef",)),
        Measure.REFRESHES: every(KINDS, RefreshOutcome),
        Measure.REFRESH_SECONDS: buckets(Measure.REFRESH_SECONDS),
        Measure.FAILURES: every(FailureKind),
        Measure.QUEUE_SECONDS: buckets(Measure.QUEUE_SECONDS, Lane, Priority),
        Measure.DELIVERIES: every(Fate),
    }
    report = ReaderReport("a:5000", 1, "1", NOW, NOW, 1, 1.0, 1, 1, 1, 1, 0)
    states = ("idle", "busy", "suspended")
    return Fleet(
        now=NOW,
        tracked=[TrackedView(one, NOW, None, make_failure()) for one in CATALOGUE.tracked],
        budgets=[
            CredentialBudget("abcdef", "core", 5000, 4000, NOW + 60),
            CredentialBudget("abcdef", "search", 30, 29, NOW + 60),
            CredentialBudget("anonymous", "core", 60, 50, NOW + 60),
        ],
        readers=[report],
        workers=[WorkerView(state, "a", 1, state, NOW, NOW, None, 1, 0) for state in states],
        measures=Measures(counts),
        points=Points(80, 320),
        queue={(Lane.ON_DEMAND, Priority.WAITING): Queued(1, 2.0)},
        redelivery=LookReport(NOW, 300, (SourceReport("Netflix"),)),
    )


def a_text(fleet: Fleet | None) -> str:
    """What a reader of a fleet answers; None for a Redis that is away."""
    metadata = make_metadata(items=3)
    tracked = [TrackedView(resource, NOW, metadata) for resource in CATALOGUE.tracked]
    return expose(a_node(), tracked, fleet).decode()


@cache
def samples() -> Mapping[str, Mapping[str, set[str]]]:
    """The values of each label of each series' name."""
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(a_text(a_fleet())):
        assert family.samples, f"{family.name} is empty here, so that its labels are not known"
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def families(fleet: Fleet | None) -> dict[str, tuple[str, set[str]]]:
    """The type and the labels of each metric."""
    found = {}
    for family in text_string_to_metric_families(a_text(fleet)):
        suffix = "_total" if family.type == "counter" else ""
        labels = {label for sample in family.samples for label in sample.labels}
        found[family.name + suffix] = (family.type, labels - {"le"})
    return found


def of_the_fleet() -> set[str]:
    """The metrics that come from Redis, the same from every reader."""
    return set(families(a_fleet())) - set(families(None))
