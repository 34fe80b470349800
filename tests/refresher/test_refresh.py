"""A refresh stores what GitHub has, or leaves the stored entry unchanged."""

import gzip
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisError
from rq.timeouts import JobTimeoutException

from refresher.errors import OriginError
from refresher.refresh import failure_to_record, reason_not_to, refresh
from refresher.storage import page_store
from scripts.embedded_redis import EmbeddedRedis
from shared.entry import Entry, Metadata
from shared.failure import Failure
from shared.json_array import JsonArray, pack_ends
from shared.outcomes import FailureKind, RefreshOutcome
from shared.redis import keys
from shared.redis.connection import connect
from shared.redis.entry_state import EntryState
from shared.redis.store import Store
from shared.refresh_report import TRACKED
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES, Ranking
from shared.resources.resource import Resource
from shared.settings import load
from tests.builders import RANKINGS, make_metadata
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import (
    CATALOGUE,
    MEMBERS,
    ORG,
    REPOS,
    TOKEN,
    USER_VIEW,
    ManualClock,
    dump,
    lease,
    make_context,
    make_settings,
)

SECOND_PAGE = "&page=2$"


def entry_of(store: Store, resource: Resource) -> Entry:
    """The stored entry, which must be there."""
    entry = store.read(resource)
    assert entry is not None
    return entry


def failure_of(store: Store, resource: Resource) -> Failure:
    """The recorded failure, which must be there."""
    failure = store.state(resource).failure
    assert failure is not None
    return failure


def on_demand(name: str) -> Resource:
    """The resource that a client asks for by this name."""
    resource = CATALOGUE.named(name)
    assert resource is not None
    return resource


class TestTheDecision:
    """Whether GitHub must be asked, once the lock is held."""

    METADATA = make_metadata(validated_at=0, fresh_until=100)
    FAILURE = Failure(FailureKind.TIMEOUT, "x", None, 1, since=0, at=0, retry_at=50)

    @pytest.mark.parametrize(
        ("metadata", "failure", "now", "expected"),
        [
            (None, None, 0, None),
            (METADATA, None, 99.9, RefreshOutcome.FRESH),
            (METADATA, None, 100, None),
            (None, FAILURE, 49.9, RefreshOutcome.BACKING_OFF),
            (None, FAILURE, 50, None),
            (METADATA, FAILURE, 49.9, RefreshOutcome.BACKING_OFF),
            (METADATA, FAILURE, 50, RefreshOutcome.FRESH),
            (METADATA, FAILURE, 100, None),
        ],
    )
    def test_is_a_function_of_what_is_stored(
        self,
        metadata: Metadata | None,
        failure: Failure | None,
        now: float,
        expected: RefreshOutcome | None,
    ) -> None:
        state = EntryState(metadata, failure)
        assert reason_not_to(state, now, force=False) is expected
        assert reason_not_to(state, now, force=True) is None


class TestTheFailure:
    """The failure that is recorded for an error."""

    def test_is_github_s_own_where_it_has_one(self) -> None:
        error = OriginError(FailureKind.STATUS, "GitHub answered 502", status=502)
        assert failure_to_record(error) is error

    @pytest.mark.parametrize(
        ("error", "kind", "reason"),
        [
            (JobTimeoutException("secret"), FailureKind.TIMEOUT, "the refresh took too long"),
            (
                ZeroDivisionError("secret"),
                FailureKind.INTERNAL,
                "an error of our own (ZeroDivisionError); see the refresher's log",
            ),
        ],
    )
    def test_holds_nothing_of_another_error_s_text(
        self, error: Exception, kind: FailureKind, reason: str
    ) -> None:
        failure = failure_to_record(error)
        assert (failure.kind, failure.reason, failure.status) == (kind, reason, None)


