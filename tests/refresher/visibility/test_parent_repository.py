"""A resource below a repository is as visible as the repository."""

import gzip
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from refresher.refresh import refresh
from refresher.visibility.parent_repository import parent_repository
from shared.outcomes import RefreshOutcome
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.builders import on_demand
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import CATALOGUE, TOKEN, ManualClock, property_test

segments = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("path", "parent"),
    [
        ("/repos/netflix/x/issues", "/repos/netflix/x"),
        ("/repos/netflix/x/contents/a/b", "/repos/netflix/x"),
        ("/repos/netflix/x", None),
        ("/repos/netflix", None),
        ("/orgs/netflix/repos/x/y", None),
        ("/users/netflix/repos/x", None),
        ("/", None),
    ],
)
def test_only_what_is_below_a_repository_has_a_parent(path: str, parent: str | None) -> None:
    assert parent_repository(Resource(path)) == (None if parent is None else Resource(parent))


@property_test
@given(segments, segments, segments)
def test_a_parent_is_the_resource_that_clients_ask_for_by_that_path(
    owner: str, name: str, below: str
) -> None:
    found = CATALOGUE.find(f"/repos/{owner}/{name}/{below}", "page=2")
    if found is not None:
        assert parent_repository(found) == CATALOGUE.find(f"/repos/{owner}/{name}")


def test_what_was_private_when_it_was_asked_for_is_not_stored(
    github: FakeGitHub, context_for: MakeContext, store: Store, clock: ManualClock
) -> None:
    name = github.repos()[0]["name"].lower()
    repository, below = (on_demand(f"/repos/netflix/{name}{end}") for end in ("", "/languages"))
    context = context_for(github.url, github_api_token=TOKEN, clock=clock, on_demand_ttl=60)
    refresh(repository, context)
    github.mutate("make_private", repo=name)
    clock.now += 30
    refresh(below, context)
    entry = store.read(below)
    assert entry is not None
    assert entry.metadata.status == 404
    assert [seen["path"] for seen in github.recent()][-2:] == [below.path, repository.path]


def test_a_repository_is_looked_at_again_once_a_second_for_all_that_lies_below_it(
    github: FakeGitHub, context_for: MakeContext, clock: ManualClock
) -> None:
    name = github.repos()[0]["name"].lower()
    context = context_for(github.url, github_api_token=TOKEN, clock=clock, on_demand_ttl=60)
    below = [on_demand(f"/repos/netflix/{name}/{end}") for end in ("languages", "tags", "topics")]
    refresh(below[0], context)
    clock.now += 30
    for resource in below[1:]:
        refresh(resource, context)
    states = [seen for seen in github.recent() if seen["path"] == f"/repos/netflix/{name}"]
    assert [seen["status"] for seen in states] == [200, 304]
    # What did not change tells nothing new: it needs no second look.
    clock.now += 20
    refresh(below[0], context, force=True)
    assert github.recent()[-1]["path"] == below[0].path


def test_what_cannot_be_looked_at_again_is_not_stored(
    github: FakeGitHub, context_for: MakeContext, store: Store, clock: ManualClock
) -> None:
    name = github.repos()[0]["name"].lower()
    repository, below = (on_demand(f"/repos/netflix/{name}{end}") for end in ("", "/languages"))
    context = context_for(github.url, github_api_token=TOKEN, clock=clock, on_demand_ttl=60)
    refresh(repository, context)
    clock.now += 30
    github.fault("status", path=f"{repository.path}$", status=502)
    refresh(below, context)
    assert store.read(below) is None


@pytest.mark.parametrize(
    ("key", "damage"),
    [
        (keys.pages, {"1": b""}),
        (keys.pages, {"1": b"x"}),
        (keys.pages, {"1": gzip.compress(b"[]")}),
        (keys.pages, {"1": gzip.compress(b"{")}),
        (keys.entry, {"body": b""}),
        (keys.entry, {"body": b"[]"}),
        (keys.entry, {"body": b'{"private":false'}),
    ],
)
def test_of_a_damaged_repository_that_lies_below_it_is_asked_for_without_a_credential(
    github: FakeGitHub,
    context_for: MakeContext,
    redis: Redis,
    key: Callable[[Resource], str],
    damage: dict[str, bytes],
) -> None:
    name = github.repos()[0]["name"].lower()
    repository, below = (on_demand(f"/repos/netflix/{name}{end}") for end in ("", "/releases"))
    context = context_for(github.url, github_api_token=TOKEN)
    refresh(repository, context)
    redis.hset(key(repository), items=[part for pair in damage.items() for part in pair])
    assert refresh(below, context) is RefreshOutcome.UPDATED
    entry = Store(redis).read(below)
    assert entry is not None
    assert entry.metadata.status == 200
    assert github.recent()[-1]["credential"] == "anonymous"
