"""What RQ runs: a job makes everything it needs from the environment, and leaves nothing open."""

import json

import pytest
from redis import Redis
from rq.utils import import_attribute

from refresher import jobs
from scripts.embedded_redis import EmbeddedRedis
from shared import keys
from shared.queueing import JOB
from shared.store import Store
from tests.fakegithub.client import FakeGitHub
from tests.refresher.workbench import ORG, REPOS
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def _environment(
    monkeypatch: pytest.MonkeyPatch, github: FakeGitHub, redis_server: EmbeddedRedis
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setenv("GITHUB_API_URL", github.url)


def test_the_name_that_readers_enqueue_is_the_job() -> None:
    assert import_attribute(JOB) is jobs.refresh


def test_a_job_refreshes_the_resource_of_that_name(github: FakeGitHub, redis: Redis) -> None:
    assert jobs.refresh(REPOS.name) == "updated"
    entry = Store(redis).read(REPOS)
    assert entry is not None
    assert json.loads(entry.body) == github.repos()
    assert entry.metadata.items == 5
    assert redis.ttl(keys.entry(REPOS)) == -1


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


def test_a_job_closes_its_connections(github: FakeGitHub, redis: Redis) -> None:
    before = len(redis.client_list())
    jobs.refresh(ORG.name)
    assert eventually(lambda: len(redis.client_list()) == before)
    # The one of this question.
    assert eventually(lambda: github.counters()["connections"] == 1)


def test_a_job_can_come_before_the_end_of_freshness_and_finds_out_that_it_was_done(
    github: FakeGitHub, redis: Redis
) -> None:
    jobs.refresh(ORG.name)
    seen = Store(redis).look(ORG).metadata
    assert seen is not None
    outcomes = [jobs.refresh(ORG.name, fresh_after=seen.fresh_until) for _ in range(2)]
    assert outcomes == ["unchanged", "fresh"]
    assert github.counters()["total"] == 2
