"""Few large lists are refreshed at once in a process."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from refresher.lock.large_list_limit import LARGE, LargeListLimit, large_at_once
from refresher.refresh import refresh
from shared.outcomes import RefreshOutcome
from shared.redis import keys
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from shared.resources.resource import Resource
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import REPOS as NETFLIX
from tests.refresher.workbench import ManualClock

CATALOGUE = Catalogue(("one", "two", "three"))
ONE, TWO, THREE = (CATALOGUE.of_kind(REPOSITORIES, org) for org in CATALOGUE.orgs)


def known_as_large(redis: Redis, *resources: Resource) -> None:
    for resource in resources:
        redis.sadd(keys.LARGE, resource.id)


def test_a_large_list_waits_until_one_of_those_at_work_has_ended(redis: Redis) -> None:
    known_as_large(redis, ONE, TWO, THREE)
    limit = LargeListLimit(redis, 2)
    assert limit.try_enter(ONE)
    assert limit.try_enter(TWO)
    assert not limit.try_enter(THREE)
    assert limit.try_enter(ONE)  # it is in already
    limit.leave(THREE)  # it never entered
    assert not limit.try_enter(THREE)
    limit.leave(ONE)
    assert limit.try_enter(THREE)


def test_what_is_not_known_to_be_large_never_waits(redis: Redis) -> None:
    known_as_large(redis, ONE)
    limit = LargeListLimit(redis, 1)
    assert limit.try_enter(ONE)
    assert limit.try_enter(TWO)
    assert limit.try_enter(Resource("/users/mona"))


def test_a_list_that_turns_out_to_be_large_enters_or_waits(redis: Redis) -> None:
    limit = LargeListLimit(redis, 1)
    assert limit.try_enter(ONE)
    assert limit.note(ONE, LARGE)
    assert limit.note(ONE, LARGE)
    assert limit.try_enter(TWO)
    assert not limit.note(TWO, LARGE)
    assert redis.smembers(keys.LARGE) == {ONE.id.encode(), TWO.id.encode()}


def test_a_list_that_shrank_makes_room(redis: Redis) -> None:
    known_as_large(redis, ONE)
    limit = LargeListLimit(redis, 1)
    assert limit.try_enter(ONE)
    assert limit.note(ONE, LARGE - 1)
    assert not redis.exists(keys.LARGE)
    assert limit.note(TWO, LARGE)


def test_of_many_threads_only_as_many_as_allowed_enter(redis: Redis) -> None:
    lists = [Resource(f"/orgs/{number}/repos", kind=REPOSITORIES) for number in range(40)]
    known_as_large(redis, *lists)
    limit = LargeListLimit(redis, 2)
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(limit.try_enter, lists)) == 2


@pytest.mark.parametrize(("refreshes", "large"), [(1, 1), (3, 1), (4, 2), (50, 2)])
def test_the_limit_depends_on_the_number_of_refreshes(refreshes: int, large: int) -> None:
    assert large_at_once(refreshes) == large


@pytest.mark.parametrize("is_known", [True, False])
def test_a_list_that_is_held_back_goes_on_later(
    context_for: MakeContext, redis: Redis, clock: ManualClock, *, is_known: bool
) -> None:
    with FakeGitHub(repos=100 * LARGE, members=1, anonymous_limit=1_000_000) as github:
        context = context_for(github.url, clock=clock)
        known_as_large(redis, ONE, *([NETFLIX] if is_known else []))
        limit = context.conditions.large_lists
        others = [ONE, TWO]
        assert all(limit.note(other, LARGE) for other in others)
        assert refresh(NETFLIX, context) is RefreshOutcome.HELD_BACK
        assert github.counters()["total"] == (0 if is_known else 1)
        limit.leave(ONE)
        assert refresh(NETFLIX, context) is RefreshOutcome.UPDATED
        assert github.counters()["total"] == LARGE  # the first page is not requested again
        assert limit.try_enter(ONE)  # the list has left