class TestSuccess:
    """Refreshes that succeed."""

    def test_a_cold_list_is_stored_expanded_and_ranked(
        self, large_github: FakeGitHub, context_for: MakeContext, store: Store, clock: ManualClock
    ) -> None:
        context = context_for(large_github.url, clock=clock, cache_ttl=1000)
        assert refresh(REPOS, context) is RefreshOutcome.UPDATED
        entry = entry_of(store, REPOS)
        repos = large_github.repos()
        assert json.loads(bytes(entry.body)) == repos
        assert set(entry.encoded) == {"gzip"}  # brotli cannot be joined
        assert gzip.decompress(bytes(entry.encoded["gzip"])) == entry.body
        assert entry.array is not None
        assert json.loads(bytes(entry.array.slice(100, 130))) == repos[100:130]
        assert entry.metadata.items == 250
        assert entry.metadata.fresh_until == clock.now + 1000
        by_stars = sorted(repos, key=lambda repo: (-repo["stargazers_count"], repo["full_name"]))
        assert json.loads(bytes(entry.views["stars"].body)) == [
            [repo["full_name"], repo["stargazers_count"]] for repo in by_stars
        ]

    def test_members_are_stored_expanded(
        self, large_github: FakeGitHub, context_for: MakeContext, store: Store
    ) -> None:
        large_github.configure(members_redirect=True)
        assert refresh(MEMBERS, context_for(large_github.url)) is RefreshOutcome.UPDATED
        entry = entry_of(store, MEMBERS)
        assert json.loads(bytes(entry.body)) == large_github.members()
        assert set(entry.views) == {ranking.name for ranking in MEMBERS.kind.rankings}

    @pytest.mark.parametrize("resource", [CATALOGUE.tracked[0], ORG], ids=lambda one: str(one.path))
    def test_an_object_is_stored_as_github_wrote_it(
        self, github: FakeGitHub, context_for: MakeContext, store: Store, resource: Resource
    ) -> None:
        context = context_for(github.url)
        assert refresh(resource, context) is RefreshOutcome.UPDATED
        assert entry_of(store, resource).body == context.origin.get(github.url + resource.path).body

    def test_what_is_fresh_is_not_asked_for(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis, clock: ManualClock
    ) -> None:
        context = context_for(github.url, clock=clock, cache_ttl=1000)
        refresh(REPOS, context)
        github.reset_counters()
        before = dump(redis, REPOS)
        clock.now += 999.9
        assert refresh(REPOS, context) is RefreshOutcome.FRESH
        assert github.counters()["total"] == 0
        assert dump(redis, REPOS) == before

    def test_what_is_stale_and_unchanged_moves_its_freshness_on_only(
        self, github: FakeGitHub, context_for: MakeContext, store: Store, clock: ManualClock
    ) -> None:
        context = context_for(github.url, clock=clock, cache_ttl=1000)
        refresh(REPOS, context)
        before = entry_of(store, REPOS)
        clock.now += 1000
        assert refresh(REPOS, context) is RefreshOutcome.UNCHANGED
        after = entry_of(store, REPOS)
        assert after.metadata == replace(
            before.metadata,
            validated_at=clock.now,
            fresh_until=clock.now + 1000,
            confirmed_by=after.metadata.confirmed_by,
            first_at=0.0,  # GitHub was asked twice
        )
        assert after.metadata.confirmed_by > before.metadata.confirmed_by
        assert (after.body, after.encoded) == (before.body, before.encoded)

    def test_what_has_changed_becomes_a_greater_version(
        self, github: FakeGitHub, context_for: MakeContext, store: Store, clock: ManualClock
    ) -> None:
        context = context_for(github.url, clock=clock, cache_ttl=1000)
        refresh(REPOS, context)
        before = entry_of(store, REPOS).metadata
        github.mutate("star", repo=0, by=100_000)
        clock.now += 1000
        assert refresh(REPOS, context) is RefreshOutcome.UPDATED
        after = entry_of(store, REPOS)
        assert json.loads(bytes(after.body)) == github.repos()
        assert json.loads(bytes(after.views["stars"].body))[0][0] == github.repos()[0]["full_name"]
        assert after.metadata.version > before.version
        assert after.metadata.etag != before.etag

    def test_force_asks_though_it_is_fresh(
        self, github: FakeGitHub, context_for: MakeContext
    ) -> None:
        context = context_for(github.url)
        refresh(ORG, context)
        assert refresh(ORG, context, force=True) is RefreshOutcome.UNCHANGED
        github.mutate("edit_org", description="anew")
        assert refresh(ORG, context, force=True) is RefreshOutcome.UPDATED
        assert github.page_requests("/orgs/Netflix") == 3

    def test_a_deletion_while_the_list_is_read_loses_nothing(
        self, large_github: FakeGitHub, context_for: MakeContext, store: Store
    ) -> None:
        context = context_for(large_github.url)
        refresh(REPOS, context)
        large_github.script(REPOS.path, 1, "delete", repo=10)
        assert refresh(REPOS, context, force=True) is RefreshOutcome.UPDATED
        assert json.loads(bytes(entry_of(store, REPOS).body)) == large_github.repos()

    def test_the_lock_is_free_afterwards(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis
    ) -> None:
        refresh(REPOS, context_for(github.url))
        assert not redis.exists(keys.lock(REPOS))

    def test_while_another_holds_the_lock_nothing_is_done(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis
    ) -> None:
        with lease(REPOS, redis, lifetime=300):
            assert refresh(REPOS, context_for(github.url), force=True) is RefreshOutcome.BUSY
            assert set(redis.keys()) == {keys.lock(REPOS).encode(), keys.running(REPOS).encode()}
        assert github.counters()["total"] == 0


# fault on the second page, its options, settings it is met with, kind and status on record
FAULTS: list[tuple[str, dict[str, Any], dict[str, Any], FailureKind, int | None]] = [
    ("status", {"status": 500}, {}, FailureKind.STATUS, 500),
    ("status", {"status": 404}, {}, FailureKind.STATUS, 404),
    ("status", {"status": 401}, {}, FailureKind.UNAUTHORIZED, 401),
    ("status", {"status": 403}, {}, FailureKind.STATUS, 403),
    ("html", {}, {}, FailureKind.STATUS, 502),
    ("html", {"status": 200}, {}, FailureKind.NOT_JSON, 200),
    ("hang", {}, {"origin_read_timeout": 0.4}, FailureKind.TIMEOUT, None),
    (
        "drip",
        {"piece": 300, "interval": 0.3},
        {"origin_deadline": 0.4},
        FailureKind.TIMEOUT,
        200,
    ),
    ("reset", {"before_headers": True}, {}, FailureKind.CONNECTION, None),
    ("truncate", {}, {}, FailureKind.CONNECTION, 200),
    ("cut_chunked", {}, {}, FailureKind.CONNECTION, 200),
    ("unframed", {"after_bytes": 1000}, {}, FailureKind.CONNECTION, 200),
    ("garbage", {}, {}, FailureKind.NOT_JSON, None),
    ("empty", {}, {}, FailureKind.NOT_JSON, 200),
    ("wrong_shape", {}, {}, FailureKind.UNEXPECTED, None),
    ("huge", {"size": 600_000}, {"origin_max_bytes": 550_000}, FailureKind.TOO_LARGE, 200),
    # The clock is set on by 1000 s before.
    ("ratelimited", {"reset_in": 1060}, {}, FailureKind.RATE_LIMITED, 403),
    ("secondary", {"retry_after": None}, {}, FailureKind.RATE_LIMITED, 429),
    ("link_loop", {}, {}, FailureKind.UNEXPECTED, None),
]
FAULT_NAMES = ["-".join([fault, *map(str, options.values())]) for fault, options, *_ in FAULTS]


