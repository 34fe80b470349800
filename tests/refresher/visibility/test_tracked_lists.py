"""Privacy comes first for every kind of resource: tracked ones and expanded lists included."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from redis import Redis

from refresher.refresh import refresh
from shared.entry import Entry
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.kinds import REPOSITORIES, Kind, Visibility
from shared.resources.resource import Resource
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import ManualClock

OWNER, STRANGER = "ghp_owner0123456789", "ghp_stranger0123456789"
SEES_ALL = {"role": "owner", "scopes": "repo, admin:org"}
VIEWERS = {OWNER: SEES_ALL, STRANGER: {"role": "stranger", "scopes": ""}}
# Rows that the table could have one day, tracked and expanded.
LIST = Kind("below-a-repository", template="", route="x", is_expanded=True)
LISTS = [LIST, replace(LIST, visibility=Visibility.BY_ITEM)]
OBJECT = replace(LIST, is_expanded=False)
BELOW = ["/branches", "/pulls", "/forks", "/releases", "/issues", "/contributors"]

Fetch = Callable[..., Entry | None]


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """A few repositories, some of them private."""
    with FakeGitHub(repos=5, private=2, members=2, viewers=VIEWERS) as github:
        yield github


@pytest.fixture
def fetch(context_for: MakeContext, github: FakeGitHub, redis: Redis, clock: ManualClock) -> Fetch:
    """Refreshes a tracked resource with a credential; returns its entry."""

    def fetch(path: str, kind: Kind, *, token: str | None = OWNER) -> Entry | None:
        context = context_for(github.url, clock=clock, budgeted=True, github_api_token=token)
        resource = Resource(path, kind=kind)
        assert resource.tracked
        refresh(resource, context)
        return Store(redis).read(resource)

    return fetch


def names(github: FakeGitHub, *, private: bool) -> list[str]:
    """The names of the private or of the public repositories."""
    every = github.repos(private=True)
    return [str(repo["name"]).lower() for repo in every if repo["private"] is private]


@pytest.mark.parametrize("kind", LISTS, ids=lambda kind: str(kind.visibility))
@pytest.mark.parametrize("below", BELOW)
def test_a_tracked_list_below_a_private_repository_is_not_published(
    github: FakeGitHub, fetch: Fetch, kind: Kind, below: str
) -> None:
    entry = fetch(f"/repos/netflix/{names(github, private=True)[0]}{below}", kind)
    assert entry is not None
    assert (entry.metadata.status, json.loads(bytes(entry.body))["message"]) == (404, "Not Found")
    paths = {seen["path"] for seen in github.recent() if seen["authorised"]}
    assert not any(path.endswith(below) for path in paths), "it was asked for all the same"


@pytest.mark.parametrize("kind", LISTS, ids=lambda kind: str(kind.visibility))
@pytest.mark.parametrize("below", BELOW)
def test_a_tracked_list_below_a_public_repository_is_what_anybody_sees(
    github: FakeGitHub, fetch: Fetch, redis: Redis, kind: Kind, below: str
) -> None:
    path = f"/repos/netflix/{names(github, private=False)[0]}{below}"
    seen = fetch(path, kind, token=OWNER)
    redis.flushdb()
    public = fetch(path, kind, token=None)
    assert seen is not None
    assert public is not None
    assert (seen.metadata.status, seen.metadata.items) == (200, public.metadata.items)
    assert seen.body == public.body


@pytest.mark.parametrize("kind", [*LISTS, OBJECT], ids=["by operation", "by item", "object"])
@pytest.mark.parametrize("token", [OWNER, STRANGER, None])
def test_what_is_tracked_is_no_longer_published_when_its_repository_turns_private(
    github: FakeGitHub, fetch: Fetch, clock: ManualClock, token: str | None, kind: Kind
) -> None:
    name = names(github, private=False)[0]
    below = "/languages" if kind is OBJECT else "/branches"
    before = fetch(f"/repos/netflix/{name}{below}", kind, token=token)
    assert before is not None
    assert before.metadata.status == 200
    github.mutate("make_private", repo=name)
    clock.now += 3600
    after = fetch(f"/repos/netflix/{name}{below}", kind, token=token)
    assert after is not None
    assert after.metadata.status == 404


def test_a_tracked_object_below_a_private_repository_is_not_published(
    github: FakeGitHub, fetch: Fetch
) -> None:
    entry = fetch(f"/repos/netflix/{names(github, private=True)[0]}/languages", OBJECT)
    assert entry is not None
    assert entry.metadata.status == 404


@pytest.mark.parametrize("status", [301, 302])
def test_a_tracked_list_that_leads_to_another_repository_is_asked_for_without_a_credential(
    github: FakeGitHub, fetch: Fetch, status: int
) -> None:
    here, there = names(github, private=False)[0], names(github, private=True)[0]
    path = f"/repos/netflix/{here}/branches"
    target = f"/repos/Netflix/{there}/branches?per_page=100"
    asked = f"{path}?per_page=100"
    github.configure(redirects={asked: {"status": status, "url": target}})
    entry = fetch(path, LIST)
    assert entry is not None
    assert entry.metadata.status == 404, "GitHub answers 404 to anybody"


@pytest.mark.parametrize("path", ["/orgs/netflix/hooks", "/user", "/orgs/netflix/nonsense"])
def test_what_is_refused_is_not_asked_for_if_it_is_tracked(
    github: FakeGitHub, fetch: Fetch, path: str
) -> None:
    known: dict[str, Any] = {"token": OWNER}
    assert fetch(path, OBJECT, **known) is None
    assert github.counters()["total"] == 0


def test_a_list_made_anew_is_judged_by_the_shapes_of_today(
    fetch: Fetch, redis: Redis, clock: ManualClock
) -> None:
    # The shapes of the release before left a member out. Today it is free-form, and says that
    # something is private: only a request without a credential tells what is public.
    before = fetch("/orgs/Netflix/repos", REPOSITORIES)
    assert before is not None
    pages = keys.pages(Resource("/orgs/Netflix/repos", kind=REPOSITORIES))
    heads, body = redis.hmget(pages, "heads", "1")
    items = [
        {**item, "custom_properties": {"private": True}}
        for item in json.loads(gzip.decompress(cast(bytes, body)))
    ]
    older = {**json.loads(heads or b""), "shapes": "older"}
    redis.hset(pages, "1", gzip.compress(json.dumps(items).encode()))
    redis.hset(pages, "heads", json.dumps(older))
    clock.now += 3600
    after = fetch("/orgs/Netflix/repos", REPOSITORIES)
    assert after is not None
    assert after.body == before.body
