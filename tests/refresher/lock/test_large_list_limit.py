"""Large lists never occupy all refreshers."""

from collections.abc import Callable

import pytest
from redis import Redis
from rq import Queue

from refresher.lock.large_list_limit import LARGE, LargeListLimit
from refresher.worker import RefreshWorker
from shared.queueing import QUEUE
from shared.redis import keys
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from shared.resources.resource import Resource

CATALOGUE = Catalogue(("one", "two", "three"))
ONE, TWO, THREE = (CATALOGUE.of_kind(REPOSITORIES, org) for org in CATALOGUE.orgs)
MEMBERS = next(resource for resource in CATALOGUE.tracked if resource.name == "/orgs/one/members")

Workers = Callable[[int], None]


@pytest.fixture
def large_list_limit(redis: Redis) -> LargeListLimit:
    return LargeListLimit(redis, CATALOGUE)


@pytest.fixture
def workers(redis: Redis) -> Workers:
    """A number of workers are alive."""

    def register(count: int) -> None:
        for number in range(count):
            queue = Queue(QUEUE, connection=redis)
            worker = RefreshWorker([queue], connection=redis, name=f"worker-{number}")
            worker.register_birth()

    return register


def at_work(redis: Redis, *resources: Resource) -> None:
    for resource in resources:
        redis.set(keys.running(resource), 1)


def test_a_large_list_waits_while_another_is_at_work_in_all_workers_but_one(
    large_list_limit: LargeListLimit, redis: Redis, workers: Workers
) -> None:
    workers(2)
    for resource in (ONE, TWO):
        large_list_limit.note(resource, LARGE)
    at_work(redis, ONE, TWO)  # the second has just taken its lock
    assert large_list_limit.holds_back(TWO)
    redis.delete(keys.running(ONE))
    assert not large_list_limit.holds_back(TWO)


def test_with_more_workers_more_large_lists_are_at_work(
    large_list_limit: LargeListLimit, redis: Redis, workers: Workers
) -> None:
    workers(3)
    for resource in (ONE, TWO, THREE):
        large_list_limit.note(resource, LARGE)
    at_work(redis, ONE, THREE)
    assert not large_list_limit.holds_back(THREE)
    at_work(redis, TWO)
    assert large_list_limit.holds_back(THREE)


@pytest.mark.parametrize("count", [0, 1])
def test_a_worker_that_is_alone_does_everything(
    large_list_limit: LargeListLimit, redis: Redis, workers: Workers, count: int
) -> None:
    workers(count)
    large_list_limit.note(ONE, LARGE)
    at_work(redis, ONE, MEMBERS)
    assert not large_list_limit.holds_back(ONE)


def test_small_things_never_wait(
    large_list_limit: LargeListLimit, redis: Redis, workers: Workers
) -> None:
    workers(2)
    for resource in (ONE, TWO):
        large_list_limit.note(resource, LARGE)
    at_work(redis, ONE, TWO)
    large_list_limit.note(THREE, LARGE - 1)
    assert not large_list_limit.holds_back(THREE)
    assert not large_list_limit.holds_back(MEMBERS)
    assert not large_list_limit.holds_back(Resource("/users/mona"))


def test_a_list_that_shrank_is_no_longer_large(
    large_list_limit: LargeListLimit, redis: Redis, workers: Workers
) -> None:
    workers(2)
    large_list_limit.note(ONE, LARGE)
    large_list_limit.note(TWO, LARGE)
    at_work(redis, ONE, TWO)
    large_list_limit.note(TWO, 1)
    assert not large_list_limit.holds_back(TWO)


def test_only_the_first_note_says_that_a_list_is_large_after_all(
    large_list_limit: LargeListLimit,
) -> None:
    assert large_list_limit.note(ONE, LARGE)
    assert not large_list_limit.note(ONE, LARGE + 1)
    assert not large_list_limit.note(TWO, LARGE - 1)


def test_lists_of_other_people_do_not_count(redis: Redis, workers: Workers) -> None:
    workers(2)
    alone = LargeListLimit(redis, Catalogue(("one",)))
    alone.note(ONE, LARGE)
    at_work(redis, ONE, TWO)
    assert not alone.holds_back(ONE)