class TestFailure:
    """Whatever GitHub does, the stored entry stays unchanged."""

    def test_a_304_that_nobody_asked_for_is_a_failure(
        self, github: FakeGitHub, context_for: MakeContext, store: Store
    ) -> None:
        github.fault("status", status=304)
        assert refresh(REPOS, context_for(github.url)) is RefreshOutcome.FAILED
        assert failure_of(store, REPOS).status == 304

    @pytest.mark.parametrize(
        ("fault", "options", "settings", "kind", "status"), FAULTS, ids=FAULT_NAMES
    )
    def test_a_fault_on_one_page_changes_no_byte_and_is_recorded_until_it_is_over(
        self,
        two_page_github: FakeGitHub,
        context_for: MakeContext,
        redis: Redis,
        store: Store,
        clock: ManualClock,
        *,
        fault: str,
        options: dict[str, Any],
        settings: dict[str, Any],
        kind: FailureKind,
        status: int | None,
    ) -> None:
        context = context_for(two_page_github.url, clock=clock)
        refresh(REPOS, context)
        before = dump(redis, REPOS)
        for changed in (0, 100):  # there would be something new to store, on either page
            two_page_github.mutate("star", repo=changed)
        clock.now += 1000
        two_page_github.fault(fault, path=SECOND_PAGE, **options)

        impatient = context_for(two_page_github.url, clock=clock, **settings)
        assert refresh(REPOS, impatient) is RefreshOutcome.FAILED
        assert dump(redis, REPOS) == before
        failure = failure_of(store, REPOS)
        assert (failure.kind, failure.status, failure.attempts) == (kind, status, 1)
        assert failure.since == failure.at == clock.now
        pause = failure.retry_at - clock.now
        if kind is FailureKind.RATE_LIMITED:
            assert 55 < pause < 65
        else:
            assert pause == 1

        two_page_github.reset_counters()
        clock.now = failure.retry_at - 0.001
        assert refresh(REPOS, context) is RefreshOutcome.BACKING_OFF
        assert two_page_github.counters()["total"] == 0

        two_page_github.clear_faults()
        clock.now = failure.retry_at
        assert refresh(REPOS, context) is RefreshOutcome.UPDATED
        assert store.state(REPOS).failure is None
        assert json.loads(bytes(entry_of(store, REPOS).body)) == two_page_github.repos()

    @pytest.mark.parametrize(
        ("fault", "kind"), [("garbage", FailureKind.NOT_JSON), ("wrong_shape", "unexpected")]
    )
    def test_a_tracked_object_is_not_replaced_by_something_else(
        self,
        github: FakeGitHub,
        context_for: MakeContext,
        redis: Redis,
        store: Store,
        *,
        fault: str,
        kind: str,
    ) -> None:
        context = context_for(github.url)
        refresh(ORG, context)
        before = dump(redis, ORG)
        github.fault(fault)
        assert refresh(ORG, context, force=True) is RefreshOutcome.FAILED
        assert dump(redis, ORG) == before
        assert failure_of(store, ORG).kind == kind

    def test_failures_in_a_row_are_counted_and_pauses_grow(
        self, github: FakeGitHub, context_for: MakeContext, store: Store, clock: ManualClock
    ) -> None:
        github.fault("status")
        context = context_for(github.url, clock=clock, backoff_max=5)
        begun = clock.now
        pauses = []
        for _ in range(5):
            assert refresh(ORG, context) is RefreshOutcome.FAILED
            failure = failure_of(store, ORG)
            pauses.append(failure.retry_at - clock.now)
            clock.now = failure.retry_at
        assert pauses == [1, 2, 4, 5, 5]
        assert (failure.attempts, failure.since) == (5, begun)

    def test_an_unchanged_answer_ends_the_row_too(
        self, github: FakeGitHub, context_for: MakeContext, store: Store
    ) -> None:
        context = context_for(github.url)
        refresh(ORG, context)
        github.fault("status", times=1)
        refresh(ORG, context, force=True)
        assert failure_of(store, ORG).attempts == 1
        assert refresh(ORG, context, force=True) is RefreshOutcome.UNCHANGED
        assert store.state(ORG).failure is None

    def test_chance_takes_off_some_of_the_pause(
        self, github: FakeGitHub, context_for: MakeContext, store: Store, clock: ManualClock
    ) -> None:
        github.fault("status")
        refresh(ORG, context_for(github.url, clock=clock, chance=0.5))
        assert failure_of(store, ORG).retry_at == clock.now + 0.75

    def test_a_pause_ends_when_an_operator_resumes(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis, store: Store
    ) -> None:
        context = context_for(github.url, clock=lambda: float(redis.time()[0]))
        github.fault("status", status=503, headers={"Retry-After": "9" * 300}, times=1)
        assert refresh(ORG, context) is RefreshOutcome.FAILED
        failure = failure_of(store, ORG)
        assert failure.retry_at - failure.at == 3600
        assert refresh(ORG, context) is RefreshOutcome.BACKING_OFF
        redis.set(keys.RESUMED, redis.time()[0] + 1)
        assert refresh(ORG, context) is RefreshOutcome.UPDATED

    def test_force_asks_though_it_is_too_early(
        self, github: FakeGitHub, context_for: MakeContext
    ) -> None:
        context = context_for(github.url)
        github.fault("status", times=1)
        assert refresh(ORG, context) is RefreshOutcome.FAILED
        assert refresh(ORG, context) is RefreshOutcome.BACKING_OFF
        assert refresh(ORG, context, force=True) is RefreshOutcome.UPDATED

    def test_a_cold_failure_stores_no_entry(
        self, two_page_github: FakeGitHub, context_for: MakeContext, redis: Redis, store: Store
    ) -> None:
        two_page_github.fault("truncate", path=SECOND_PAGE)
        assert refresh(REPOS, context_for(two_page_github.url)) is RefreshOutcome.FAILED
        assert not redis.exists(keys.entry(REPOS), keys.pages(REPOS))
        assert store.state(REPOS).failure is not None

    def test_the_list_that_never_settles_is_a_failure(
        self, large_github: FakeGitHub, context_for: MakeContext, store: Store
    ) -> None:
        large_github.script(REPOS.path, 1, "move", repo=220, to=0, times=None)
        assert refresh(REPOS, context_for(large_github.url)) is RefreshOutcome.FAILED
        assert failure_of(store, REPOS).kind is FailureKind.UNSETTLED

    def test_a_refused_token_is_recorded_without_it(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis, store: Store
    ) -> None:
        github.configure(tokens=[])
        context = context_for(github.url, github_api_token=TOKEN)
        assert refresh(ORG, context) is RefreshOutcome.FAILED
        assert failure_of(store, ORG).kind is FailureKind.UNAUTHORIZED
        assert TOKEN.encode() not in (redis.get(keys.failure(ORG)) or b"")

    def test_an_error_of_our_own_is_recorded_and_raised(
        self,
        github: FakeGitHub,
        context_for: MakeContext,
        redis: Redis,
        store: Store,
        clock: ManualClock,
    ) -> None:
        context = context_for(github.url, clock=clock)
        refresh(ORG, context)
        before = dump(redis, ORG)
        clock.at_call(2, raiser(ZeroDivisionError("with a secret")))
        with pytest.raises(ZeroDivisionError):
            refresh(ORG, context, force=True)
        failure = failure_of(store, ORG)
        assert failure.kind is FailureKind.INTERNAL
        assert "ZeroDivisionError" in failure.reason
        assert "secret" not in failure.reason
        assert dump(redis, ORG) == before
        assert not redis.exists(keys.lock(ORG))

    def test_a_job_s_time_limit_is_recorded_as_a_timeout(
        self, github: FakeGitHub, context_for: MakeContext, store: Store, clock: ManualClock
    ) -> None:
        clock.at_call(2, raiser(JobTimeoutException("job exceeded its time")))
        assert refresh(ORG, context_for(github.url, clock=clock)) is RefreshOutcome.FAILED
        assert failure_of(store, ORG).kind is FailureKind.TIMEOUT

    @pytest.mark.parametrize("digits", [17, 400])
    def test_an_absurd_pause_is_recorded_all_the_same(
        self, github: FakeGitHub, context_for: MakeContext, store: Store, digits: int
    ) -> None:
        github.fault("status", status=429, headers={"Retry-After": "9" * digits})
        assert refresh(ORG, context_for(github.url)) is RefreshOutcome.FAILED
        failure = failure_of(store, ORG)
        assert failure.kind is FailureKind.RATE_LIMITED
        assert failure.retry_at - failure.at <= 3600

    def test_a_redis_that_goes_away_in_the_middle_is_raised(
        self, github: FakeGitHub, tmp_path: Path, clock: ManualClock
    ) -> None:
        server = EmbeddedRedis(tmp_path)
        with server, connect(load(redis_url=server.url)) as client:
            context = make_context(client, make_settings(github.url), clock=clock)
            clock.at_call(2, server.stop)
            with pytest.raises(RedisError):
                refresh(ORG, context)
            context.origin.transport.close()


