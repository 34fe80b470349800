"""The text for Prometheus: names, labels from closed sets, and exactly what was counted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from reader.fleet.heartbeats import ReaderReport
from reader.fleet.metrics import CONTENT_TYPE, PREFIX, expose
from reader.fleet.queue_view import Queued
from reader.fleet.redis_state import RedisState
from reader.fleet.view import Fleet, NodeView, TrackedView
from reader.fleet.workers import WorkerView
from reader.telemetry.counters import Route
from reader.temporary_files import Use
from shared.budgets import CredentialBudget
from shared.holds import HoldKind
from shared.measures import BUCKETS, SUM, Labels, Measure, Measures
from shared.outcomes import DriftCheck, FailureKind, RefreshOutcome, Refusal, Served
from shared.point_buckets import Points
from shared.queue_order import Lane, Priority
from shared.redis.trouble import REFUSING, Trouble
from shared.refresh_report import KINDS
from shared.spending import Spent
from shared.version import VERSION
from tests.builders import NOW, make_failure, make_metadata, tracked

ORG, REPOS = tracked("/orgs/Netflix"), tracked("/orgs/Netflix/repos")
NOTHING = NodeView(Measures({}), {}, 1)

# Labels that stand together, in the order that tests have their values in.
ORDER = ("route", "kind", "outcome", "status", "credential", "class", "lane", "priority", "le")
Counts = Mapping[Measure, Mapping[Labels, float]]
Samples = dict[str, dict[Labels, float]]


def families(text: bytes) -> dict[str, Metric]:
    """The metrics of a text, by name; each occurs once, with a help text."""
    found = list(text_string_to_metric_families(text.decode()))
    assert len({one.name for one in found}) == len(found)
    assert all(one.name.startswith(PREFIX) for one in found)
    assert all(one.documentation.endswith(".") for one in found)
    return {one.name.removeprefix(PREFIX): one for one in found}


def samples(text: bytes) -> Samples:
    """All values: by name without its prefix, then by the values of the labels."""
    found: Samples = {}
    for family in families(text).values():
        for sample in family.samples:
            values = found.setdefault(sample.name.removeprefix(PREFIX), {})
            names = sorted(sample.labels, key=ORDER.index) if len(sample.labels) > 1 else None
            labels = tuple(sample.labels[name] for name in names or sample.labels)
            assert labels not in values
            values[labels] = sample.value
    return found


def node_of(counts: Counts) -> Samples:
    """The metrics of a node with these counters."""
    return samples(expose(NodeView(Measures(counts), {}, 1), [], None))


def fleet_of(counts: Counts, **known: Any) -> Samples:
    """The metrics of a fleet whose refreshers have these counters."""
    fleet = replace(Fleet(NOW, measures=Measures(counts)), **known)
    return samples(expose(NOTHING, [], fleet))


def test_the_text_is_of_the_type_that_prometheus_asks_for() -> None:
    assert CONTENT_TYPE.startswith("text/plain; version=")
    assert expose(NOTHING, [], None).endswith(b"\n")


def test_a_node_that_has_done_nothing() -> None:
    assert node_of({}) == {
        "build_info": {(VERSION,): 1},
        "reader_processes": {(): 1},
        "announcements_total": {(): 0},
        "connections": {(): 0},
        "waiting_requests": {(): 0},
        "change_followers": {(): 0},
        "temporary_files_failing": {(use,): 0 for use in Use},
        "tracked_paths_withheld": {(): 0},
        "held_back": {(kind,): 0 for kind in HoldKind},
        "redis_refuses_writes": {(trouble,): 0 for trouble in REFUSING},
        "redis_up": {(): 0},
    }


def test_what_a_node_counted() -> None:
    found = node_of(
        {
            Measure.REQUESTS: {("/", "local", "200"): 7, ("other", "refused", "404"): 2},
            Measure.STALE: {("/",): 3},
            Measure.ASKED: {("queued",): 4},
            Measure.REDIS_READS: {("look",): 50, ("body",): 5},
            Measure.ANNOUNCEMENTS: {(): 6},
        }
    )
    assert found["requests_total"] == {("/", "local", "200"): 7, ("other", "refused", "404"): 2}
    assert found["stale_responses_total"] == {("/",): 3}
    assert found["refreshes_asked_total"] == {("queued",): 4}
    assert found["redis_reads_total"] == {("look",): 50, ("body",): 5}
    assert found["announcements_total"] == {(): 6}


def test_a_count_with_other_labels_is_another_version_s() -> None:
    found = node_of({Measure.REQUESTS: {("/", "local", "200"): 7, ("/", "200"): 1}})
    assert found["requests_total"] == {("/", "local", "200"): 7}


def test_how_much_there_is_in_a_node() -> None:
    gauges = {
        "local_entries|tracked": 4.0,
        "local_entries|on-demand": 2.0,
        "local_bytes|tracked": 1000.0,
        "local_bytes|on-demand": 10.0,
        "connections": 33.0,
        "waiting_requests": 1.0,
        "change_followers": 5.0,
        "temporary_files_failing|counts": 2.0,
    }
    found = samples(expose(NodeView(Measures({}), gauges, 4), [], None))
    assert found["reader_processes"] == {(): 4}
    assert found["local_entries"] == {("tracked",): 4, ("on-demand",): 2}
    assert found["local_bytes"] == {("tracked",): 1000, ("on-demand",): 10}
    assert found["connections"] == {(): 33}
    assert found["waiting_requests"] == {(): 1}
    assert found["change_followers"] == {(): 5}
    expected = {("counts",): 2, ("segments",): 0, ("bodies",): 0}
    assert found["temporary_files_failing"] == expected


@pytest.mark.parametrize(
    ("measure", "name", "labels"),
    [
        (Measure.REQUEST_SECONDS, "request_duration_seconds", ("local",)),
        (Measure.ORIGIN_SECONDS, "origin_request_duration_seconds", ()),
        (Measure.REFRESH_SECONDS, "refresh_duration_seconds", ()),
        (Measure.QUEUE_SECONDS, "queue_duration_seconds", ("on-demand", "waiting")),
    ],
)
def test_a_histogram_counts_up(measure: Measure, name: str, labels: Labels) -> None:
    first, *_, last = BUCKETS[measure]
    counts: Counts = {measure: {(*labels, first): 3.0, (*labels, last): 2.0, (*labels, SUM): 12.5}}
    view = NodeView(Measures(counts), {}, 1)
    found = samples(expose(view, [], Fleet(NOW, measures=Measures(counts))))
    assert found[f"{name}_bucket"] == {
        (*labels, label): 5 if label == "+Inf" else 3 for label in BUCKETS[measure]
    }
    assert found[f"{name}_count"] == {labels: 5}
    assert found[f"{name}_sum"] == {labels: 12.5}


def test_how_tracked_content_is() -> None:
    metadata = make_metadata(validated_at=NOW - 30, fresh_until=NOW + 970, size=5000, items=250)
    org = replace(metadata, items=None, size=7)
    views = [
        TrackedView(REPOS, NOW, metadata),
        TrackedView(ORG, NOW, org),
        TrackedView(tracked("/"), NOW, None),
    ]
    found = samples(expose(NOTHING, views, None))
    repos, about = (REPOS.name,), (ORG.name,)
    assert found["resource_servable"] == {repos: 1, about: 1, ("/",): 0}
    assert found["resource_age_seconds"] == {repos: 30, about: 30}
    assert found["resource_fresh_until_timestamp_seconds"] == {repos: NOW + 970, about: NOW + 970}
    assert found["resource_size_bytes"] == {repos: 5000, about: 7}
    assert found["resource_items"] == {repos: 250}


def test_a_redis_that_refuses_writes() -> None:
    found = samples(expose(NOTHING, [], None, Trouble.MEMORY))
    assert found["redis_refuses_writes"] == {
        (trouble,): trouble is Trouble.MEMORY for trouble in REFUSING
    }


def test_a_redis_that_evicts_and_values_that_were_damaged() -> None:
    counts: Counts = {Measure.MENDED: {("type",): 2}}
    state = RedisState(evicted=7)
    found = samples(
        expose(NOTHING, [], Fleet(NOW, measures=Measures(counts), redis=state, damaged=["budgets"]))
    )
    assert found["redis_mended_values_total"] == {("type",): 2, ("expiry",): 0}
    assert found["redis_evicted_keys_total"] == {(): 7}
    assert found["redis_damaged_parts"] == {(): 1}


def test_what_refreshers_counted() -> None:
    found = fleet_of(
        {
            Measure.ORIGIN_REQUESTS: {("200",): 9, ("none",): 1},
            Measure.POINTS: {("0123456789ab",): 9},
            Measure.REFRESHES: {
                ("tracked", "updated"): 4,
                ("tracked", "busy"): 2,
                ("on-demand", "busy"): 3,
                ("on-demand", "fenced"): 1,
            },
            Measure.FAILURES: {("timeout",): 2},
            Measure.DRIFT_CHECKS: {("same",): 7},
        }
    )
    assert found["drift_checks_total"] == {
        (result,): 7 if result == "same" else 0 for result in DriftCheck
    }
    assert found["origin_requests_total"] == {("200",): 9, ("none",): 1}
    assert found["points_used_total"] == {("0123456789ab",): 9}
    assert found["refreshes_total"] == {
        ("tracked", "updated"): 4,
        ("tracked", "busy"): 2,
        ("on-demand", "busy"): 3,
        ("on-demand", "fenced"): 1,
    }
    assert found["lock_contention_total"] == {("held",): 5, ("lost",): 1}
    assert found["refresh_failures_total"] == {("timeout",): 2}


def test_what_redis_knows_of_the_fleet() -> None:
    budget = CredentialBudget(
        "0123456789ab", "core", 5000, 4321, NOW + 600, privileges=["has the scope repo"]
    )
    failing = TrackedView(ORG, NOW, None, make_failure(attempts=3, retry_at=NOW + 8))
    found = fleet_of(
        {},
        tracked=[failing, TrackedView(REPOS, NOW, make_metadata())],
        budgets=[budget, replace(budget, resource_class="search", limit=30, remaining=29)],
        queue={(Lane.ON_DEMAND, Priority.WAITING): Queued(7, 2.5)},
        suspended=True,
        origin_paused_until=NOW + 60,
        points=Points(tracked=66.5, on_demand=300),
        unknown_fields=("repos/get a", "repos/get b"),
        workers=[worker("busy"), worker("idle"), worker("idle"), worker("started")],
        readers=[ReaderReport("one:5000", 7, "1", NOW, NOW, 1, 1.0, 1, 1, 1, 1, 0, skew=-7.5)],
    )
    assert found["clock_skew_seconds"] == {("reader",): 7.5, ("refresher",): 0}
    core, search = ("0123456789ab", "core"), ("0123456789ab", "search")
    assert found["redis_up"] == {(): 1}
    assert found["points_remaining"] == {core: 4321, search: 29}
    assert found["minute_points_remaining"] == {("tracked",): 66.5, ("on-demand",): 300}
    assert found["points_limit"] == {core: 5000, search: 30}
    assert found["points_reset_timestamp_seconds"] == {core: NOW + 600, search: NOW + 600}
    assert found["privileged_credentials"] == {(): 1}
    assert found["unknown_fields"] == {(): 2}
    assert found["resource_failures_in_a_row"] == {(ORG.name,): 3, (REPOS.name,): 0}
    assert found["resource_retry_timestamp_seconds"] == {(ORG.name,): NOW + 8}
    assert found["queue_length"] == {(): 7}
    assert found["queued_refreshes"] == {
        (lane, priority): 7 * ((lane, priority) == ("on-demand", "waiting"))
        for lane in Lane
        for priority in Priority
    }
    assert found["queued_longest_seconds"]["on-demand", "waiting"] == 2.5
    assert found["refreshing_paused"] == {(): 1}
    assert found["origin_paused_until_timestamp_seconds"] == {(): NOW + 60}
    assert found["workers"] == {("idle",): 2, ("busy",): 1, ("suspended",): 0}
    assert found["readers"] == {(): 1}


def test_refreshes_at_work_and_the_slots_are_those_of_all_refreshers() -> None:
    many = replace(worker("busy"), slots=50, running={Lane.TRACKED: 2, Lane.ON_DEMAND: 30})
    more = replace(worker("busy"), slots=20, running={Lane.ON_DEMAND: 1})
    found = fleet_of({}, workers=[many, more, worker("busy")])
    assert found["refreshes_running"] == {("tracked",): 2, ("large",): 0, ("on-demand",): 31}
    assert found["refresh_slots"] == {(): 71}


def test_refused_requests_are_counted_by_cause() -> None:
    counts: Counts = {Measure.REFUSALS: {(Refusal.TOO_LATE,): 3, (Refusal.CLIENT_WAITS,): 2}}
    assert node_of(counts)["refusals_total"] == {("too-late",): 3, ("client-waits",): 2}


def test_no_label_is_a_path_or_an_address_of_a_client() -> None:
    spent = Spent((("/users/mona", 7),), (("192.0.2.7", 7),), 7)
    text = expose(NOTHING, [], Fleet(NOW, spent=spent))
    assert b"mona" not in text
    assert b"192.0.2.7" not in text


def worker(state: str) -> WorkerView:
    return WorkerView("x", "host", 7, state, NOW, NOW, None, 0, 0)


def test_without_redis_nothing_of_the_fleet_is_claimed() -> None:
    with_redis = set(families(expose(NOTHING, [], Fleet(NOW))))
    without = set(families(expose(NOTHING, [], None)))
    assert without < with_redis
    assert {"redis_up", "requests", "resource_servable"} <= without
    assert not {"refreshes", "points_used", "queue_length", "workers"} & without


def test_every_word_of_ours_can_be_a_label() -> None:
    counts: Counts = {
        Measure.REQUESTS: {(route, served, "200"): 1 for route in Route for served in Served},
        Measure.REFRESHES: {(kind, one): 1 for kind in KINDS for one in RefreshOutcome},
        Measure.FAILURES: {(kind,): 1 for kind in FailureKind},
    }
    assert set(node_of(counts)["requests_total"]) == set(counts[Measure.REQUESTS])
    found = fleet_of(counts)
    assert set(found["refreshes_total"]) == set(counts[Measure.REFRESHES])
    assert set(found["refresh_failures_total"]) == set(counts[Measure.FAILURES])
