"""A webhook names what has changed: the page that held it is requested, and not the whole list."""

import json
from typing import Any

import pytest
from redis import Redis

from refresher.refresh import refresh
from shared.invalidation import MOST_ITEMS
from shared.outcomes import RefreshOutcome
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis.store import Store
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import REPOS, TOKEN, ManualClock

UPDATED, UNCHANGED = RefreshOutcome.UPDATED, RefreshOutcome.UNCHANGED
TTL = 1000


class World:
    """A list that was read, and whose items change; every refresh is one of a new process."""

    def __init__(self, github: FakeGitHub, make: MakeContext, redis: Redis) -> None:
        self.github = github
        self.clock = ManualClock()
        self.store = Store(redis)
        self.queue = RefreshQueue(redis, limits=QueueLimits())
        self._make = make
        assert self.refresh() is UPDATED
        self.clock.now += 100

    def refresh(self, **options: Any) -> RefreshOutcome:
        """Refresh; afterwards `requests` are those that it sent."""
        self.github.reset_counters()
        context = self._make(self.github.url, clock=self.clock, cache_ttl=TTL)
        return refresh(REPOS, context, **options)

    @property
    def requests(self) -> list[str]:
        """The pages that the last refresh requested."""
        return [one["path"] for one in self.github.recent()]

    def items(self) -> list[dict[str, Any]]:
        """The list that readers serve."""
        entry = self.store.read(REPOS)
        assert entry is not None
        found: list[dict[str, Any]] = json.loads(bytes(entry.body))
        return found

    def star(self, place: int, stars: int = 77_777) -> int:
        """Change an item at GitHub, and return its id."""
        item = self.items()[place]
        self.github.mutate("edit_repo", repo=item["name"], stars=stars)
        identity: int = item["id"]
        return identity

    def stars(self, place: int) -> int:
        """The stars of an item, as readers serve it."""
        found: int = self.items()[place]["stargazers_count"]
        return found


@pytest.fixture
def world(three_page_github: FakeGitHub, context_for: MakeContext, redis: Redis) -> World:
    return World(three_page_github, context_for, redis)


@pytest.mark.parametrize("place", [0, 99, 100, 150, 244])
def test_one_changed_item_costs_one_request(world: World, place: int) -> None:
    before = world.store.state(REPOS).metadata
    assert before is not None
    world.queue.mark(REPOS, item=world.star(place))
    assert world.refresh() is UPDATED
    assert len(world.requests) == 1
    assert world.stars(place) == 77_777
    assert world.items() == world.github.repos()
    after = world.store.state(REPOS)
    assert after.metadata is not None
    assert after.invalidated_by is None
    assert after.metadata.version > before.version
    assert after.metadata.changed_at == world.clock.now
    # The other pages are as old as before, and the whole list is looked at when it always was.
    assert after.metadata.validated_at == before.validated_at
    assert after.metadata.fresh_until == before.fresh_until
    world.clock.now = before.fresh_until
    assert world.refresh() is UNCHANGED
    assert len(world.requests) == 3


def test_an_item_that_has_not_changed_costs_one_request(world: World) -> None:
    before = world.store.state(REPOS).metadata
    assert before is not None
    world.queue.mark(REPOS, item=world.items()[120]["id"])
    assert world.refresh() is UNCHANGED
    assert len(world.requests) == 1
    after = world.store.state(REPOS)
    assert after.metadata is not None
    assert after.invalidated_by is None
    assert after.metadata.version == before.version
    assert after.metadata.fresh_until == before.fresh_until


def test_what_changes_elsewhere_comes_with_the_next_whole_look(world: World) -> None:
    other, named = world.star(5), world.star(230)
    assert other != named
    world.queue.mark(REPOS, item=named)
    assert world.refresh() is UPDATED
    assert world.stars(230) == 77_777
    assert world.stars(5) != 77_777
    world.clock.now += TTL
    assert world.refresh() is UPDATED
    assert world.items() == world.github.repos()