def raiser(error: Exception) -> Callable[[], None]:
    """A hook that raises."""

    def hook() -> None:
        raise error

    return hook


class TestFencing:
    """A refresher that lost its lock writes nothing."""

    # Readings of the clock: 1 to decide whether GitHub is asked, 2 as the age of what it sends,
    # 3 to check the response.
    @pytest.mark.parametrize("moment", [2, 3])
    def test_once_another_has_drawn_a_token_nothing_is_stored(
        self,
        github: FakeGitHub,
        context_for: MakeContext,
        redis: Redis,
        clock: ManualClock,
        moment: int,
    ) -> None:
        context = context_for(github.url, clock=clock)
        refresh(ORG, context)
        before = dump(redis, ORG)
        github.mutate("edit_org", description="anew")
        clock.at_call(moment, lambda: take_over(redis, context_for(github.url)))
        assert refresh(ORG, context, force=True) is RefreshOutcome.FENCED
        assert dump(redis, ORG) == before

    def test_unchanged_content_is_not_confirmed_either(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis, clock: ManualClock
    ) -> None:
        context = context_for(github.url, clock=clock)
        refresh(ORG, context)
        before = dump(redis, ORG)
        clock.at_call(2, lambda: take_over(redis, context_for(github.url)))
        clock.now += 5
        assert refresh(ORG, context, force=True) is RefreshOutcome.FENCED
        assert dump(redis, ORG) == before

    def test_a_failure_is_not_recorded_either(
        self,
        github: FakeGitHub,
        context_for: MakeContext,
        redis: Redis,
        store: Store,
        clock: ManualClock,
    ) -> None:
        github.fault("status")
        clock.at_call(2, lambda: take_over(redis, context_for(github.url)))
        assert refresh(ORG, context_for(github.url, clock=clock)) is RefreshOutcome.FENCED
        assert store.state(ORG).failure is None

    def test_what_the_other_one_stored_meanwhile_stays(
        self,
        github: FakeGitHub,
        context_for: MakeContext,
        redis: Redis,
        store: Store,
        clock: ManualClock,
    ) -> None:
        outcomes = []

        def whole_refresh_by_another() -> None:
            redis.delete(keys.lock(ORG))
            github.mutate("edit_org", description="newer than what the first has read")
            outcomes.append(refresh(ORG, context_for(github.url, clock=ManualClock(clock.now))))

        clock.at_call(2, whole_refresh_by_another)
        assert refresh(ORG, context_for(github.url, clock=clock)) is RefreshOutcome.FENCED
        assert outcomes == [RefreshOutcome.UPDATED]
        assert json.loads(bytes(entry_of(store, ORG).body)) == github.org()

    def test_a_redis_that_lost_its_data_is_given_nothing(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis, clock: ManualClock
    ) -> None:
        clock.at_call(2, redis.flushall)
        assert refresh(ORG, context_for(github.url, clock=clock)) is RefreshOutcome.FENCED
        # Nothing but the report of it.
        assert sorted(redis.keys()) == [keys.record(ORG).encode(), keys.timeline(TRACKED).encode()]

    def test_a_lost_lock_stops_the_reading_before_the_next_page(
        self, large_github: FakeGitHub, context_for: MakeContext, redis: Redis, clock: ManualClock
    ) -> None:
        # The second page takes longer than the lock lives: reading 6 of the clock checks that page.
        stopwatch = ManualClock()
        clock.at_call(6, lambda: let_expire(redis, REPOS, stopwatch))
        context = context_for(large_github.url, clock=clock, stopwatch=stopwatch)
        assert refresh(REPOS, context) is RefreshOutcome.FENCED
        assert large_github.counters()["total"] == 2
        assert not redis.exists(keys.entry(REPOS), keys.failure(REPOS))

    def test_a_lock_that_is_lost_before_the_first_page_stops_the_reading(
        self, large_github: FakeGitHub, context_for: MakeContext, redis: Redis, clock: ManualClock
    ) -> None:
        stopwatch = ManualClock()
        clock.at_call(2, lambda: let_expire(redis, REPOS, stopwatch))
        context = context_for(
            large_github.url, clock=clock, stopwatch=stopwatch, github_concurrency=4
        )
        assert refresh(REPOS, context) is RefreshOutcome.FENCED
        assert large_github.counters()["total"] == 0

    def test_a_lock_that_is_lost_while_the_last_answer_comes_stores_nothing(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis, clock: ManualClock
    ) -> None:
        # Nobody has drawn a newer token yet: the fence alone would let the write pass.
        stopwatch = ManualClock()
        clock.at_call(3, lambda: let_expire(redis, ORG, stopwatch))
        context = context_for(github.url, clock=clock, stopwatch=stopwatch)
        assert refresh(ORG, context) is RefreshOutcome.FENCED
        assert not redis.exists(keys.entry(ORG))


