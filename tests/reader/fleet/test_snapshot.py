"""A snapshot of the fleet, from what its other processes really write."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis, RedisError
from rq import Queue, Worker
from rq.cron_scheduler_registry import get_registry_key
from rq.suspension import suspend

from reader.cli.checks.fleet import check_content
from reader.fleet.heartbeats import ReaderReport
from reader.fleet.heartbeats import report as say
from reader.fleet.metrics import expose
from reader.fleet.snapshot import FleetWatch
from reader.fleet.view import Fleet, NodeView, OriginView, TrackedView
from reader.status.page import page_of
from reader.status.page_input import PageInput
from reader.webhooks.delivery_log import note_delivery
from refresher.refresh import refresh
from shared import drift
from shared.encodings import ENCODINGS
from shared.lost_deliveries import LookReport, SourceReport
from shared.marking import mark
from shared.measures import Measure, Measures
from shared.point_buckets import Points
from shared.queueing import QUEUE, QueueLimits, RefreshQueue
from shared.redis import keys
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.segments import unpack_manifest
from tests.builders import (
    NOW,
    absent_redis,
    make_entry,
    make_failure,
    make_metadata,
    stale,
    store_entry,
    store_failure,
    tracked,
)
from tests.fakegithub.client import FakeGitHub
from tests.reader.bench import commands
from tests.refresher.workbench import lease, make_context, make_settings

CATALOGUE = Catalogue(("Netflix",))
ROOT, ORG, MEMBERS, REPOS = map(
    tracked, ["/", "/orgs/Netflix", "/orgs/Netflix/members", "/orgs/Netflix/repos"]
)
USER = Resource("/users/netflix")
Refreshed = Callable[[Resource], None]


def make_watch(redis: Redis, now: float | None = None) -> FleetWatch:
    return FleetWatch(redis, CATALOGUE, clock=time.time if now is None else lambda: now)


def views(fleet: Fleet) -> dict[str, TrackedView]:
    return {view.resource.name: view for view in fleet.tracked}


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=250, members=4, anonymous_limit=5000) as github:
        yield github


@pytest.fixture
def refreshed(redis: Redis, github: FakeGitHub) -> Iterator[Refreshed]:
    """Refreshes a resource as a refresher does."""
    context = make_context(redis, make_settings(github.url), clock=time.time)

    def make(resource: Resource) -> None:
        refresh(resource, context, force=True)
        context.reporter.meter.flush()

    yield make
    context.origin.transport.close()


def test_the_last_look_for_lost_deliveries_is_read_and_a_damaged_report_is_none(
    redis: Redis,
) -> None:
    watch = FleetWatch(redis, CATALOGUE, clock=lambda: NOW)
    assert watch.snapshot().redelivery is None
    report = LookReport(NOW, 300, (SourceReport("Netflix", hooks=1),))
    for text, expected in ((report.to_json(), report), ("{", None)):
        redis.set(keys.REDELIVERY_REPORT, text)
        watch.discard()
        assert watch.snapshot().redelivery == expected


def test_an_empty_redis_is_an_empty_fleet(redis: Redis) -> None:
    fleet = make_watch(redis, NOW).snapshot()
    assert [view.metadata for view in fleet.tracked] == [None] * len(CATALOGUE.tracked)
    assert not any(
        view.is_running or view.is_fresh or view.invalidated_by for view in fleet.tracked
    )
    nobody: dict[str, Any] = {
        name: [] for name in ("on_demand", "budgets", "readers", "workers", "timeline")
    }
    assert fleet == Fleet(now=NOW, tracked=fleet.tracked, redis=fleet.redis, **nobody)
    assert fleet.redis.used


class TestTracked:
    """The state of each tracked resource and of its refreshes."""

    def test_shows_what_refreshers_stored(self, redis: Redis, refreshed: Refreshed) -> None:
        for resource in (ORG, REPOS):
            refreshed(resource)
        found = views(make_watch(redis).snapshot())
        repos, org = found[REPOS.name], found[ORG.name]
        assert repos.metadata is not None
        assert (repos.metadata.items, repos.pages, org.pages) == (250, 3, 1)
        manifest = redis.hget(keys.entry(REPOS), "segments")
        assert isinstance(manifest, bytes)
        packed = sum(one.packed_size for one in unpack_manifest(manifest))
        assert repos.encoded == {"gzip": packed}
        stored = {name: redis.hget(keys.entry(ORG), f"body:{name}") for name in ENCODINGS}
        assert org.encoded == {name: len(body or b"") for name, body in stored.items()}
        assert repos.is_fresh
        assert 0 <= repos.age < 30
        assert (repos.failure, repos.reading, repos.is_running) == (None, None, False)
        assert found[ROOT.name].metadata is None
        assert (found[ROOT.name].pages, found[ROOT.name].encoded) == (None, {})

    def test_shows_how_refreshes_went(self, redis: Redis, refreshed: Refreshed) -> None:
        refreshed(REPOS)
        refreshed(REPOS)
        record = views(make_watch(redis).snapshot())[REPOS.name].record
        assert (record.refreshes, record.requests, record.not_modified) == (2, 6, 3)
        assert record.last is not None
        assert record.last.outcome == "unchanged"

    def test_shows_failures_and_invalidations(self, redis: Redis) -> None:
        store_failure(redis, ORG, make_failure(attempts=3))
        redis.set(keys.invalidated_by(MEMBERS), "a delivery")
        found = views(make_watch(redis).snapshot())
        assert found[ORG.name].failure == make_failure(attempts=3)
        assert found[MEMBERS.name].invalidated_by
        assert not found[ORG.name].invalidated_by

    def test_counts_what_is_looked_at_again_after_an_event(self, redis: Redis) -> None:
        mark(redis, MEMBERS)
        mark(redis, ORG, anew=True)  # an operator's is done once
        fleet = make_watch(redis).snapshot()
        found = views(fleet)
        assert fleet.looks == 1
        assert found[MEMBERS.name].look_at is not None
        assert found[ORG.name].look_at is None

    def test_has_the_drift_that_was_found(self, redis: Redis) -> None:
        with redis.pipeline() as pipeline:
            drift.add(pipeline, drift.Drift(NOW, REPOS.name, ("7",)))
            pipeline.execute()
        assert make_watch(redis).snapshot().drift == (drift.Drift(NOW, REPOS.name, ("7",)),)

    def test_is_not_fresh_if_it_is_invalidated(self) -> None:
        assert TrackedView(ORG, NOW, make_metadata()).is_fresh
        assert not TrackedView(ORG, NOW, make_metadata(), invalidated_by=True).is_fresh
        assert not TrackedView(ORG, NOW, make_metadata(fresh_until=NOW)).is_fresh
        assert not TrackedView(ORG, NOW, None).is_fresh

    def test_never_has_a_negative_age(self) -> None:
        assert TrackedView(ORG, NOW, make_metadata(validated_at=NOW - 7)).age == 7
        assert TrackedView(ORG, NOW, make_metadata(validated_at=NOW + 7)).age == 0

    def test_shows_which_page_is_being_read_while_somebody_reads(self, redis: Redis) -> None:
        redis.set(keys.progress(REPOS), '{"page": 2, "pages": 3}')
        with lease(REPOS, redis, lifetime=300):
            view = views(make_watch(redis).snapshot())[REPOS.name]
            assert (view.is_running, view.reading) == (True, (2, 3))
        view = views(make_watch(redis).snapshot())[REPOS.name]
        assert (view.is_running, view.reading) == (False, None)


class TestOnDemand:
    """The most requested on-demand resources."""

    def test_is_shown_with_what_is_stored_of_it(self, redis: Redis, refreshed: Refreshed) -> None:
        refreshed(USER)
        report_names(redis, {USER.name: 7, "/users/nobody": 2})
        user, nobody = make_watch(redis).snapshot().on_demand
        assert (user.name, user.requests, user.view.resource) == (USER.name, 7, USER)
        assert user.view.metadata is not None
        assert user.view.record.refreshes == 1
        assert (nobody.name, nobody.requests, nobody.view.metadata) == ("/users/nobody", 2, None)

    def test_is_left_out_if_it_is_no_longer_served(self, redis: Redis) -> None:
        report_names(redis, {"/user": 9, "/users/a?access_token=s3cret": 8, USER.name: 7})
        assert [one.name for one in make_watch(redis).snapshot().on_demand] == [USER.name]

    def test_is_of_twenty_at_the_most(self, redis: Redis) -> None:
        report_names(redis, {f"/users/{number}": number for number in range(1, 41)})
        found = make_watch(redis).snapshot().on_demand
        assert [one.requests for one in found] == list(range(40, 20, -1))


def report_names(redis: Redis, names: dict[str, int]) -> None:
    """A reader reports the names requested from it."""
    now = time.time()
    say(redis, ReaderReport("one:5000", 7, "1", now, now, 1, 1.0, 1, 1, 1, 1, 0), names)


def test_all_running_processes_are_shown(redis: Redis) -> None:
    report_names(redis, {})
    queue = Queue(QUEUE, connection=redis)
    Worker([queue], connection=redis, name="a-refresher").register_birth()  # type: ignore[no-untyped-call]
    redis.zadd(get_registry_key(), {"a-scheduler": time.time(), "gone": time.time() - 200})
    RefreshQueue(redis, QueueLimits(queued=10)).ask(stale(ORG))
    fleet = make_watch(redis).snapshot()
    assert [one.id for one in fleet.readers] == ["one:5000/7"]
    assert [one.name for one in fleet.workers] == ["a-refresher"]
    assert (fleet.schedulers, fleet.queue_length, fleet.scheduler_lost_at) == (1, 1, None)
    assert list(fleet.queue) == [("tracked", "stale")]


def test_a_scheduler_that_died_in_the_last_day_is_shown_if_there_is_no_other(
    redis: Redis,
) -> None:
    now = time.time()
    redis.zadd(get_registry_key(), {"older": now - 5000, "last": now - 200, "old": now - 100_000})
    fleet = make_watch(redis).snapshot()
    assert (fleet.schedulers, fleet.scheduler_lost_at) == (0, now - 200)
    redis.zrem(get_registry_key(), "older", "last")
    assert make_watch(redis).snapshot().scheduler_lost_at is None


def test_what_refreshers_counted_and_reported_is_shown(
    redis: Redis, refreshed: Refreshed, github: FakeGitHub
) -> None:
    github.reset_counters()
    refreshed(ORG)
    refreshed(USER)
    fleet = make_watch(redis).snapshot()
    assert set(fleet.spent.paths) == {(ORG.name, 1), (USER.name, 1)}
    assert fleet.measures.of(Measure.ORIGIN_REQUESTS) == {("200",): github.counters()["total"]}
    assert [one.resource for one in fleet.timeline] == [USER.name, ORG.name]
    assert fleet.origin.status == 200
    assert fleet.origin.answered_at == pytest.approx(time.time(), abs=30)
    assert fleet.origin.clock_offset == pytest.approx(0, abs=30)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, OriginView()),
        ({"answered_at": 5.5, "status": 304}, OriginView(5.5, 304)),
        ({"answered_at": 5.5, "status": 0, "clock_offset": -3}, OriginView(5.5, None, -3.0)),
    ],
)
def test_how_the_origin_answered_last(
    redis: Redis, fields: dict[str, float], expected: OriginView
) -> None:
    if fields:
        redis.hset(keys.ORIGIN, mapping=fields)  # type: ignore[arg-type]
    assert make_watch(redis).snapshot().origin == expected


def test_a_damaged_field_of_the_origin_is_no_error(redis: Redis) -> None:
    redis.hset(keys.ORIGIN, items=[b"\xff", 1, "status", b"\xff"])
    assert make_watch(redis).snapshot().origin.status is None


def test_unknown_keys_are_shown_for_a_week(redis: Redis) -> None:
    week = 7 * 24 * 3600
    seen = {"repos/get b": NOW, "repos/get a": NOW - week + 1, "orgs/get old": NOW - week}
    redis.hset(keys.UNKNOWN_FIELDS, mapping=seen)  # type: ignore[arg-type]
    assert make_watch(redis, NOW).snapshot().unknown_fields == ("repos/get a", "repos/get b")


def test_pauses_are_shown(redis: Redis) -> None:
    suspend(redis)
    redis.set(keys.SUSPENDED, NOW - 60)
    redis.hset(keys.PAUSE, mapping={"at": NOW, "hold": NOW + 60, "until": NOW + 60})
    fleet = make_watch(redis, NOW).snapshot()
    assert (fleet.suspended, fleet.suspended_since) == (True, NOW - 60)
    assert fleet.origin_paused_until == NOW + 60


def test_the_minute_s_points_are_shown_refilled(redis: Redis) -> None:
    assert make_watch(redis, NOW).snapshot().points is None
    stored = {"tracked": 0, "on-demand": 300, "at": NOW - 15, "points": 400, "reserve": 0.2}
    redis.hset(keys.POINTS, mapping=stored)  # type: ignore[arg-type]
    assert make_watch(redis, NOW).snapshot().points == Points(20, 320)


class TestLooking:
    """Callers at the same time share one snapshot."""

    def test_serves_all_callers_for_a_second(self, redis: Redis) -> None:
        now = [NOW]
        watch = FleetWatch(redis, CATALOGUE, clock=lambda: now[0])
        first = watch.snapshot()
        now[0] += 0.99
        assert watch.snapshot() is first
        now[0] = NOW + 1
        again = watch.snapshot()
        assert again is not first
        now[0] = NOW - 60  # the clock was set back
        assert watch.snapshot() is not again

    def test_is_repeated_after_a_change(self, redis: Redis) -> None:
        watch = make_watch(redis, NOW)
        first = watch.snapshot()
        RefreshQueue(redis, QueueLimits(queued=10)).ask(stale(ORG))
        assert watch.snapshot() is first
        watch.discard()
        assert watch.snapshot().queue_length == 1

    def test_by_many_at_once_reads_redis_once(self, redis: Redis) -> None:
        watch = make_watch(redis, NOW)
        before = commands(redis, "zcount")
        barrier = threading.Barrier(20)

        def state(_: int) -> Fleet:
            barrier.wait()
            return watch.snapshot()

        with ThreadPoolExecutor(20) as threads:
            seen = list(threads.map(state, range(20)))
        assert len({id(one) for one in seen}) == 1
        assert commands(redis, "zcount") == before + 1

    def test_fails_while_redis_is_away(self) -> None:
        watch = make_watch(absent_redis())
        for _ in range(2):
            with pytest.raises(RedisError):
                watch.snapshot()


@pytest.mark.parametrize("damaged", ["x", "nan", "", "-1e308", "9" * 300])
def test_a_damaged_time_of_a_resume_is_no_error(redis: Redis, damaged: str) -> None:
    redis.set(keys.RESUMED, damaged)
    redis.hset(keys.PAUSE, items=["at", NOW - 1, "hold", NOW + 60, "until", NOW + 60])
    redis.zadd(keys.BUDGETS, {"anonymous core": NOW})
    fleet = make_watch(redis, NOW).snapshot()
    assert fleet.origin_paused_until == NOW + 60


@pytest.mark.parametrize("huge", ["4102444800", "1e300", "9" * 300, "9" * 12])
def test_pauses_of_any_length_are_shown_as_an_hour_at_most(redis: Redis, huge: str) -> None:
    redis.hset(keys.PAUSE, items=["at", NOW, "hold", huge, "until", huge])
    redis.set(keys.SUSPENDED, huge)
    redis.hset(keys.aside("anonymous"), items=["at", NOW, "until", huge])
    redis.zadd(keys.BUDGETS, {"anonymous core": NOW})
    redis.hset(
        keys.budget("anonymous", "core"),
        items=["limit", 60, "remaining", 0, "reset", huge, "guessed", 0, "at", NOW],
    )
    store_failure(redis, ORG, make_failure(retry_at=float(huge)))
    store_entry(redis, ORG, make_entry(validated_at=float(huge), fresh_until=float(huge)))
    fleet = make_watch(redis, NOW).snapshot()
    (budget,) = fleet.budgets
    failure = views(fleet)[ORG.name].failure
    assert failure is not None
    ends = (fleet.origin_paused_until, budget.resets_at, budget.aside_until, failure.retry_at)
    assert set(ends) == {NOW + 3600}
    assert not views(fleet)[ORG.name].is_fresh
    settings = make_settings("http://github.invalid")
    shown = PageInput(NOW, fleet, fleet.tracked, None, "a.test:5000", settings)
    assert "1 h" in json.dumps(page_of(shown))
    assert page_of(shown)["resumable"] is True
    assert b"resource_retry" in expose(NodeView(Measures({}), {}, 1), fleet.tracked, fleet)
    assert list(check_content(fleet))


def test_what_was_told_is_remembered_by_event(redis: Redis) -> None:
    note_delivery(redis, "star")
    note_delivery(redis, "push")
    fleet = FleetWatch(redis, CATALOGUE, clock=time.time).snapshot()
    assert fleet.told.keys() == {"star", "push"}
    assert all(abs(at - time.time()) < 60 for at in fleet.told.values())
