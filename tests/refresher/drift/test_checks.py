"""Stored content that GitHub confirms and does not show is found, told of, and read anew."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from redis import Redis
from rq.suspension import suspend

from refresher.drift.checks import CheckPolicy, DriftChecks
from refresher.drift.doubts import Doubt, Doubts
from refresher.drift.samples import Samples
from shared import drift
from shared.drift import PutOff, put_off_in
from shared.looks import LAST_S
from shared.marking import mark
from shared.outcomes import DriftCheck, RefreshOutcome
from shared.redis import keys
from shared.redis.lifetimes import Lifetimes
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.builders import queued_names
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.timed_world import TTL, TimedWorld
from tests.refresher.workbench import CATALOGUE, MEMBERS, ORG, REPOS, TOKEN, at

SAME, DIFFERENT, OLDER = DriftCheck.SAME, DriftCheck.DIFFERENT, DriftCheck.OLDER
DRIFT, CHANGED, FAILED = DriftCheck.DRIFT, DriftCheck.CHANGED, DriftCheck.FAILED
HYSTRIX = Resource("/repos/netflix/hystrix")


class World(TimedWorld):
    """A fleet that compares what it holds with GitHub."""

    def __init__(self, github: FakeGitHub, make: MakeContext, redis: Redis) -> None:
        super().__init__(github, make, redis)
        self.chances: list[float] = []  # that come next; 0 after the last
        self.meanwhile: Callable[[], object] = lambda: None  # when they are used up
        self.noted: list[tuple[str, DriftCheck]] = []

    def refresh(self, resource: Resource, **options: Any) -> RefreshOutcome:
        """A refresh, as one of its own process; whatever was queued for it is gone."""
        self.redis.delete("rq:queue:refresh", keys.queued(resource), keys.PLACES)
        return super().refresh(resource, **options)

    def check(self) -> tuple[str, DriftCheck] | None:
        """A check; what was compared, and what came of it."""
        self.redis.delete(keys.DRIFT_TURN)
        self.noted.clear()
        context = self.context()
        store = context.storage.store
        self.pause = DriftChecks(
            context.storage,
            Samples(self.redis, CATALOGUE, store, self._chance),
            self.queue,
            origin=context.origin,
            note=lambda resource, result: self.noted.append((resource.name, result)),
            policy=CheckPolicy(60, Lifetimes(TTL, TTL), lambda: "mine", at(self.clock)),
        ).step()
        return self.noted[0] if self.noted else None

    def _chance(self) -> float:
        if self.chances:
            return self.chances.pop(0)
        self.meanwhile()
        return 0.0

    @property
    def put_off(self) -> PutOff | None:
        return put_off_in(cast(bytes | None, self.redis.get(keys.DRIFT_TURN)))

    @property
    def doubts(self) -> list[tuple[str, Doubt | None]]:
        return Doubts(self.redis).all()


@pytest.fixture
def world(three_page_github: FakeGitHub, context_for: MakeContext, redis: Redis) -> World:
    """Only the list of repositories is stored."""
    world = World(three_page_github, context_for, redis)
    world.pass_time(0)
    assert world.refresh(REPOS) is RefreshOutcome.UPDATED
    world.pass_time(60)
    return world


def wrong_304(world: World, path: str = "/orgs/Netflix/repos") -> None:
    world.github.fault("wrong_304", path=path)


def test_equal_pages_cost_one_request_each(world: World) -> None:
    for page in range(3):
        world.chances = [0, 0, page / 3 + 0.1]
        world.github.reset_counters()
        assert world.check() == (REPOS.name, SAME)
        (asked,) = world.github.recent()
        assert (asked["status"], asked["authorised"]) == (200, True)
        assert f"page={page + 1}" in asked["path"] or page == 0
        assert "if-none-match" not in {name.lower() for name in asked["headers"]}
    assert world.pause == 60
    assert world.doubts == []


def test_a_wrong_304_is_found_told_of_and_healed(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    item = world.star(20)
    wrong_304(world)
    assert world.check() == (REPOS.name, DIFFERENT)
    assert drift.read(world.redis) == ()
    world.pass_time(LAST_S + 1)
    world.chances = [0, 0, 0.9]  # another page meanwhile
    assert world.check() == (REPOS.name, SAME)
    assert world.refresh(REPOS, force=True) is RefreshOutcome.UNCHANGED, "the 304 is wrong"
    assert world.check() == (REPOS.name, DRIFT)
    (found,) = drift.read(world.redis)
    assert (found.resource, found.items, found.at) == (REPOS.name, (str(item),), world.clock.now)
    (line,) = [one for one in caplog.records if one.levelname == "WARNING"]
    assert f"drift: what is stored of {REPOS.name} differs" in line.getMessage()
    assert str(item) in line.getMessage()
    assert queued_names(world.redis) == [REPOS.name]
    assert world.refresh(REPOS) is RefreshOutcome.UPDATED, "without conditions"
    assert world.content(REPOS) == world.github.repos()
    assert world.doubts == []
    assert world.check() == (REPOS.name, SAME)


def test_what_differs_again_is_read_anew_once_an_hour(world: World) -> None:
    wrong_304(world)
    for number, is_healed in enumerate((True, False, False)):
        world.star(20, stars=50_000 + number)
        assert world.check() == (REPOS.name, DIFFERENT)
        world.pass_time(LAST_S + 1)
        world.refresh(REPOS, force=True)
        assert world.check() == (REPOS.name, DRIFT)
        assert queued_names(world.redis) == ([REPOS.name] if is_healed else [])
        world.refresh(REPOS)
    assert len(drift.read(world.redis)) == 1


def test_content_that_was_only_older_is_no_drift(world: World) -> None:
    world.star(20)
    assert world.check() == (REPOS.name, DIFFERENT)
    assert queued_names(world.redis) == [], "a list is refreshed when it always is"
    world.pass_time(LAST_S + 1)
    assert world.refresh(REPOS, force=True) is RefreshOutcome.UPDATED
    assert world.check() == (REPOS.name, OLDER)
    assert (world.doubts, drift.read(world.redis)) == ([], ())


def test_content_that_changes_all_the_time_is_no_drift(world: World) -> None:
    world.star(20)
    assert world.check() == (REPOS.name, DIFFERENT)
    world.pass_time(LAST_S + 1)
    world.refresh(REPOS, force=True)
    world.star(20, stars=88_888)
    assert world.check() == (REPOS.name, OLDER)
    assert drift.read(world.redis) == ()


def test_items_that_move_to_another_page_are_no_drift(world: World) -> None:
    world.github.mutate("delete", repo=0)
    assert world.check() == (REPOS.name, DIFFERENT)
    world.pass_time(LAST_S + 1)
    world.refresh(REPOS, force=True)
    assert world.check() == (REPOS.name, OLDER)


def test_a_refresh_within_the_looks_window_confirms_nothing(world: World) -> None:
    world.star(20)
    wrong_304(world)
    assert world.check() == (REPOS.name, DIFFERENT)
    world.pass_time(LAST_S - 1)
    world.refresh(REPOS, force=True)
    world.chances = [0, 0, 0.9]
    assert world.check() == (REPOS.name, SAME), "another page"
    assert len(world.doubts) == 1


@pytest.mark.parametrize("resource", [HYSTRIX, ORG])
def test_of_a_single_response_a_refresh_is_asked_for(
    three_page_github: FakeGitHub, context_for: MakeContext, redis: Redis, resource: Resource
) -> None:
    world = World(three_page_github, context_for, redis)
    world.pass_time(0)
    assert world.refresh(resource) is RefreshOutcome.UPDATED
    if resource is ORG:
        world.github.mutate("edit_org", description="new")
    else:
        world.github.mutate("edit_repo", repo="Hystrix", stars=77_777)
    wrong_304(world, resource.path)
    assert world.check() == (resource.name, DIFFERENT)
    world.pass_time(LAST_S + 1)
    world.check()
    assert queued_names(redis) == [resource.name]
    state = Store(redis).state(resource)
    assert state.metadata is not None
    after = state.metadata.fresh_until
    assert world.refresh(resource, fresh_after=after) is RefreshOutcome.UNCHANGED
    assert world.check() == (resource.name, DRIFT)
    (found,) = drift.read(redis)
    assert (found.resource, found.items) == (resource.name, ())
    assert world.refresh(resource) is RefreshOutcome.UPDATED
    assert world.check() == (resource.name, SAME)


def test_content_that_a_refresh_has_found_gone_is_no_drift(
    three_page_github: FakeGitHub, context_for: MakeContext, redis: Redis
) -> None:
    world = World(three_page_github, context_for, redis)
    world.pass_time(0)
    world.refresh(HYSTRIX)
    world.github.mutate("delete", repo="Hystrix")
    assert world.check() == (HYSTRIX.name, DIFFERENT)
    world.pass_time(LAST_S)
    assert world.refresh(HYSTRIX, force=True) is RefreshOutcome.UPDATED
    assert world.check() is None
    assert (world.doubts, drift.read(redis)) == ([], ())


class TestNothingIsCompared:
    """Nothing would be known."""

    def test_while_an_event_is_pending(self, world: World) -> None:
        mark(world.redis, REPOS)
        assert world.check() is None

    def test_while_refreshing_is_paused(self, world: World) -> None:
        suspend(world.redis)
        assert world.check() is None

    def test_of_stale_content(self, world: World) -> None:
        world.pass_time(TTL)
        assert world.check() is None

    def test_if_a_refresh_or_an_event_comes_meanwhile(self, world: World) -> None:
        world.star(20)
        for number in range(2):
            world.chances = [0, 0]
            world.meanwhile = [
                lambda: world.redis.hset(keys.entry(REPOS), "confirmed_by", 2**53),
                lambda: mark(world.redis, REPOS),
            ][number]
            assert world.check() == (REPOS.name, CHANGED)
            assert world.doubts == []

    def test_while_github_fails_and_then_ten_times_later(self, world: World) -> None:
        world.github.fault("status", status=502)
        assert world.check() == (REPOS.name, FAILED)
        assert world.pause == 600
        put_off = world.put_off
        assert put_off == PutOff(world.clock(), world.clock() + 600)
        assert 500_000 < world.redis.pttl(keys.DRIFT_TURN) <= 600_000
        world.github.clear_faults()
        assert world.check() == (REPOS.name, SAME)
        assert world.put_off is None

    def test_more_often_than_once_an_hour_without_a_credential(
        self, three_page_github: FakeGitHub, context_for: MakeContext, redis: Redis
    ) -> None:
        world = World(three_page_github, context_for, redis)
        world.token = None
        world.pass_time(0)
        world.refresh(MEMBERS)
        assert world.check() == (MEMBERS.name, SAME)
        assert world.pause == 3600

    def test_with_another_credential_than_that_of_the_page(self, world: World) -> None:
        world.token = "ghp_another"
        assert world.check() == (REPOS.name, FAILED)

    def test_in_vain_again_and_again_because_the_credential_of_one_page_may_not_be_used(
        self, world: World
    ) -> None:
        world.star(20)
        wrong_304(world)
        assert world.check() == (REPOS.name, DIFFERENT)
        world.pass_time(LAST_S + 1)
        world.refresh(REPOS, force=True)
        world.token = "ghp_another"
        assert world.check() == (REPOS.name, FAILED)
        assert world.doubts == [], "which would be compared first each time"
        world.token = TOKEN
        world.github.configure(anonymous_limit=60, reset_limits=True)
        world.redis.delete(*world.redis.keys("*:budget:*"))
        assert world.check() == (REPOS.name, DIFFERENT), "found again when the page is met"


def test_the_fleet_does_one_check_at_a_time_and_then_rests(world: World) -> None:
    world.check()
    left = world.redis.pttl(keys.DRIFT_TURN)
    assert 50_000 < left <= 60_000
    world.noted.clear()
    context = world.context()
    checks = DriftChecks(
        context.storage,
        Samples(world.redis, CATALOGUE, context.storage.store, lambda: 0.0),
        world.queue,
        origin=context.origin,
        note=lambda resource, result: world.noted.append((resource.name, result)),
        policy=CheckPolicy(60, Lifetimes(TTL, TTL), lambda: "another", at(world.clock)),
    )
    assert 50 < checks.step() <= 60
    assert world.noted == []


@pytest.mark.parametrize(
    "text",
    [b"", b"x", b"[]", b"{}", b'["a", "b", 1, []]', b'["a", "b", 1.5, [["x", 1, null]]]', b"[" * 9],
)
def test_a_damaged_doubt_is_dropped(world: World, text: bytes) -> None:
    world.redis.hset(keys.DRIFT_DOUBTS, "0123", text)
    assert world.check() == (REPOS.name, SAME)
    assert world.doubts == []


def test_a_list_that_a_wrong_304_for_one_page_keeps_from_settling_is_read_anew(
    world: World,
) -> None:
    world.github.mutate("add", name="newest")
    wrong_304(world, "/orgs/Netflix/repos[?]per_page=100$")
    for _ in range(3):
        assert world.refresh(REPOS, force=True) is RefreshOutcome.FAILED
    assert world.refresh(REPOS, force=True) is RefreshOutcome.UPDATED
    assert next(iter(world.content(REPOS)))["name"] == "newest"


def test_a_doubt_about_what_nobody_refreshes_is_dropped(world: World) -> None:
    world.star(20)
    assert world.check() == (REPOS.name, DIFFERENT)
    world.pass_time(4 * TTL)
    assert world.check() is None
    assert world.doubts == []


def test_finds_are_bounded_and_damaged_ones_are_left_out(redis: Redis) -> None:
    for number in range(30):
        with redis.pipeline() as pipeline:
            drift.add(pipeline, drift.Drift(float(number), "/x", ("1",)))
            pipeline.execute()
    for text in (b"x", b"{}", b'{"at": 1, "resource": 2, "items": []}', b'{"at": "nan"}'):
        redis.lpush(keys.DRIFT, text)
    assert [one.at for one in drift.read(redis)] == [float(one) for one in range(29, 13, -1)]