def let_expire(redis: Redis, resource: Resource, stopwatch: ManualClock) -> None:
    """A resource's lock expires, and its holder's stopwatch shows that it has."""
    redis.delete(keys.lock(resource))
    stopwatch.now += 1000


def take_over(redis: Redis, other: Any) -> None:
    """The lock expires, and another refresher takes it and draws its token."""
    redis.delete(keys.lock(ORG))
    other.writer.draw_token(ORG)


class TestOnDemand:
    """Resources that clients request on demand."""

    @pytest.mark.parametrize("status", [404, 409, 410, 422, 451])
    def test_a_negative_answer_is_content(
        self, github: FakeGitHub, context_for: MakeContext, store: Store, status: int
    ) -> None:
        github.fault("status", status=status)
        assert refresh(USER_VIEW, context_for(github.url)) is RefreshOutcome.UPDATED
        entry = entry_of(store, USER_VIEW)
        assert entry.metadata.status == status
        assert json.loads(bytes(entry.body))["status"] == str(status)

    def test_what_is_not_there_is_asked_for_once_in_its_lifetime(
        self, github: FakeGitHub, context_for: MakeContext, clock: ManualClock
    ) -> None:
        missing = on_demand("/users/nobody-at-all")
        context = context_for(github.url, clock=clock, on_demand_ttl=60)
        assert refresh(missing, context) is RefreshOutcome.UPDATED
        clock.now += 59
        assert refresh(missing, context) is RefreshOutcome.FRESH
        clock.now += 1
        assert refresh(missing, context) is RefreshOutcome.UNCHANGED
        assert github.page_requests("/users/nobody-at-all") == 2

    def test_a_404_replaces_content_on_demand_but_not_what_is_tracked(
        self, github: FakeGitHub, context_for: MakeContext, store: Store
    ) -> None:
        context = context_for(github.url)
        refresh(USER_VIEW, context)
        refresh(ORG, context)
        github.fault("status", status=404)
        assert refresh(USER_VIEW, context, force=True) is RefreshOutcome.UPDATED
        assert refresh(ORG, context, force=True) is RefreshOutcome.FAILED
        assert entry_of(store, USER_VIEW).metadata.status == 404
        assert entry_of(store, ORG).metadata.status == 200

    def test_no_content_is_content(
        self, github: FakeGitHub, context_for: MakeContext, store: Store
    ) -> None:
        github.fault("status", status=204)
        assert refresh(USER_VIEW, context_for(github.url)) is RefreshOutcome.UPDATED
        entry = entry_of(store, USER_VIEW)
        assert (entry.metadata.status, entry.body) == (204, b"")

    def test_a_server_s_error_leaves_the_content_as_it_was(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis
    ) -> None:
        context = context_for(github.url)
        refresh(USER_VIEW, context)
        before = redis.hgetall(keys.entry(USER_VIEW))
        github.fault("status", status=500)
        assert refresh(USER_VIEW, context, force=True) is RefreshOutcome.FAILED
        assert redis.hgetall(keys.entry(USER_VIEW)) == before

    def test_a_page_is_github_s_own_with_the_queries_of_its_links(
        self, large_github: FakeGitHub, context_for: MakeContext, store: Store
    ) -> None:
        page = on_demand("/orgs/Netflix/repos?per_page=10&page=2")
        assert refresh(page, context_for(large_github.url)) is RefreshOutcome.UPDATED
        entry = entry_of(store, page)
        assert json.loads(bytes(entry.body)) == large_github.repos()[10:20]
        assert entry.array is None
        assert dict(entry.metadata.links) == {
            "prev": "page=1&per_page=10",
            "next": "page=3&per_page=10",
            "last": "page=25&per_page=10",
            "first": "page=1&per_page=10",
        }

    def test_it_expires_when_nobody_asks_for_it(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis
    ) -> None:
        refresh(USER_VIEW, context_for(github.url, on_demand_ttl=60, on_demand_keep=600))
        assert 610 < redis.ttl(keys.entry(USER_VIEW)) <= 660


