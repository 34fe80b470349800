"""Refreshes of what TRACK names: whole lists by their filters, and GitHub's errors as answers."""

import json
import time
from typing import Any, cast

import pytest
import requests
from redis import Redis

from refresher.refresh import refresh
from shared.changes import FIELD
from shared.entry import Entry
from shared.outcomes import RefreshOutcome
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import ManualClock, make_settings

OWNER = "ghp_owner0123456789"


def named(path: str) -> Resource:
    return Catalogue(("Netflix",), track=(path,)).tracked[-1]


def entry_of(redis: Redis, resource: Resource) -> Entry:
    entry = Store(redis).read(resource)
    assert entry is not None
    return entry


def body_of(redis: Redis, resource: Resource) -> Any:
    return json.loads(bytes(entry_of(redis, resource).body))


def told(redis: Redis) -> list[dict[str, Any]]:
    found = cast(Any, redis.xrange(keys.FEED))
    return [json.loads(fields[FIELD.encode()]) for _, fields in found]


@pytest.fixture
def repo(github: FakeGitHub) -> str:
    """The path of a repository with 130 open and some closed issues."""
    name = github.repos()[0]["full_name"]
    github.mutate("edit_repo", repo=name, open_issues=130)
    return f"/repos/{name.lower()}"


@pytest.mark.parametrize("state", ["open", "all"])
def test_all_pages_of_a_list_are_read_by_its_filters(
    github: FakeGitHub, context_for: MakeContext, redis: Redis, repo: str, state: str
) -> None:
    issues = named(f"{repo}/issues?state={state}")
    assert refresh(issues, context_for(github.url)) is RefreshOutcome.UPDATED
    url = f"{github.url}{repo}/issues?state={state}&per_page=100&page="
    pages = [requests.get(f"{url}{page}", timeout=30).json() for page in range(1, 4)]
    every = [item for page in pages for item in page]
    assert len(every) >= 130
    assert body_of(redis, issues) == every
    assert entry_of(redis, issues).metadata.items == len(every)
    assert redis.ttl(keys.entry(issues)) == -1
    assert told(redis)[0]["resource"] == issues.name


def test_repositories_of_anybody_are_ranked(
    github: FakeGitHub, context_for: MakeContext, redis: Redis
) -> None:
    repos = named("/users/netflix/repos")
    refresh(repos, context_for(github.url))
    entry = entry_of(redis, repos)
    assert set(entry.views) == {"forks", "last_updated", "open_issues", "stars", "watchers"}
    assert entry.metadata.items == 5


@pytest.mark.parametrize("token", [None, OWNER])
@pytest.mark.parametrize(
    "path",
    [
        *("/users/nobody-at-all", "/users/nobody-at-all/repos", "/orgs/nobody/public_members"),
        *("/repos/netflix/nothing", "/repos/netflix/nothing/releases"),
        "/repos/netflix/nothing/languages",
    ],
)
def test_what_github_does_not_show_is_an_answer_and_not_a_failure(
    github: FakeGitHub, context_for: MakeContext, redis: Redis, path: str, token: str | None
) -> None:
    resource = named(path)
    context = context_for(github.url, budgeted=True, github_api_token=token)
    assert refresh(resource, context) is RefreshOutcome.UPDATED
    assert entry_of(redis, resource).metadata.status == 404
    assert Store(redis).state(resource).failure is None
    assert redis.ttl(keys.entry(resource)) == -1
    assert refresh(resource, context, force=True) is RefreshOutcome.UNCHANGED
    (event,) = told(redis)
    assert event["quiet"] is True, "nobody has to know that this is tracked"


