"""Jobs share the components of their process, which are made from the environment."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import pytest
from redis import Redis, RedisError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.suspension import resume, suspend
from rq.utils import import_attribute

from refresher import jobs, process
from refresher.storage.mending import Mender
from scripts.embedded_redis import EmbeddedRedis
from shared import measures
from shared.measures import Measure
from shared.queueing import CLAIM, FORGET_JOB, JOB, QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.store import Store
from shared.refresh_report import timeline
from tests.builders import on_demand, queued_names, stale
from tests.fakegithub.client import FakeGitHub
from tests.refresher.workbench import ORG, REPOS, USER_VIEW
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def _environment(
    monkeypatch: pytest.MonkeyPatch, github: FakeGitHub, redis_server: EmbeddedRedis
) -> Iterator[None]:
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setenv("GITHUB_API_URL", github.url)
    yield
    process.close()


def perform_next(redis: Redis) -> Any:
    """Run the next job of the queue as RQ does, in this process; return its result."""
    job_id = cast(bytes, redis.lpop("rq:queue:refresh")).decode()
    job = Job.fetch(job_id, connection=redis, serializer=JSONSerializer)
    return job.perform()


def test_the_names_that_readers_enqueue_are_the_jobs() -> None:
    assert import_attribute(JOB) is jobs.refresh
    assert import_attribute(FORGET_JOB) is jobs.forget


def test_a_job_refreshes_the_resource_of_that_name(github: FakeGitHub, redis: Redis) -> None:
    assert jobs.refresh(REPOS.name) == "updated"
    entry = Store(redis).read(REPOS)
    assert entry is not None
    assert json.loads(bytes(entry.body)) == github.repos()
    assert entry.metadata.items == 5
    assert redis.ttl(keys.entry(REPOS)) == -1


def test_a_job_of_processes_with_other_settings_is_left_and_can_be_asked_for_at_once(
    redis: Redis,
) -> None:
    """The mark of who took it would hold back the next job until it expires."""
    others = replace(ORG, include_private=True)
    RefreshQueue(redis, QueueLimits()).ask(stale(others))
    redis.set(keys.running(others), CLAIM)
    redis.set(keys.running(ORG), CLAIM)
    assert perform_next(redis) == "left"
    assert not redis.exists(keys.running(others))
    assert redis.exists(keys.running(ORG))
    assert Store(redis).read(ORG) is None


def test_a_job_can_be_forced(github: FakeGitHub, redis: Redis) -> None:
    outcomes = [jobs.refresh(ORG.name), jobs.refresh(ORG.name), jobs.refresh(ORG.name, force=True)]
    assert outcomes == ["updated", "fresh", "unchanged"]
    assert github.counters()["total"] == 2


def test_a_job_s_result_is_plain_text_for_rq_s_serializer(redis: Redis) -> None:
    assert json.dumps(jobs.refresh(ORG.name)) == '"updated"'


@pytest.mark.parametrize(
    "name",
    [
        "/user",
        "/rate_limit",
        "/orgs/Netflix/hooks",
        "/repos/netflix/x/actions/secrets",
        "/orgs/Netflix/../../user",
        "http://elsewhere.invalid/orgs/Netflix",
        "//elsewhere.invalid/orgs/Netflix",
        "orgs/Netflix",
        "/users/x?access_token=1",
        "",
        "/" + "x" * 5000,
    ],
)
def test_a_name_off_the_list_is_refused_without_a_request(
    github: FakeGitHub, redis: Redis, name: str
) -> None:
    assert jobs.refresh(name, force=True) == "refused"
    assert github.counters()["total"] == 0
    assert redis.keys() == []


def test_wrong_settings_end_the_job_with_the_name_of_the_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CACHE_TTL", "soon")
    with pytest.raises(SystemExit, match="CACHE_TTL"):
        jobs.refresh(ORG.name)


def test_jobs_share_connections_which_end_with_the_process_s_components(
    github: FakeGitHub, redis: Redis
) -> None:
    before = len(redis.client_list())
    jobs.refresh(ORG.name)
    at_redis = len(redis.client_list())
    assert at_redis > before
    jobs.refresh(ORG.name, force=True)
    assert len(redis.client_list()) == at_redis
    # One of them is the one of this question.
    assert github.counters()["connections"] == 2
    process.close()
    assert eventually(lambda: len(redis.client_list()) == before)
    assert eventually(lambda: github.counters()["connections"] == 1)


class TestWorkHorse:
    """A plain `rq worker` forks a process for each job; nothing of it is lost at its end."""

    def test_has_counted_its_job_when_the_job_ends(self, redis: Redis) -> None:
        jobs.refresh(ORG.name)
        assert measures.read(redis).of(Measure.REFRESHES) == {("tracked", "updated"): 1}
        assert measures.read(redis).of(Measure.ORIGIN_REQUESTS) == {("200",): 1}

    def test_has_counted_its_job_even_if_that_raises(
        self, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Mender, "mend_for", lambda *_: False)  # else it would be mended
        redis.set(keys.entry(ORG), "not a hash")
        with pytest.raises(RedisError):
            jobs.refresh(ORG.name)
        assert measures.read(redis).of(Measure.REFRESHES) == {("tracked", "broken"): 1}


class TestInTheWorker:
    """In a process that serves many jobs, the worker brings counters and reports to Redis."""

    @pytest.fixture(autouse=True)
    def _serving(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(process._process, "server", None)  # restored afterwards
        process.serve()

    def test_a_job_writes_neither_counts_nor_reports_by_itself(self, redis: Redis) -> None:
        assert jobs.refresh(ORG.name) == "updated"
        assert measures.read(redis).of(Measure.REFRESHES) == {}
        assert timeline(redis) == []
        process.current().flush()
        assert measures.read(redis).of(Measure.REFRESHES) == {("tracked", "updated"): 1}
        assert [one.resource for one in timeline(redis)] == [ORG.name]

    def test_a_pause_does_not_end_a_job_that_was_taken(self, redis: Redis) -> None:
        suspend(redis)
        assert jobs.refresh(ORG.name) == "updated"

    def test_jobs_of_many_threads_refresh_what_they_are_named(
        self, github: FakeGitHub, redis: Redis
    ) -> None:
        repositories = [repository["full_name"] for repository in github.repos()]
        names = [
            ORG.name,
            REPOS.name,
            USER_VIEW.name,
            *(on_demand(f"/repos/{one}").name for one in repositories),
        ]
        with ThreadPoolExecutor(len(names)) as threads:
            outcomes = list(threads.map(jobs.refresh, names))
        assert outcomes == ["updated"] * len(names)
        process.current().flush()
        reports = {report.resource: report.requests for report in timeline(redis)}
        assert reports == dict.fromkeys(names, 1)


def test_a_job_can_come_before_the_end_of_freshness_and_finds_out_that_it_was_done(
    github: FakeGitHub, redis: Redis
) -> None:
    jobs.refresh(ORG.name)
    seen = Store(redis).state(ORG).metadata
    assert seen is not None
    outcomes = [jobs.refresh(ORG.name, fresh_after=seen.fresh_until) for _ in range(2)]
    assert outcomes == ["unchanged", "fresh"]
    assert github.counters()["total"] == 2


class TestWhoAsked:
    """A refresh is reported with the ids of its request and its job."""

    def test_is_in_the_report(self, redis: Redis) -> None:
        RefreshQueue(redis, QueueLimits()).ask(replace(stale(ORG), request_id="abc-123"))
        (job_id,) = cast(list[bytes], redis.lrange("rq:queue:refresh", 0, -1))
        assert perform_next(redis) == "updated"
        (report,) = timeline(redis)
        assert (report.request_id, report.job_id) == ("abc-123", job_id.decode())

    def test_is_nobody_where_a_reader_or_the_scheduler_asked_by_itself(self, redis: Redis) -> None:
        RefreshQueue(redis, QueueLimits()).ask(stale(ORG))
        assert perform_next(redis) == "updated"
        (report,) = timeline(redis)
        assert report.request_id is None
        assert report.job_id is not None

    def test_is_not_known_outside_of_a_job(self, redis: Redis) -> None:
        jobs.refresh(ORG.name)
        assert [(one.request_id, one.job_id) for one in timeline(redis)] == [(None, None)]


class TestPaused:
    """While an operator has refreshing paused."""

    def test_the_origin_is_not_asked_and_nothing_changes(
        self, github: FakeGitHub, redis: Redis
    ) -> None:
        suspend(redis)
        assert jobs.refresh(ORG.name, force=True) == "paused"
        assert github.counters()["total"] == 0
        assert Store(redis).state(ORG).metadata is None
        assert measures.read(redis).of(Measure.REFRESHES) == {("tracked", "paused"): 1}
        assert timeline(redis) == []

    def test_a_forced_refresh_takes_the_mark_away_that_it_was_asked_for_with(
        self, redis: Redis
    ) -> None:
        RefreshQueue(redis, QueueLimits()).force(ORG)
        assert Store(redis).state(ORG).invalidated_by is not None
        assert jobs.refresh(ORG.name, force=True) == "updated"
        assert Store(redis).state(ORG).invalidated_by is None

    def test_what_an_operator_asked_for_is_kept_for_later(self, redis: Redis) -> None:
        suspend(redis)
        jobs.refresh(ORG.name)
        assert queued_names(redis) == [], "readers ask again by themselves"
        jobs.refresh(ORG.name, force=True)
        assert queued_names(redis) == [ORG.name]

    def test_ends(self, redis: Redis) -> None:
        suspend(redis)
        jobs.refresh(ORG.name)
        resume(redis)
        assert jobs.refresh(ORG.name) == "updated"


class TestForget:
    """An on-demand resource is forgotten."""

    def test_leaves_nothing_of_it_but_that_it_was_forgotten(self, redis: Redis) -> None:
        jobs.refresh(USER_VIEW.name)
        version = Store(redis).state(USER_VIEW).metadata
        assert jobs.forget(USER_VIEW.name) == "forgotten"
        state = Store(redis).state(USER_VIEW)
        assert (state.metadata, state.failure, state.invalidated_by) == (None, None, None)
        assert version is not None
        assert state.forgotten > version.version

    def test_is_done_as_a_job_that_a_reader_enqueued(self, redis: Redis) -> None:
        jobs.refresh(USER_VIEW.name)
        RefreshQueue(redis, QueueLimits()).forget(USER_VIEW, request_id="abc-123")
        assert perform_next(redis) == "forgotten"
        assert Store(redis).state(USER_VIEW).metadata is None

    def test_reads_a_tracked_one_anew_and_keeps_what_is_held_until_then(
        self, github: FakeGitHub, redis: Redis
    ) -> None:
        jobs.refresh(REPOS.name)
        before = Store(redis).state(REPOS).metadata
        github.fault("status", status=502)
        queue = RefreshQueue(redis, QueueLimits())
        queue.forget(REPOS)
        assert perform_next(redis) == "failed"
        state = Store(redis).state(REPOS)
        assert (state.metadata, state.forgotten) == (before, 0)
        assert state.is_to_be_read_anew
        github.clear_faults()
        github.reset_counters()
        queue.forget(REPOS)
        assert perform_next(redis) == "unchanged"
        assert [seen["if_none_match"] for seen in github.recent()] == [None]
        assert Store(redis).state(REPOS).invalidated_by is None

    @pytest.mark.parametrize("name", ["/user", "", "/users/x?access_token=1"])
    def test_is_refused_for_what_may_not_be_had(self, redis: Redis, name: str) -> None:
        jobs.refresh(ORG.name)
        before = sorted(redis.scan_iter())
        assert jobs.forget(name) == "refused"
        assert sorted(redis.scan_iter()) == before
        assert Store(redis).state(ORG).metadata is not None

    def test_what_is_asked_for_afterwards_is_fetched_anew(
        self, github: FakeGitHub, redis: Redis
    ) -> None:
        for _ in range(2):
            assert jobs.refresh(USER_VIEW.name) == "updated"
            jobs.forget(USER_VIEW.name)
        assert jobs.refresh(USER_VIEW.name) == "updated"
        state = Store(redis).state(USER_VIEW)
        assert state.metadata is not None
        assert state.metadata.version > state.forgotten > 0
        assert github.counters()["total"] == 3