class TestPrivacy:
    """What only the token may see is stored as if it did not exist."""

    @pytest.fixture
    def private_name(self, github: FakeGitHub) -> str:
        name = github.repos()[0]["name"]
        github.mutate("make_private", repo=name)
        return str(name)

    def test_a_private_repository_is_a_404(
        self, github: FakeGitHub, context_for: MakeContext, store: Store, private_name: str
    ) -> None:
        repository = on_demand(f"/repos/Netflix/{private_name}")
        refresh(repository, context_for(github.url, github_api_token=TOKEN))
        assert entry_of(store, repository).metadata.status == 404

    @pytest.mark.parametrize("below", ["languages", "issues", "contributors?per_page=5"])
    def test_what_lies_below_it_is_a_404_and_never_asked_for(
        self,
        github: FakeGitHub,
        context_for: MakeContext,
        store: Store,
        private_name: str,
        below: str,
    ) -> None:
        resource = on_demand(f"/repos/Netflix/{private_name}/{below}")
        context = context_for(github.url, github_api_token=TOKEN)
        assert refresh(resource, context) is RefreshOutcome.UPDATED
        assert entry_of(store, resource).metadata.status == 404
        assert [seen["path"] for seen in github.recent()] == [
            f"/repos/netflix/{private_name.lower()}"
        ]

    def test_what_lies_below_a_public_one_is_shown(
        self, github: FakeGitHub, context_for: MakeContext, store: Store
    ) -> None:
        resource = on_demand(f"/repos/Netflix/{github.repos()[0]['name']}/languages")
        assert refresh(resource, context_for(github.url, github_api_token=TOKEN)) == "updated"
        assert entry_of(store, resource).metadata.status == 200

    def test_a_repository_that_turns_private_takes_along_what_lies_below_it(
        self, github: FakeGitHub, context_for: MakeContext, store: Store, clock: ManualClock
    ) -> None:
        name = github.repos()[0]["name"]
        resource = on_demand(f"/repos/Netflix/{name}/languages")
        context = context_for(github.url, github_api_token=TOKEN, clock=clock, on_demand_ttl=60)
        refresh(resource, context)
        github.mutate("make_private", repo=name)
        clock.now += 60
        assert refresh(resource, context) is RefreshOutcome.UPDATED
        assert entry_of(store, resource).metadata.status == 404

    @pytest.mark.parametrize("settings", [{}, {"github_api_token": TOKEN, "include_private": True}])
    def test_the_repository_is_not_asked_for_where_nothing_can_leak(
        self, github: FakeGitHub, context_for: MakeContext, settings: dict[str, Any]
    ) -> None:
        context = context_for(github.url, **settings)
        catalogue = Catalogue((), include_private=settings.get("include_private", False))
        resource = catalogue.named(f"/repos/Netflix/{github.repos()[0]['name']}/languages")
        assert resource is not None
        refresh(resource, context)
        assert [seen["path"] for seen in github.recent()] == [resource.path]

    def test_a_repository_that_cannot_be_read_lets_nothing_through(
        self, github: FakeGitHub, context_for: MakeContext, store: Store
    ) -> None:
        resource = on_demand(f"/repos/Netflix/{github.repos()[0]['name']}/languages")
        github.fault("status", path=r"/repos/netflix/[^/]+$")
        assert refresh(resource, context_for(github.url, github_api_token=TOKEN)) == "failed"
        assert store.read(resource) is None
        assert failure_of(store, resource).kind is FailureKind.UNEXPECTED
        assert github.page_requests(resource.path) == 0

    def test_what_went_to_a_private_repository_is_seen_as_anybody_sees_it(
        self, github: FakeGitHub, context_for: MakeContext, store: Store, private_name: str
    ) -> None:
        shown = github.repos()[0]["full_name"].lower()
        hidden = next(one for one in github.repos(private=True) if one["name"] == private_name)
        moved = {"status": 301, "url": f"/repositories/{hidden['id']}/languages"}
        github.configure(redirects={f"/repos/{shown}/languages": moved})
        resource = on_demand(f"/repos/{shown}/languages")
        refresh(resource, context_for(github.url, github_api_token=TOKEN))
        assert entry_of(store, resource).metadata.status == 404
        asked = [(seen["path"], seen["authorised"]) for seen in github.recent()]
        assert asked[-2:] == [(f"/repos/{shown}/languages", False), (moved["url"], False)]

    def test_below_a_renamed_repository_the_credential_goes_on_being_used(
        self, github: FakeGitHub, context_for: MakeContext, store: Store
    ) -> None:
        name = github.repos()[0]["name"]
        github.mutate("rename", repo=name, to="anew")
        resource = on_demand(f"/repos/Netflix/{name}/languages")
        refresh(resource, context_for(github.url, github_api_token=TOKEN))
        assert entry_of(store, resource).metadata.status == 200
        assert all(seen["authorised"] for seen in github.recent())

    def test_an_answer_that_holds_something_private_is_asked_for_without_the_credential(
        self, github: FakeGitHub, context_for: MakeContext, store: Store
    ) -> None:
        name = github.repos()[0]["name"].lower()
        resource = on_demand(f"/repos/Netflix/{name}/actions/runs")
        body = {"total_count": 1, "workflow_runs": [{"id": 1, "repository": {"private": True}}]}
        widened = {"path": f"/repos/netflix/{name}/actions/runs$", "times": 1}
        github.fault("wrong_shape", body=json.dumps(body), **widened)
        refresh(resource, context_for(github.url, github_api_token=TOKEN))
        entry = entry_of(store, resource)
        assert entry.metadata.status == 200
        assert b'"private":true' not in entry.body
        assert [seen["authorised"] for seen in github.recent()] == [True, True, False]

    def test_private_items_are_left_out_of_lists_and_views(
        self, context_for: MakeContext, store: Store
    ) -> None:
        with FakeGitHub(repos=120, private=5, members=1) as github:
            refresh(REPOS, context_for(github.url, github_api_token=TOKEN))
            entry = entry_of(store, REPOS)
            assert json.loads(bytes(entry.body)) == github.repos()
            assert len(json.loads(bytes(entry.views["stars"].body))) == 120

    def test_private_items_are_shown_where_that_is_wanted(
        self, context_for: MakeContext, store: Store
    ) -> None:
        with FakeGitHub(repos=20, private=5, members=1) as github:
            context = context_for(github.url, github_api_token=TOKEN, include_private=True)
            shown = Catalogue(("Netflix",), include_private=True).of_kind(REPOSITORIES, "Netflix")
            refresh(shown, context)
            assert json.loads(bytes(entry_of(store, shown).body)) == github.repos(private=True)

    def test_a_private_item_that_is_gone_costs_one_second_reading_and_no_more(
        self, context_for: MakeContext
    ) -> None:
        with FakeGitHub(repos=120, private=1, members=1) as github:
            context = context_for(github.url, github_api_token=TOKEN)
            refresh(REPOS, context)
            hidden = next(repo for repo in github.repos(private=True) if repo["private"])
            github.mutate("delete", repo=hidden["name"])
            refresh(REPOS, context, force=True)
            github.reset_counters()
            refresh(REPOS, context, force=True)
            assert github.counters()["total"] == 2

    def test_what_needs_a_repository_that_another_is_reading_waits_for_it(
        self,
        github: FakeGitHub,
        context_for: MakeContext,
        store: Store,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("refresher.visibility.parent_repository._PATIENCE", 0.5)
        name = github.repos()[0]["name"]
        repository, below = (on_demand(f"/repos/Netflix/{name}{end}") for end in ("", "/languages"))
        context = context_for(github.url, github_api_token=TOKEN)
        with lease(repository, context.storage.redis, lifetime=300):
            assert refresh(below, context) is RefreshOutcome.BUSY
        assert store.state(below).failure is None
        assert refresh(below, context) is RefreshOutcome.UPDATED

    def test_a_repository_that_cannot_be_read_any_more_lets_nothing_new_through(
        self, github: FakeGitHub, context_for: MakeContext, store: Store, clock: ManualClock
    ) -> None:
        name = github.repos()[0]["name"]
        repository, below = (on_demand(f"/repos/Netflix/{name}{end}") for end in ("", "/languages"))
        context = context_for(github.url, github_api_token=TOKEN, clock=clock, on_demand_ttl=60)
        refresh(repository, context)
        github.mutate("make_private", repo=name)
        clock.now += 60
        github.fault("status", path=f"{repository.path}$")
        refresh(below, context)
        assert store.read(below) is None


class TestAResourceThatBecomesTracked:
    """An organisation that clients requested before is added to ORGS."""

    def test_is_expanded_and_ranked_by_its_first_refresh(
        self, github: FakeGitHub, context_for: MakeContext, store: Store
    ) -> None:
        context = context_for(github.url)
        refresh(Resource(REPOS.path), context)
        refresh(REPOS, context, force=True)
        entry = entry_of(store, REPOS)
        assert entry.metadata.items == 5
        assert set(entry.views) == set(RANKINGS)


class TestDerivedData:
    """What our own code makes of an unchanged origin: it has versions of its own."""

    @staticmethod
    def rewrite(redis: Redis, resource: Resource, **changed: Any) -> None:
        """Have the entry be one that another release stored."""
        meta = json.loads(redis.hget(keys.entry(resource), "meta") or b"")
        redis.hset(keys.entry(resource), "meta", json.dumps({**meta, **changed}))

    def make_older(self, redis: Redis, resource: Resource) -> None:
        """Have the entry be one of a release that knew neither brotli nor the view of stars."""
        lost = {"br", "view:stars"}
        derived = {one: at for one, at in resource.kind.derived.items() if one not in lost}
        self.rewrite(redis, resource, derived=derived)
        redis.hdel(keys.entry(resource), "body:br", "view:stars", "view:stars:ends")

    def test_that_an_entry_lacks_is_made_without_downloading_anything(
        self, large_github: FakeGitHub, context_for: MakeContext, redis: Redis, store: Store
    ) -> None:
        context = context_for(large_github.url, clock=ManualClock(time.time()))
        refresh(REPOS, context)
        before = entry_of(store, REPOS)
        self.make_older(redis, REPOS)
        large_github.reset_counters()
        assert refresh(REPOS, context) is RefreshOutcome.UPDATED  # although it is fresh
        after = entry_of(store, REPOS)
        assert replace(after, metadata=before.metadata) == before
        assert after.metadata.version > before.metadata.version
        assert after.metadata.etag == before.metadata.etag
        assert after.metadata.changed_at == before.metadata.changed_at
        counters = large_github.counters()
        assert counters["statuses"] == {"304": counters["total"]}
        assert refresh(REPOS, context) is RefreshOutcome.FRESH

    def test_of_a_single_object_is_rebuilt_too(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis, store: Store
    ) -> None:
        context = context_for(github.url)
        refresh(ORG, context)
        before = entry_of(store, ORG)
        self.make_older(redis, ORG)
        assert refresh(ORG, context) is RefreshOutcome.UPDATED
        after = entry_of(store, ORG)
        assert (after.body, after.encoded) == (before.body, before.encoded)
        assert after.metadata.etag == before.metadata.etag

    def test_of_an_older_version_is_rebuilt(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis, store: Store
    ) -> None:
        context = context_for(github.url)
        refresh(REPOS, context)
        self.rewrite(redis, REPOS, derived={**REPOS.kind.derived, "view:stars": 0})
        redis.hset(keys.entry(REPOS), "view:stars", b"[]")
        assert refresh(REPOS, context) is RefreshOutcome.UPDATED
        assert len(entry_of(store, REPOS).views["stars"].body) > len(b"[]")

    def test_that_a_newer_release_made_is_left_as_it_is(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis, store: Store
    ) -> None:
        context = context_for(github.url)
        refresh(REPOS, context)
        newer = {**REPOS.kind.derived, "view:stars": 2, "view:nonsense": 1, "nonsense": 1}
        self.rewrite(redis, REPOS, derived=newer)
        view = JsonArray.join([b'["Netflix/a", 1]'], b", ")
        redis.hset(
            keys.entry(REPOS),
            items=["view:nonsense", view.body, "view:nonsense:ends", pack_ends(view.ends)],
        )
        assert refresh(REPOS, context) is RefreshOutcome.FRESH
        assert refresh(REPOS, context, force=True) is RefreshOutcome.UNCHANGED
        assert entry_of(store, REPOS).metadata.derived == newer
        assert entry_of(store, REPOS).views["nonsense"].body == view.body

    def test_of_two_releases_side_by_side_is_not_made_anew_by_turns(
        self, github: FakeGitHub, context_for: MakeContext, clock: ManualClock, redis: Redis
    ) -> None:
        def release(*rankings: Ranking) -> Resource:
            return replace(REPOS, kind=replace(REPOSITORIES, rankings=rankings))

        first, *others = REPOSITORIES.rankings
        older, newer = release(first, *others), release(*others, replace(first, name="nonsense"))
        context = context_for(github.url, clock=clock)
        refresh(older, context)
        github.reset_counters()
        for _ in range(119):  # seconds
            clock.now += 1
            for resource in (newer, older):
                refresh(resource, context)
        assert github.counters()["total"] == 1
        clock.now += 1
        assert refresh(older, context) is RefreshOutcome.UPDATED  # its last act
        clock.now += 60
        assert refresh(newer, context) is RefreshOutcome.UPDATED
        assert refresh(newer, context) is RefreshOutcome.FRESH
        assert "nonsense" in entry_of(Store(redis), newer).views

    def test_by_stricter_shapes_is_made_of_the_pages_that_are_stored(
        self, github: FakeGitHub, context_for: MakeContext, redis: Redis
    ) -> None:
        context = context_for(github.url)
        refresh(REPOS, context)
        heads = json.loads(redis.hget(keys.pages(REPOS), "heads") or b"")
        redis.hset(keys.pages(REPOS), "heads", json.dumps({**heads, "shapes": "others"}))
        github.reset_counters()
        assert refresh(REPOS, context, force=True) is RefreshOutcome.UNCHANGED
        assert github.counters()["statuses"] == {"304": 1}
        assert not page_store.load(redis, REPOS).is_outdated


class TestDamagedPages:
    """What is stored for conditional requests can be lost, or damaged; GitHub has it all."""

    @pytest.mark.parametrize("damage", [b"", b"nonsense", b"\x1f\x8b\x08", None])
    def test_are_read_again_from_github(
        self,
        large_github: FakeGitHub,
        context_for: MakeContext,
        redis: Redis,
        store: Store,
        damage: bytes | None,
    ) -> None:
        context = context_for(large_github.url)
        refresh(REPOS, context)
        if damage is None:
            redis.hdel(keys.pages(REPOS), "2")
        else:
            redis.hset(keys.pages(REPOS), "2", damage)
        large_github.mutate("star", repo=3, by=17)  # on the first page: the second is needed whole
        assert refresh(REPOS, context, force=True) is RefreshOutcome.UPDATED
        assert json.loads(bytes(entry_of(store, REPOS).body)) == large_github.repos()
        assert refresh(REPOS, context, force=True) is RefreshOutcome.UNCHANGED
