"""The end of a refresh is reported to the log, the counters, the record and the timeline."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from refresher.github.auth.credentials import Token
from refresher.github.exchange import Exchange
from refresher.reporting.meter import Expenses, Meter
from refresher.reporting.reporter import Cause, Ended, Reporter
from refresher.spacing import Spacing
from shared import measures, spending
from shared.clock import SYSTEM
from shared.failure import Failure
from shared.measures import Measure
from shared.outcomes import FailureKind, RefreshOutcome
from shared.redis import keys
from shared.redis.entry_state import EntryState
from shared.refresh_report import RefreshReport, ask_for_record, record_from, timeline
from shared.resources.resource import Resource
from shared.spending import RENEWALS, TRACKED
from tests.builders import absent_redis, make_metadata
from tests.refresher.workbench import ORG, REPOS, USER_VIEW

FAILURE = Failure(FailureKind.TIMEOUT, "too late", 504, 3, since=1.0, at=2.0, retry_at=9.0)
EVENTS = {
    *("updated", "unchanged", "not-ready", "failed", "fenced", "broken", "no-lock", "doubted"),
    "older",
}


@pytest.fixture
def reporter(redis: Redis) -> Reporter:
    return Reporter(
        redis,
        Meter(redis, SYSTEM),
        Expenses(),
        SYSTEM,
        keep_s=660,
        cause=Cause("job-1", "abc-123"),
    )


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "refresher")


def exchange(status: int | None = 200, left: int = 42) -> Exchange:
    return Exchange(status, 0.1, Token("secret"), {"X-RateLimit-Remaining": str(left)})


def observe(reporter: Reporter, exchange: Exchange) -> None:
    """Count a request of the refresh, and of the fleet."""
    reporter.meter.observe(exchange)
    reporter.expenses.observe(exchange)


def report(reporter: Reporter, ended: Ended, resource: Resource = ORG) -> None:
    with reporter.reporting(resource) as running:
        running.ended = ended
    reporter.meter.flush()


def counts(redis: Redis, measure: Measure) -> Mapping[tuple[str, ...], float]:
    return measures.read(redis).of(measure)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = record.fields  # type: ignore[attr-defined]
    return found


def test_requests_are_counted_for_those_who_caused_them(redis: Redis, reporter: Reporter) -> None:
    waited_for = replace(reporter, cause=Cause(client="192.0.2.7"))
    for one, resource in ((waited_for, USER_VIEW), (waited_for, ORG), (reporter, USER_VIEW)):
        with one.reporting(resource) as running:
            observe(one, exchange(304))
            running.ended = Ended(RefreshOutcome.UNCHANGED)
    report(reporter, Ended(RefreshOutcome.FRESH), USER_VIEW)  # asks GitHub for nothing
    found = spending.read(redis, now=time.time(), count=10)
    assert found.paths == ((USER_VIEW.name, 2), (ORG.name, 1))
    assert set(found.clients) == {("192.0.2.7", 1), (RENEWALS, 1), (TRACKED, 1)}


def test_a_whole_report(reporter: Reporter, redis: Redis) -> None:
    before = time.time()
    metadata = make_metadata(validated_at=before - 100)
    with reporter.reporting(REPOS) as running:
        observe(reporter, exchange(200))
        observe(reporter, exchange(304, left=41))
        running.ended = Ended(RefreshOutcome.UPDATED, EntryState(metadata, None), pages=3)
    (found,) = timeline(redis)
    assert before <= found.at <= time.time()
    assert 0 <= found.seconds < 60
    assert 99 < (found.age or 0) < 160
    assert found == RefreshReport(
        at=found.at,
        resource=REPOS.name,
        outcome=RefreshOutcome.UPDATED,
        seconds=found.seconds,
        requests=2,
        not_modified=1,
        age=found.age,
        status=304,
        left=41,
        pages=3,
        request_id="abc-123",
        job_id="job-1",
    )


def test_the_log_has_the_same_report_in_one_line(
    reporter: Reporter, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    report(reporter, Ended(RefreshOutcome.UNCHANGED))
    (line,) = caplog.records
    assert (line.levelname, line.getMessage()) == ("INFO", f"refresh of {ORG.name}: unchanged")
    (found,) = timeline(redis)
    assert RefreshReport(**fields(line)) == found
    assert "reason" not in fields(line)


def test_a_failure_is_a_warning_with_its_reason(
    reporter: Reporter, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    report(reporter, Ended(RefreshOutcome.FAILED, failure=FAILURE))
    (line,) = caplog.records
    assert line.levelname == "WARNING"
    assert line.getMessage() == f"refresh of {ORG.name}: failed: too late"
    known = {"kind": "timeout", "reason": "too late", "attempts": 3, "retry_at": 9.0, "status": 504}
    assert known.items() <= fields(line).items()
    assert counts(redis, Measure.FAILURES) == {("timeout",): 1}


def test_a_failure_without_a_status_has_that_of_the_last_answer(
    reporter: Reporter, redis: Redis
) -> None:
    mute = Failure(FailureKind.NOT_JSON, "x", None, 1, since=1.0, at=2.0, retry_at=9.0)
    with reporter.reporting(ORG) as running:
        observe(reporter, exchange(200))
        running.ended = Ended(RefreshOutcome.FAILED, failure=mute)
    assert [found.status for found in timeline(redis)] == [200]


def test_a_refresh_that_raises_is_broken_and_raises(
    reporter: Reporter, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        with reporter.reporting(ORG):
            observe(reporter, exchange(200))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    (found,) = timeline(redis)
    assert (found.outcome, found.requests) == (RefreshOutcome.BROKEN, 1)
    assert [line.levelname for line in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("outcome", RefreshOutcome)
def test_every_end_is_counted_and_logged_and_what_asked_the_origin_is_kept(
    reporter: Reporter, redis: Redis, caplog: pytest.LogCaptureFixture, outcome: RefreshOutcome
) -> None:
    report(reporter, Ended(outcome))
    report(reporter, Ended(outcome), USER_VIEW)
    assert counts(redis, Measure.REFRESHES) == {("tracked", outcome): 1, ("on-demand", outcome): 1}
    assert [fields(line)["outcome"] for line in caplog.records] == [outcome] * 2
    is_event = outcome in EVENTS
    assert len(timeline(redis)) == (2 if is_event else 0)
    assert bool(counts(redis, Measure.REFRESH_SECONDS)) is is_event
    assert redis.exists(keys.record(ORG), keys.record(USER_VIEW)) == (2 if is_event else 0)


def test_the_record_has_what_all_refreshes_cost(reporter: Reporter, redis: Redis) -> None:
    for status in (200, 304):
        with reporter.reporting(USER_VIEW) as running:
            observe(reporter, exchange(status))
            running.ended = Ended(RefreshOutcome.UPDATED)
    with redis.pipeline() as pipeline:
        ask_for_record(pipeline, USER_VIEW)
        record = record_from(pipeline.execute()[0])
    assert (record.refreshes, record.requests, record.not_modified) == (2, 2, 1)
    assert 610 < redis.ttl(keys.record(USER_VIEW)) <= 660


def test_a_refresh_inside_another_has_its_own_report(reporter: Reporter, redis: Redis) -> None:
    with reporter.reporting(USER_VIEW) as outer:
        with reporter.reporting(ORG) as inner:
            observe(reporter, exchange(304))
            inner.ended = Ended(RefreshOutcome.UNCHANGED)
        observe(reporter, exchange(200))
        outer.ended = Ended(RefreshOutcome.UPDATED)
    found = {one.resource: (one.requests, one.status) for one in timeline(redis)}
    assert found == {ORG.name: (1, 304), USER_VIEW.name: (1, 200)}


class TestProgress:
    """How many pages of a list have been read."""

    def test_is_shown_for_a_minute_at_the_most(self, reporter: Reporter, redis: Redis) -> None:
        reporter.progress(REPOS, 2, 3)
        assert redis.get(keys.progress(REPOS)) == b'{"page": 2, "pages": 3}'
        assert 30 <= redis.ttl(keys.progress(REPOS)) <= 60

    def test_ends_with_the_refresh(self, reporter: Reporter, redis: Redis) -> None:
        reporter.progress(REPOS, 2, 3)
        report(reporter, Ended(RefreshOutcome.UPDATED), REPOS)
        assert redis.exists(keys.progress(REPOS)) == 0

    def test_is_not_ended_by_who_finds_another_at_work(
        self, reporter: Reporter, redis: Redis
    ) -> None:
        reporter.progress(REPOS, 2, 3)
        report(reporter, Ended(RefreshOutcome.BUSY), REPOS)
        assert redis.exists(keys.progress(REPOS)) == 1


def test_a_redis_that_is_away_ends_no_refresh_and_the_log_has_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = absent_redis()
    reporter = Reporter(away, Meter(away, SYSTEM), Expenses(), SYSTEM, keep_s=660)
    reporter.progress(ORG, 1, 2)
    report(reporter, Ended(RefreshOutcome.UPDATED))
    assert [fields(line)["outcome"] for line in caplog.records] == ["updated"]


class TestKeysThatNobodyHasSaidToBePublic:
    def test_are_reported_once_and_remembered(
        self, reporter: Reporter, redis: Redis, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(2):
            reporter.note_dropped("repos/get", {"owner.shoe_size", "shoe_size"})
        assert [line.getMessage() for line in caplog.records] == [
            "GitHub's response to repos/get has fields that no public shape has; dropped: "
            "owner.shoe_size, shoe_size"
        ]
        known = redis.hgetall(keys.UNKNOWN_FIELDS)
        assert set(known) == {b"repos/get owner.shoe_size", b"repos/get shoe_size"}
        assert all(time.time() - 60 < float(at) <= time.time() for at in known.values())

    def test_are_none_of_those_that_only_some_may_see(
        self, reporter: Reporter, redis: Redis
    ) -> None:
        reporter.note_dropped("orgs/get", {"plan", "billing_email"})
        assert not redis.exists(keys.UNKNOWN_FIELDS)

    def test_are_forgotten_when_none_was_seen_for_a_week(
        self, reporter: Reporter, redis: Redis
    ) -> None:
        reporter.note_dropped("repos/get", {"shoe_size"})
        assert 6 * 86400 < redis.ttl(keys.UNKNOWN_FIELDS) <= 7 * 86400

    def test_are_bounded_in_number_and_length(self, reporter: Reporter, redis: Redis) -> None:
        reporter.note_dropped("repos/get", {"x" * 1000})
        assert [len(name) for name in redis.hkeys(keys.UNKNOWN_FIELDS)] == [300]
        redis.hset(keys.UNKNOWN_FIELDS, mapping={f"known {number}": 1 for number in range(499)})
        reporter.note_dropped("repos/get", {"one_more"})
        assert redis.hlen(keys.UNKNOWN_FIELDS) == 500
        redis.delete(keys.UNKNOWN_FIELDS)
        reporter.note_dropped("repos/get", {f"key {number}" for number in range(2000)})
        assert redis.hlen(keys.UNKNOWN_FIELDS) == 500


@pytest.mark.parametrize(
    ("outcome", "rest"), [(RefreshOutcome.UNCHANGED, 40.0), (RefreshOutcome.FENCED, 6.0)]
)
def test_a_refresh_of_a_process_that_was_stopped_puts_no_other_off(
    redis: Redis, reporter: Reporter, outcome: RefreshOutcome, rest: float
) -> None:
    """Another refresher has taken the lock meanwhile: its refresh says how long to rest."""
    now, began = 0.0, time.monotonic()
    clock = replace(SYSTEM, monotonic=lambda: now)
    reporter = replace(reporter, clock=clock, spacing=Spacing(20))
    with reporter.reporting(ORG) as running:
        observe(reporter, exchange())
        now = 40.0
        running.ended = Ended(outcome, EntryState(None, None))
    reporter.meter.flush()
    left, took = redis.pttl(keys.asked(ORG)) / 1000, time.monotonic() - began
    assert rest - 3 - took < left < rest + 3
