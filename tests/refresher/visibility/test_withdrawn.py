"""Refreshers store nothing of a withdrawn repository, whatever GitHub's replicas still show."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from refresher.refresh import refresh
from shared.entry import Entry
from shared.marking import mark
from shared.outcomes import RefreshOutcome
from shared.redis import keys
from shared.redis.store import Store
from shared.redis.withdrawals import withdraw
from shared.resources.resource import Resource
from shared.withdrawal import IN_FORCE_S
from tests.builders import on_demand
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import REPOS, TOKEN, ManualClock

UPDATED, OLDER = RefreshOutcome.UPDATED, RefreshOutcome.OLDER


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=40, members=3, anonymous_limit=1_000_000) as github:
        yield github


class World:
    """A fleet and a GitHub that shows a repository which an event has withdrawn."""

    def __init__(self, github: FakeGitHub, make: MakeContext, redis: Redis) -> None:
        self.github = github
        self.redis = redis
        self._make = make
        self.at = float(redis.time()[0])
        self.clock = ManualClock(self.at)
        found = github.repos()[4]
        self.name, self.id = str(found["full_name"]), int(found["id"])
        self.keys = [self.name.lower(), f"#{self.id}"]
        self.itself = on_demand(f"/repos/{self.name}")
        self.issues = on_demand(f"/repos/{self.name}/commits")
        self.search = on_demand("/users/netflix/repos?per_page=100")

    def refresh(self, resource: Resource, after: float = 0) -> RefreshOutcome:
        """Refresh so many seconds after the event."""
        self.clock.now = self.at + after
        context = self._make(self.github.url, clock=self.clock, github_api_token=TOKEN)
        return refresh(resource, context, force=True)

    def entry(self, resource: Resource) -> Entry:
        found = Store(self.redis).read(resource)
        assert found is not None
        return found

    def ids(self, resource: Resource) -> list[Any]:
        return [one["id"] for one in json.loads(bytes(self.entry(resource).body))]


@pytest.fixture
def world(github: FakeGitHub, context_for: MakeContext, redis: Redis) -> World:
    return World(github, context_for, redis)


def test_it_and_what_is_below_it_are_stored_as_404s(world: World) -> None:
    withdraw(world.redis, world.keys)
    by_id = on_demand(f"/repositories/{world.id}")
    for resource in (world.issues, world.itself, by_id):
        world.refresh(resource, after=1)
        assert world.entry(resource).metadata.status == 404
    world.refresh(world.issues, after=60)
    assert world.entry(world.issues).metadata.status == 404, "only the repository itself is asked"


def test_lists_on_demand_are_stored_without_it(world: World) -> None:
    withdraw(world.redis, world.keys)
    world.refresh(world.search, after=1)
    others = {one["id"] for one in world.github.repos()} - {world.id}
    assert set(world.ids(world.search)) == others


def test_a_list_that_still_has_it_replaces_nothing_while_replicas_lag(world: World) -> None:
    world.refresh(REPOS)
    mark(world.redis, REPOS)
    withdraw(world.redis, world.keys)
    world.github.mutate("star", repo=9)
    version = world.entry(REPOS).metadata.version
    assert world.refresh(REPOS, after=2) is OLDER
    assert world.entry(REPOS).metadata.version == version
    assert Store(world.redis).state(REPOS).looks is not None, "looks go on"
    world.github.mutate("make_private", repo=world.name)
    assert world.refresh(REPOS, after=5) is UPDATED
    assert world.id not in world.ids(REPOS)


def test_a_list_is_stored_where_nothing_was(world: World) -> None:
    """Readers remove what is withdrawn; a tracked list that is missing would be worse."""
    withdraw(world.redis, world.keys)
    assert world.refresh(REPOS, after=2) is UPDATED


def test_what_github_shows_twice_after_its_replicas_lag_is_public_again(world: World) -> None:
    withdraw(world.redis, world.keys)
    for after in (1, 5):
        world.refresh(world.itself, after=after)
    assert not world.redis.exists(keys.SHOWN_AGAIN), "its replicas lag"
    world.refresh(world.itself, after=12)
    shown = world.entry(world.itself).metadata
    assert (shown.status, shown.fresh_until - shown.validated_at) == (404, 10)
    world.redis.hset(keys.SHOWN_AGAIN, world.keys[0], str(world.at - 20))
    world.refresh(world.itself, after=30)
    assert world.entry(world.itself).metadata.status == 200
    assert not world.redis.exists(keys.WITHDRAWN), "its id too"


def test_an_hour_later_github_is_believed(world: World) -> None:
    withdraw(world.redis, world.keys)
    for resource in (world.issues, world.itself):
        world.refresh(resource, after=IN_FORCE_S + 10)
        assert world.entry(resource).metadata.status == 200
