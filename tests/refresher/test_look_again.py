"""After an event a resource is looked at again, until GitHub's replicas show the change."""

from typing import Any

import pytest
from redis import Redis

from refresher.dispatch.due_looks import DueLooks
from shared.invalidation import items_named
from shared.looks import LAST_S, Looks
from shared.marking import mark, member_of
from shared.outcomes import RefreshOutcome
from shared.redis import keys
from shared.redis.entry_state import EntryState
from shared.resources.resource import Resource
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.timed_world import TimedWorld
from tests.refresher.workbench import CATALOGUE, MEMBERS, ORG, REPOS

UPDATED, UNCHANGED = RefreshOutcome.UPDATED, RefreshOutcome.UNCHANGED
OLDER, FRESH = RefreshOutcome.OLDER, RefreshOutcome.FRESH


class World(TimedWorld):
    """A fleet that looks at what an event has named."""

    def __init__(self, github: FakeGitHub, make: MakeContext, redis: Redis) -> None:
        super().__init__(github, make, redis)
        self.looks = DueLooks(redis, CATALOGUE, self.store, self.queue)

    def event(self, resource: Resource, *, item: int | None = None) -> None:
        """An event now: by the time of the test, where Redis's is another one."""
        mark(self.redis, resource, item=item)
        now = self.clock.now
        looks = self.state(resource).looks
        until = 0.0 if looks is None else looks.unsettled_until
        self.redis.set(keys.looks(resource), Looks(now, now, until).to_text(), ex=1000)
        self.redis.zadd(keys.items_named(resource), {str(item or 0): now})
        if resource.tracked:
            self.redis.zadd(keys.LOOKS, {member_of(resource): now})

    def state(self, resource: Resource) -> EntryState:
        """What is known of a resource."""
        return self.store.state(resource)

    def follow(self, resource: Resource, seconds: float = 12) -> list[tuple[float, RefreshOutcome]]:
        """The looks of so many seconds: when each came, and how it ended."""
        found, began = list[tuple[float, RefreshOutcome]](), self.clock.now
        while (passed := self.clock.now - began) <= seconds:
            self.redis.delete(keys.asked(resource))
            self.looks.ask(self.clock.now)
            if self.queue.is_queued(resource):
                self.redis.delete("rq:queue:refresh", keys.queued(resource), keys.PLACES)
                found.append((round(passed, 2), self.refresh(resource)))
            self.pass_time(0.25)
        return found


@pytest.fixture
def world(three_page_github: FakeGitHub, context_for: MakeContext, redis: Redis) -> World:
    world = World(three_page_github, context_for, redis)
    world.pass_time(0)
    for resource in (ORG, REPOS, MEMBERS):
        assert world.refresh(resource) is UPDATED
    world.pass_time(60)
    return world


@pytest.mark.parametrize("lag", [0, 1.5, 3, 6])
def test_a_change_is_seen_within_five_seconds_of_the_replicas_catching_up(
    world: World, lag: float
) -> None:
    world.github.configure(lag=[lag])
    world.event(REPOS, item=world.star(120))
    looks = world.follow(REPOS)
    seen = next(at for at, outcome in looks if outcome is UPDATED)
    assert lag <= seen < lag + 5
    assert [at for at, _ in looks] == [0, 1, 2, 4, 7, 10]
    assert world.content(REPOS) == world.github.repos()
    assert world.state(REPOS).invalidated_by is None
    assert world.redis.zcard(keys.LOOKS) == 0
    assert world.follow(REPOS) == []


def test_looks_ask_for_the_named_page_only_and_are_free_if_nothing_changed(world: World) -> None:
    world.event(REPOS, item=world.star(120))
    world.github.reset_counters()
    looks = world.follow(REPOS)
    assert [outcome for _, outcome in looks] == [UPDATED, *[UNCHANGED] * 5]
    assert [one["status"] for one in world.github.recent()] == [200, 304, 304, 304, 304, 304]


