"""The mark of an invalidation joins the items of all that no refresh has handled."""

import time
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from shared.invalidation import MOST_ITEMS, REMEMBER_ITEM_S, is_anew, items_named
from shared.marking import REMEMBER_S
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis import keys
from shared.resources.resource import Resource

LIST = Resource("/orgs/Netflix/repos")
ids = st.one_of(st.none(), st.integers(1, 40), st.integers(10**17, 10**18 - 1))
several = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def mark_of(redis: Redis, items: Sequence[int | None], *, anew: bool = False) -> str:
    """The mark after so many invalidations."""
    redis.delete(keys.invalidated_by(LIST), keys.items_named(LIST))
    queue = RefreshQueue(redis, limits=QueueLimits())
    for item in items:
        queue.mark(LIST, item=item)
    if anew:
        queue.mark(LIST, anew=True)
    value = redis.get(keys.invalidated_by(LIST))
    assert isinstance(value, bytes)
    return value.decode()


@several
@given(items=st.lists(ids, min_size=1, max_size=50))
def test_it_names_all_items_or_none(redis: Redis, items: list[int | None]) -> None:
    named = items_named(mark_of(redis, items))
    if None in items or len(set(items)) > MOST_ITEMS:
        assert named == frozenset()  # also if further ones were named afterwards
    else:
        assert named == set(items)


def test_each_is_another_one(redis: Redis) -> None:
    assert mark_of(redis, [1]) != mark_of(redis, [1]) != mark_of(redis, [None])


@pytest.mark.parametrize("items", [[1], [None], [1, 2]])
def test_an_operators_names_nothing_and_stays(redis: Redis, items: list[int | None]) -> None:
    assert is_anew(mark_of(redis, items, anew=True))
    RefreshQueue(redis, limits=QueueLimits()).mark(LIST, item=7)
    value = redis.get(keys.invalidated_by(LIST))
    assert isinstance(value, bytes)
    assert is_anew(value.decode())
    assert items_named(value.decode()) == frozenset()


@pytest.mark.parametrize(
    "text", [None, "", "abc", "abc ", "abc 1,", "abc ,1", "abc x", "abc 1 2", "x 1", "abc \u0661"]
)
def test_what_is_damaged_names_nothing(text: str | None) -> None:
    assert items_named(text) == frozenset()
    assert not is_anew(text)


def test_the_next_mark_names_what_was_named_a_moment_ago(redis: Redis) -> None:
    mark_of(redis, [1, 2])
    redis.delete(keys.invalidated_by(LIST))  # a refresh has handled it
    queue = RefreshQueue(redis, limits=QueueLimits())
    queue.mark(LIST, item=3)
    value = redis.get(keys.invalidated_by(LIST))
    assert isinstance(value, bytes)
    assert items_named(value.decode()) == {1, 2, 3}
    assert 0 < redis.ttl(keys.items_named(LIST)) <= REMEMBER_S


def test_what_was_named_long_ago_is_not_named_again(redis: Redis) -> None:
    redis.zadd(keys.items_named(LIST), {"1": time.time() - REMEMBER_ITEM_S - 1, "2": time.time()})
    queue = RefreshQueue(redis, limits=QueueLimits())
    queue.mark(LIST, item=3)
    value = redis.get(keys.invalidated_by(LIST))
    assert isinstance(value, bytes)
    assert items_named(value.decode()) == {2, 3}


def test_damaged_items_do_not_keep_a_mark_from_being_set(redis: Redis) -> None:
    redis.set(keys.items_named(LIST), "damaged")
    RefreshQueue(redis, limits=QueueLimits()).mark(LIST, item=3)
    value = redis.get(keys.invalidated_by(LIST))
    assert isinstance(value, bytes)
    assert items_named(value.decode()) == {3}


def test_a_mark_of_an_older_release_may_mean_any_item(redis: Redis) -> None:
    redis.set(keys.invalidated_by(LIST), "5f0c")
    RefreshQueue(redis, limits=QueueLimits()).mark(LIST, item=7)
    value = redis.get(keys.invalidated_by(LIST))
    assert isinstance(value, bytes)
    assert items_named(value.decode()) == frozenset()