@pytest.mark.parametrize("below", ["", "/issues", "/releases", "/languages"])
def test_what_is_made_private_is_withheld_and_followers_are_told(
    github: FakeGitHub, context_for: MakeContext, redis: Redis, repo: str, below: str
) -> None:
    clock = ManualClock(time.time())
    context = context_for(github.url, clock=clock, budgeted=True, github_api_token=OWNER)
    resource = named(f"{repo}{below}")
    refresh(resource, context)
    assert entry_of(redis, resource).metadata.status == 200
    github.mutate("make_private", repo=repo.removeprefix("/repos/"))
    clock.now += 3600
    refresh(resource, context)
    assert entry_of(redis, resource).metadata.status == 404
    github.mutate("make_public", repo=repo.removeprefix("/repos/"))
    clock.now += 3600
    refresh(resource, context)
    assert entry_of(redis, resource).metadata.status == 200
    mine = [one for one in told(redis) if one["resource"] == resource.name]
    assert [(one["status"], one.get("quiet")) for one in mine] == [
        (200, None),
        (404, None),
        (200, None),
    ]


@pytest.mark.parametrize("below", ["/issues", "/languages"])
def test_any_error_of_github_s_is_the_answer_in_its_words(
    github: FakeGitHub, context_for: MakeContext, redis: Redis, repo: str, below: str
) -> None:
    context = context_for(github.url)
    resource = named(f"{repo}{below}")
    refresh(resource, context)
    github.fault("status", status=410, path=f"{repo}{below}")
    assert refresh(resource, context, force=True) is RefreshOutcome.UPDATED
    assert entry_of(redis, resource).metadata.status == 410
    github.clear_faults()
    assert refresh(resource, context, force=True) is RefreshOutcome.UPDATED
    assert entry_of(redis, resource).metadata.status == 200


@pytest.mark.parametrize("below", ["/issues", "/languages"])
def test_content_outlives_errors_of_github_s_servers(
    github: FakeGitHub, context_for: MakeContext, redis: Redis, repo: str, below: str
) -> None:
    context = context_for(github.url)
    resource = named(f"{repo}{below}")
    refresh(resource, context)
    github.fault("status", status=502)
    assert refresh(resource, context, force=True) is RefreshOutcome.FAILED
    assert entry_of(redis, resource).metadata.status == 200


def test_a_list_that_is_too_long_is_refused_in_words_and_not_read_again_at_once(
    github: FakeGitHub, context_for: MakeContext, redis: Redis, clock: ManualClock, repo: str
) -> None:
    context = context_for(github.url, clock=clock, list_max_pages=1)
    issues = named(f"{repo}/issues")
    assert refresh(issues, context) is RefreshOutcome.UPDATED
    assert entry_of(redis, issues).metadata.status == 403
    assert "LIST_MAX_PAGES" in body_of(redis, issues)["message"]
    clock.now += 900
    assert refresh(issues, context) is RefreshOutcome.FRESH


def test_the_repository_above_is_confirmed_for_free_in_the_next_lifetime(
    github: FakeGitHub, context_for: MakeContext, redis: Redis, repo: str
) -> None:
    clock = ManualClock(time.time())
    track = (f"{repo}/languages",)
    context = context_for(
        github.url, clock=clock, budgeted=True, github_api_token=OWNER, track=track, cache_ttl=900
    )
    languages = named(track[0])
    refresh(languages, context)
    above = Resource(repo)
    assert 1700 < redis.ttl(keys.entry(above)) <= 1800
    clock.now += 900
    github.reset_counters()
    refresh(languages, context)
    seen = [(one["path"], one["status"]) for one in github.recent()]
    assert seen == [(repo, 304), (track[0], 304)]
    refresh(Resource("/repos/netflix/nothing"), context)
    assert redis.ttl(keys.entry(Resource("/repos/netflix/nothing"))) <= 660


def test_a_repository_above_is_never_held_as_long_as_a_withdrawal_lasts() -> None:
    known = make_settings("http://github.invalid", track=("/users/a",), cache_ttl=36_000)
    assert known.longest_held == 3000
    assert make_settings("http://github.invalid", cache_ttl=36_000).longest_held == 660
