"""Each request to GitHub is counted once for the fleet and once for its refresh."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import pytest
from redis import Redis

from refresher.errors import OriginError
from refresher.github.auth.credentials import Token
from refresher.github.client import GitHubClient
from refresher.github.conditional import Validator
from refresher.github.transport import Transport
from refresher.reporting.meter import Expense, Expenses, Meter
from shared import measures, spending
from shared.clock import SYSTEM
from shared.measures import SUM, Measure
from shared.outcomes import RefreshOutcome
from shared.queue_order import Lane, Priority
from shared.redis import keys
from shared.refresh_report import RefreshReport, timeline
from tests.builders import absent_redis
from tests.fakegithub.client import FakeGitHub
from tests.refresher.workbench import (
    CREDENTIAL_ID,
    ORG,
    TOKEN,
    make_exchange,
    make_limiter,
    make_settings,
)


def counts(redis: Redis, measure: Measure) -> Mapping[tuple[str, ...], float]:
    return measures.read(redis).of(measure)


@pytest.fixture
def meter(redis: Redis) -> Meter:
    return Meter(redis, SYSTEM)


class TestExpense:
    """Cost of one refresh."""

    @pytest.fixture
    def expenses(self) -> Expenses:
        return Expenses()

    def test_has_all_requests_and_the_last_that_was_said(self, expenses: Expenses) -> None:
        with expenses.expense() as expense:
            assert expense == Expense()
            expenses.observe(make_exchange(200, headers={"X-RateLimit-Remaining": "7"}))
            expenses.observe(make_exchange(304))
            assert expense == Expense(requests=2, not_modified=1, status=304, left=7)
            expenses.observe(make_exchange(None))
            assert expense == Expense(requests=3, not_modified=1, status=None, left=7)

    def test_leaves_out_what_a_refresh_inside_of_it_costs(self, expenses: Expenses) -> None:
        with expenses.expense() as outer:
            expenses.observe(make_exchange(200))
            with expenses.expense() as inner:
                expenses.observe(make_exchange(304))
            expenses.observe(make_exchange(404))
        assert inner == Expense(requests=1, not_modified=1, status=304)
        assert outer == Expense(requests=2, status=404)

    def test_ends_with_its_block_also_when_that_raises(self, expenses: Expenses) -> None:
        with expenses.expense() as outer:
            with pytest.raises(ZeroDivisionError), expenses.expense():
                _ = 1 / 0
            expenses.observe(make_exchange(200))
        assert outer.requests == 1
        expenses.observe(make_exchange(200))  # of no refresh
        assert outer.requests == 1


class TestCounts:
    """The counters in Redis."""

    def test_are_by_status_and_by_credential(self, redis: Redis, meter: Meter) -> None:
        for status, credential in (
            (200, CREDENTIAL_ID),
            (200, "other"),
            (304, CREDENTIAL_ID),
            (None, CREDENTIAL_ID),
            (401, CREDENTIAL_ID),
        ):
            meter.observe(make_exchange(status, credential=credential))
        meter.flush()
        assert counts(redis, Measure.ORIGIN_REQUESTS) == {
            ("200",): 2,
            ("304",): 1,
            ("none",): 1,
            ("401",): 1,
        }
        assert counts(redis, Measure.POINTS) == {(CREDENTIAL_ID,): 1, ("other",): 1}
        assert counts(redis, Measure.ORIGIN_SECONDS) == {("0.5",): 5, (SUM,): 1.25}

    def test_of_other_things_are_brought_along(self, redis: Redis, meter: Meter) -> None:
        meter.count(Measure.REFRESHES, "tracked", "updated")
        meter.time(Measure.REFRESH_SECONDS, 0.3)
        meter.time(Measure.REFRESH_SECONDS, 1000.0)
        meter.flush()
        assert counts(redis, Measure.REFRESHES) == {("tracked", "updated"): 1}
        assert counts(redis, Measure.REFRESH_SECONDS) == {("0.5",): 1, ("+Inf",): 1, (SUM,): 1000.3}

    def test_are_brought_once(self, redis: Redis, meter: Meter) -> None:
        meter.observe(make_exchange())
        meter.flush()
        meter.flush()
        assert counts(redis, Measure.ORIGIN_REQUESTS) == {("200",): 1}

    def test_of_several_refreshers_are_summed(self, redis: Redis) -> None:
        for _ in range(3):
            meter = Meter(redis, SYSTEM)
            meter.observe(make_exchange())
            meter.flush()
        assert counts(redis, Measure.ORIGIN_REQUESTS) == {("200",): 3}

    def test_wait_for_a_redis_that_is_away(self, redis: Redis) -> None:
        meter = Meter(absent_redis(), SYSTEM)
        meter.observe(make_exchange())
        meter.flush()
        meter.observe(make_exchange(304))
        meter._redis = redis
        meter.flush()
        assert counts(redis, Measure.ORIGIN_REQUESTS) == {("200",): 1, ("304",): 1}
        assert counts(redis, Measure.ORIGIN_SECONDS) == {("0.5",): 2, (SUM,): 0.5}

    def test_of_the_budgets_users_wait_for_a_redis_that_is_away(self, redis: Redis) -> None:
        meter = Meter(absent_redis(), SYSTEM)
        meter.spend(ORG, None, 3)
        meter.flush()
        meter.spend(ORG, None, 1)
        meter._redis = redis
        meter.flush()
        meter.flush()
        found = spending.read(redis, now=time.time(), count=10)
        assert found.paths == ((ORG.name, 4),)

    def test_are_brought_before_the_end_of_a_long_job(self, redis: Redis, meter: Meter) -> None:
        meter.observe(make_exchange())
        assert counts(redis, Measure.ORIGIN_REQUESTS) == {}
        meter._flushed_at -= 2
        meter.observe(make_exchange())
        assert counts(redis, Measure.ORIGIN_REQUESTS) == {("200",): 2}

    def test_of_many_threads_are_all_there(self, redis: Redis, meter: Meter) -> None:
        expenses = Expenses()

        def observe(_: int) -> None:
            for _ in range(250):
                meter.observe(make_exchange())
                expenses.observe(make_exchange())
                meter.count(Measure.REFRESHES, "tracked", "fresh")

        with expenses.expense() as expense, ThreadPoolExecutor(8) as threads:
            list(threads.map(observe, range(8)))
        meter.flush()
        assert expense.requests == 2000
        assert counts(redis, Measure.ORIGIN_REQUESTS) == {("200",): 2000}
        assert counts(redis, Measure.REFRESHES) == {("tracked", "fresh"): 2000}

    def test_of_the_time_in_the_queue_are_by_lane_and_priority(
        self, redis: Redis, meter: Meter
    ) -> None:
        meter.waited(Lane.ON_DEMAND, Priority.WAITING, 0.3)
        meter.waited(Lane.TRACKED, Priority.STALE, 0.3)
        meter.flush()
        assert counts(redis, Measure.QUEUE_SECONDS) == {
            (lane, priority, label): amount
            for lane, priority in (("on-demand", "waiting"), ("tracked", "stale"))
            for label, amount in (("0.5", 1), (SUM, 0.3))
        }

    def test_are_not_lost_by_a_flush_while_redis_is_away(self) -> None:
        meter = Meter(absent_redis(), SYSTEM)
        meter.observe(make_exchange())
        meter.flush()


class TestReports:
    """The reports of a worker wait for the round trip that takes its next jobs."""

    @staticmethod
    def make_report() -> RefreshReport:
        return RefreshReport(1.0, ORG.name, RefreshOutcome.UPDATED, 0.1)

    def test_are_written_at_once_if_they_are_not_batched(self, redis: Redis, meter: Meter) -> None:
        meter.report(ORG, self.make_report(), keep_s=60)
        assert timeline(redis) == [self.make_report()]

    def test_wait_for_a_round_trip_and_are_written_once(self, redis: Redis) -> None:
        meter = Meter(redis, SYSTEM, is_batched=True)
        meter.report(ORG, self.make_report(), keep_s=60)
        assert timeline(redis) == []
        for _ in range(2):
            with redis.pipeline() as pipeline:
                meter.add_reports(pipeline)
                pipeline.execute()
        assert timeline(redis) == [self.make_report()]

    def test_wait_no_longer_than_the_counts(self, redis: Redis) -> None:
        meter = Meter(redis, SYSTEM, is_batched=True)
        meter.report(ORG, self.make_report(), keep_s=60)
        meter.flush()
        assert timeline(redis) == [self.make_report()]


class TestTheOrigin:
    """The status of GitHub's last response, and the fields that describe a credential."""

    def test_is_known_by_its_last_answer(self, redis: Redis, meter: Meter) -> None:
        before = time.time()
        ahead = {"Date": formatdate(before + 300, usegmt=True)}
        meter.observe(make_exchange(200))
        meter.observe(make_exchange(502, headers=ahead))
        meter.observe(make_exchange(None))  # which is none
        meter.flush()
        known = {name: float(value) for name, value in redis.hgetall(keys.ORIGIN).items()}
        assert before <= known.pop(b"answered_at") <= time.time()
        assert known.pop(b"clock_offset") == pytest.approx(300, abs=5)
        assert known == {b"status": 502}

    def test_that_did_not_answer_leaves_what_was_known(self, redis: Redis, meter: Meter) -> None:
        meter.observe(make_exchange(200))
        meter.flush()
        known = redis.hgetall(keys.ORIGIN)
        meter.observe(make_exchange(None))
        meter.flush()
        assert redis.hgetall(keys.ORIGIN) == known
        assert b"clock_offset" not in known

    def test_tells_of_each_credential(self, redis: Redis, meter: Meter) -> None:
        said = {"x-oauth-scopes": "repo, user", "github-authentication-token-expiration": "2027-02"}
        meter.observe(make_exchange(200, headers=said))
        meter.observe(make_exchange(200, credential="other"))
        meter.observe(make_exchange(None, credential="mute"))
        meter.flush()
        assert redis.hgetall(keys.credential(CREDENTIAL_ID)) == {
            b"scopes": b"repo, user",
            b"expires": b"2027-02",
            b"status": b"200",
        }
        # An empty field says that there is no scope; none at all says nothing.
        meter.observe(make_exchange(200, credential="scopeless", headers={"x-oauth-scopes": ""}))
        meter.flush()
        assert redis.hget(keys.credential("scopeless"), "scopes") == b""
        assert redis.hget(keys.credential("other"), "scopes") is None
        assert redis.exists(keys.credential("mute")) == 0
        assert 24 * 3600 - 300 <= redis.ttl(keys.credential(CREDENTIAL_ID)) <= 24 * 3600