def test_content_is_fresh_between_two_looks_and_a_refresh_asks_for_nothing(world: World) -> None:
    world.event(REPOS, item=world.star(120))
    assert world.state(REPOS).is_invalidated(world.clock.now)
    assert world.refresh(REPOS) is UPDATED
    state = world.state(REPOS)
    assert state.invalidated_by is not None
    assert state.is_current(world.clock.now + 0.9)
    assert world.refresh(REPOS) is FRESH
    assert not state.is_current(world.clock.now + 1)


def test_two_replicas_that_differ_never_bring_older_content_back(world: World) -> None:
    world.github.configure(lag=[0, 6])
    for resource, change in ((ORG, "edit_org"), (REPOS, "edit_repo"), (MEMBERS, "add_member")):
        options: dict[str, dict[str, Any]] = {
            "edit_repo": {"repo": 3, "stars": 5},
            "edit_org": {"description": "new"},
        }
        touched = world.github.mutate(change, **options.get(change, {}))
        world.event(resource, item=touched["id"] if resource is REPOS else None)
        assert world.refresh(resource) in {UPDATED, UNCHANGED}
    etags: dict[str, list[str]] = {ORG.name: [], REPOS.name: [], MEMBERS.name: []}
    outcomes = set()
    for _ in range(26):
        for resource in (ORG, REPOS, MEMBERS):
            outcomes.add(world.refresh(resource))
            metadata = world.state(resource).metadata
            assert metadata is not None
            if metadata.etag not in etags[resource.name][-1:]:
                etags[resource.name].append(metadata.etag)
        world.pass_time(0.5)
    assert OLDER in outcomes
    for seen in etags.values():
        assert len(seen) == len(set(seen)) <= 2, "content from before the event came back"
    assert world.content(REPOS) == world.github.repos()
    assert world.content(MEMBERS) == world.github.members()
    assert world.content(ORG)["description"] == "new"
    assert {world.state(one).invalidated_by for one in (ORG, REPOS, MEMBERS)} == {None}


@pytest.mark.parametrize("change", ["add", "delete"])
def test_pages_of_several_replicas_are_no_list_for_longer_than_five_seconds(
    world: World, change: str
) -> None:
    lag = 3.0
    for place in (20, 21):  # whichever replica each page comes from
        world.github.configure(lag=[0, lag])
        item = world.github.mutate(change, **({} if change == "add" else {"repo": place}))["id"]
        world.event(REPOS, item=item)
        world.follow(REPOS, lag + 4.5)
        assert world.content(REPOS) == world.github.repos()
        world.github.configure(lag=[])
        world.follow(REPOS)


def test_a_later_event_leaves_a_list_unsettled_and_costs_one_whole_look(world: World) -> None:
    world.event(REPOS, item=world.github.mutate("add")["id"])
    world.clock.at_call(2, lambda: world.event(REPOS, item=world.star(3)))
    assert world.refresh(REPOS) is UPDATED
    looks = world.state(REPOS).looks
    assert looks is not None
    assert looks.unsettled_until == pytest.approx(looks.event_at + LAST_S, abs=1)
    world.pass_time(1)
    world.event(REPOS, item=world.star(4))
    assert world.state(REPOS).looks == Looks(
        world.clock.now, world.clock.now, looks.unsettled_until
    )
    world.github.reset_counters()
    world.follow(REPOS)
    requests = [one["path"] for one in world.github.recent()]
    assert [one for one in requests if "page=3" in one], "the whole list was looked at"
    assert len(requests) < 6 * 3
    assert world.state(REPOS).invalidated_by is None


def test_an_item_does_not_go_back_although_that_list_was_never_stored(world: World) -> None:
    first = world.star(120)
    world.pass_time(1)
    world.github.configure(lag=[0, 30])  # the second replica knows the first change only
    world.event(REPOS, item=first)
    world.event(REPOS, item=world.star(121))
    assert world.refresh(REPOS) is UPDATED
    world.pass_time(1)
    assert world.refresh(REPOS) is OLDER
    assert world.content(REPOS) == world.github.repos()
    world.github.configure(lag=[30])
    outcomes = [outcome for _, outcome in world.follow(REPOS, 25)]
    assert set(outcomes) == {OLDER}  # also after the last look was due
    assert world.content(REPOS) == world.github.repos()
    world.github.configure(lag=[])
    assert world.follow(REPOS, 15)[0][1] is UNCHANGED
    assert world.state(REPOS).invalidated_by is None