def test_items_of_one_page_cost_one_request_and_items_of_most_pages_a_whole_look(
    world: World,
) -> None:
    for place in (101, 150, 199):
        world.queue.mark(REPOS, item=world.star(place))
    assert world.refresh() is UPDATED
    assert len(world.requests) == 1
    for place in (1, 102):  # further pages
        world.queue.mark(REPOS, item=world.star(place, 88_888))
    assert world.refresh() is UPDATED
    assert len(world.requests) == 3
    assert world.items() == world.github.repos()
    state = world.store.state(REPOS)
    assert state.metadata is not None
    assert state.metadata.validated_at == world.clock.now


def test_what_github_did_not_show_yet_comes_with_the_next_event(world: World) -> None:
    late = world.items()[120]
    world.queue.mark(REPOS, item=late["id"])
    assert world.refresh() is UNCHANGED  # GitHub's replica lags behind its webhook
    world.star(120)
    world.queue.mark(REPOS, item=world.items()[130]["id"])
    assert world.refresh() is UPDATED
    assert world.stars(120) == 77_777


def test_an_item_that_is_gone_is_missed_by_a_whole_look(world: World) -> None:
    item = world.items()[120]
    world.github.mutate("delete", repo=item["name"])
    world.queue.mark(REPOS, item=item["id"])
    assert world.refresh() is UPDATED
    assert world.items() == world.github.repos()
    assert len(world.items()) == 244


def test_an_item_that_became_private_is_served_no_more(world: World) -> None:
    item = world.items()[120]
    world.github.mutate("make_private", repo=item["name"])
    world.queue.mark(REPOS, item=item["id"])
    assert world.refresh() is UPDATED
    assert item["id"] not in {one["id"] for one in world.items()}


@pytest.mark.parametrize("item", [None, 12, 10**20])
def test_a_whole_look_follows_if_it_is_not_known_what_has_changed(
    world: World, item: int | None
) -> None:
    world.queue.mark(REPOS, item=world.star(120))
    world.queue.mark(REPOS, item=item)
    world.queue.mark(REPOS, item=world.star(121))
    assert world.refresh() is UPDATED
    assert len(world.requests) == 3


def test_a_whole_look_follows_if_very_many_items_have_changed(world: World) -> None:
    for one in world.items()[100 : 101 + MOST_ITEMS]:
        world.queue.mark(REPOS, item=one["id"])
    assert world.refresh() is UNCHANGED
    assert len(world.requests) == 3


def test_an_operators_refresh_is_whole_whatever_an_event_names(world: World) -> None:
    world.queue.mark(REPOS, anew=True)
    world.queue.mark(REPOS, item=world.star(120))
    assert world.refresh(force=True) is UPDATED
    assert len(world.requests) == 3
    assert {one["status"] for one in world.github.recent()} == {200}


def test_a_list_that_is_soon_stale_is_looked_at_as_a_whole(world: World) -> None:
    world.queue.mark(REPOS, item=world.star(120))
    assert world.refresh(fresh_after=world.clock.now + TTL) is UPDATED
    assert len(world.requests) == 3


def test_a_page_that_fails_leaves_the_mark_for_the_next_refresh(world: World) -> None:
    world.queue.mark(REPOS, item=world.star(120))
    world.github.fault("status", status=502)
    assert world.refresh() is RefreshOutcome.FAILED
    world.github.clear_faults()
    state = world.store.state(REPOS)
    assert state.invalidated_by is not None
    world.clock.now += 60
    assert world.refresh() is UPDATED
    assert len(world.requests) == 1
    assert world.stars(120) == 77_777


def test_another_credential_than_that_of_the_pages_reads_the_whole_list(
    three_page_github: FakeGitHub, context_for: MakeContext, redis: Redis
) -> None:
    world = World(three_page_github, context_for, redis)
    world.queue.mark(REPOS, item=world.star(120))
    world.github.reset_counters()
    context = context_for(
        world.github.url, clock=world.clock, cache_ttl=TTL, github_api_token=TOKEN
    )
    assert refresh(REPOS, context) is UPDATED
    assert len(world.requests) >= 3
    assert world.items() == world.github.repos()