class TestAgainstTheStandIn:
    """The points that are counted equal those of the stand-in GitHub."""

    @pytest.fixture
    def origin(
        self, request: pytest.FixtureRequest, redis: Redis, github: FakeGitHub, meter: Meter
    ) -> Iterator[GitHubClient]:
        settings = make_settings(github.url, github_api_token=request.param)
        origin = GitHubClient(
            Transport(settings, clock=SYSTEM),
            make_limiter(redis, settings),
            observe=meter.observe,
            clock=SYSTEM,
        )
        yield origin
        origin.transport.close()

    @pytest.mark.parametrize(
        ("origin", "points"), [(TOKEN, 2), (None, 3)], indirect=["origin"], ids=["token", "none"]
    )
    def test_an_unchanged_page_is_free_to_who_is_authorised(
        self, origin: GitHubClient, github: FakeGitHub, redis: Redis, meter: Meter, points: int
    ) -> None:
        token = TOKEN if points == 2 else None
        first = origin.get(origin.url_of("/orgs/Netflix"))
        known = Validator(first.headers["ETag"], first.given_to, lambda: first.body)
        assert origin.get(origin.url_of("/orgs/Netflix"), known).status == 304
        assert origin.get(origin.url_of("/users/nobody-of-that-name")).status == 404
        meter.flush()
        assert github.counters()["points"] == points
        assert counts(redis, Measure.POINTS) == {(Token(token).id,): points}
        assert counts(redis, Measure.ORIGIN_REQUESTS) == {
            (status,): number for status, number in github.counters()["statuses"].items()
        }

    @pytest.mark.parametrize("origin", [TOKEN], indirect=True)
    def test_what_is_refused_or_not_answered_costs_nothing(
        self, origin: GitHubClient, github: FakeGitHub, redis: Redis, meter: Meter
    ) -> None:
        github.fault("reset", before_headers=True, times=1)
        with pytest.raises(OriginError):
            origin.get(origin.url_of("/orgs/Netflix"))
        github.configure(tokens=[])
        assert origin.get(origin.url_of("/orgs/Netflix")).is_anonymous
        meter.flush()
        assert counts(redis, Measure.POINTS) == {("anonymous",): 1}
        requests = {("none",): 1, ("401",): 1, ("200",): 1}
        assert counts(redis, Measure.ORIGIN_REQUESTS) == requests