def test_a_change_that_was_taken_back_is_seen_at_the_last_look(world: World) -> None:
    joined = world.github.mutate("add_member")
    world.event(MEMBERS)
    assert world.refresh(MEMBERS) is UPDATED
    world.github.mutate("remove_member", login=joined["login"])
    looks = world.follow(MEMBERS)
    assert [outcome for _, outcome in looks] == [*[OLDER] * 4, UPDATED]
    assert looks[-1][0] == LAST_S
    assert world.content(MEMBERS) == world.github.members()


def test_a_later_event_begins_anew(world: World) -> None:
    first = world.star(5)
    world.event(REPOS, item=first)
    assert [at for at, _ in world.follow(REPOS, 3)] == [0, 1, 2]
    second = world.star(230)
    world.event(REPOS, item=second)
    assert items_named(world.state(REPOS).invalidated_by) == {first, second}
    assert [at for at, _ in world.follow(REPOS)] == [0, 1, 2, 4, 7, 10]
    assert world.state(REPOS).invalidated_by is None
    assert not world.redis.exists(keys.items_named(REPOS), keys.looks(REPOS))


def test_an_event_during_a_look_keeps_its_looks(world: World) -> None:
    world.event(REPOS, item=world.star(5))
    other = world.star(230)
    world.clock.at_call(2, lambda: world.event(REPOS, item=other))
    assert world.refresh(REPOS) in {UPDATED, UNCHANGED}
    assert world.state(REPOS).is_invalidated(world.clock.now)
    assert [at for at, _ in world.follow(REPOS)] == [0, 1, 2, 4, 7, 10]
    assert world.content(REPOS) == world.github.repos()


def test_in_a_storm_items_are_done_with_one_by_one(world: World) -> None:
    """One event a second: each look requests the pages of the last ten seconds, not all."""
    for number in range(40):
        world.event(REPOS, item=world.star(number, 50_000 + number))
        world.refresh(REPOS)
        named = items_named(world.state(REPOS).invalidated_by)
        assert 0 < len(named) <= LAST_S + 2
        world.pass_time(1)
    world.follow(REPOS)
    assert world.content(REPOS) == world.github.repos()
    assert world.state(REPOS).invalidated_by is None


def test_what_is_asked_anonymously_is_looked_at_again_once(world: World) -> None:
    world.token = None
    assert world.refresh(ORG, force=True) is UNCHANGED
    world.event(ORG)
    assert [at for at, _ in world.follow(ORG)] == [0, LAST_S]
    assert world.state(ORG).invalidated_by is None


def test_a_look_of_a_killed_refresher_is_done_by_another(world: World) -> None:
    world.event(ORG)
    assert world.refresh(ORG) is UNCHANGED
    world.pass_time(1)
    world.looks.ask(world.clock.now)
    assert world.queue.is_queued(ORG)
    # It takes the job, and is killed: no trace is left but what Redis holds.
    world.redis.delete("rq:queue:refresh", keys.PLACES, keys.asked(ORG))
    other = DueLooks(world.redis, CATALOGUE, world.store, world.queue)
    assert other.ask(world.clock.now + 1) is None
    assert world.queue.is_queued(ORG)


def test_a_look_that_was_planned_before_redis_clock_was_set_back_is_due(world: World) -> None:
    world.event(ORG)
    world.redis.zadd(keys.LOOKS, {member_of(ORG): world.clock.now + 3600})
    world.looks.ask(world.clock.now)
    assert world.queue.is_queued(ORG)
    assert world.follow(ORG)[-1] == (LAST_S, UNCHANGED)


def test_an_operators_refresh_is_done_once_and_leaves_the_looks(world: World) -> None:
    world.event(ORG)
    assert world.refresh(ORG) is UNCHANGED
    world.queue.mark(ORG, anew=True)
    world.github.reset_counters()
    assert world.refresh(ORG, force=True) is UNCHANGED
    assert [one["status"] for one in world.github.recent()] == [200]
    state = world.state(ORG)
    assert state.invalidated_by is not None
    assert not state.is_to_be_read_anew
    looks = world.follow(ORG)
    assert [at for at, _ in looks][-1] == LAST_S
    assert {one["status"] for one in world.github.recent()[1:]} == {304}


def test_a_failure_holds_looks_back_and_the_last_one_is_not_missing(world: World) -> None:
    world.event(ORG)
    world.github.fault("status", status=502)
    assert world.refresh(ORG) is RefreshOutcome.FAILED
    world.looks.ask(world.clock.now)
    assert not world.queue.is_queued(ORG)
    world.github.clear_faults()
    looks = world.follow(ORG, 60)
    assert looks
    assert looks[-1][1] is UNCHANGED
    assert world.state(ORG).invalidated_by is None


def test_a_repository_that_became_private_does_not_come_back(world: World) -> None:
    name = world.github.repos()[7]["full_name"]
    resource = Resource(f"/repos/{name}")
    assert world.refresh(resource) is UPDATED
    world.github.configure(lag=[0, 6])
    world.github.mutate("make_private", repo=7)
    world.event(resource)
    statuses = []
    for _ in range(12):
        world.refresh(resource)
        metadata = world.state(resource).metadata
        assert metadata is not None
        statuses.append(metadata.status)
        world.pass_time(1)
    assert statuses[statuses.index(404) :] == [404] * (12 - statuses.index(404))
    assert 404 in statuses[:2]


def test_what_is_not_tracked_is_stale_until_the_last_look_and_not_fetched_by_itself(
    world: World,
) -> None:
    resource = Resource("/users/netflix")
    assert world.refresh(resource) is UPDATED
    world.event(resource)
    for _ in range(10):
        assert not world.state(resource).is_current(world.clock.now)
        assert world.refresh(resource) is UNCHANGED
        world.pass_time(1)
    assert world.redis.zcard(keys.LOOKS) == 0
    assert world.refresh(resource) is UNCHANGED
    assert world.state(resource).invalidated_by is None


def test_content_on_demand_does_not_go_back_after_a_later_event(world: World) -> None:
    """Two replicas answer in turn; the second one lags."""

    def changed(stars: int) -> None:
        world.github.mutate("edit_repo", repo=name, stars=stars)
        scores = dict.fromkeys(resource.event_scopes, world.clock.now)
        world.redis.zadd(keys.EVENTS, scores)

    name = world.github.repos()[7]["full_name"]
    resource = Resource(f"/repos/{name}")
    world.pass_time(world.redis.time()[0] - world.clock.now)  # events are bounded by Redis's clock
    assert world.refresh(resource) is UPDATED
    world.pass_time(0.5)
    world.github.configure(lag=[0, 6])
    seen = []
    for stars in range(50_000, 50_006):
        changed(stars)
        assert world.refresh(resource) in {UPDATED, UNCHANGED}
        seen.append(world.content(resource)["stargazers_count"])
        assert world.state(resource).is_current(world.clock.now), "whoever waits gets it"
        world.pass_time(0.5)
    assert seen == sorted(seen)
    assert len(set(seen)) > 1
    world.pass_time(LAST_S)
    assert world.refresh(resource) is UPDATED
    assert world.content(resource)["stargazers_count"] == 50_005


@pytest.mark.parametrize("key", [keys.looks, keys.replaced, keys.items_named])
def test_damaged_records_of_looks_keep_nothing_from_being_refreshed(world: World, key: Any) -> None:
    world.event(ORG)
    assert world.refresh(ORG) is UNCHANGED
    world.redis.delete(key(ORG))
    world.redis.set(key(ORG), "damaged")
    world.github.mutate("edit_org", description="new")
    world.pass_time(LAST_S)
    assert world.refresh(ORG) is UPDATED
    assert world.state(ORG).invalidated_by is None
