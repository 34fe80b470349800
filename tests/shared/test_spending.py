"""Who uses the budget: requests of the last hour, by path and by client."""

from collections.abc import Callable

import pytest
from redis import Redis

from shared import spending
from shared.redis import keys
from shared.resources.resource import Resource
from shared.spending import CLIENTS, PATHS, RENEWALS, TRACKED, Spent, spenders
from tests.builders import NOW, on_demand, tracked

MONA, HUBOT, ORG = on_demand("/users/mona"), on_demand("/users/hubot"), tracked("/orgs/Netflix")
Spend = Callable[..., None]


@pytest.fixture
def spend(redis: Redis) -> Spend:
    """Counts requests of one refresh."""

    def spend(
        resource: Resource, requests: int, client: str | None = None, at: float = NOW
    ) -> None:
        with redis.pipeline() as pipeline:
            spent = dict.fromkeys(spenders(resource, client), requests)
            spending.add(pipeline, spent, now=at)
            pipeline.execute()

    return spend


def test_at_first_nothing_is_spent(redis: Redis) -> None:
    assert spending.read(redis, now=NOW, count=10) == Spent()


def test_requests_belong_to_a_path_and_to_the_client_that_waited(
    redis: Redis, spend: Spend
) -> None:
    spend(MONA, 2, "192.0.2.7")
    spend(HUBOT, 1, "192.0.2.7")
    spend(HUBOT, 4)
    spend(ORG, 1, "192.0.2.7")
    assert spending.read(redis, now=NOW, count=10) == Spent(
        paths=(("/users/hubot", 5), ("/users/mona", 2), ("/orgs/Netflix", 1)),
        clients=((RENEWALS, 4), ("192.0.2.7", 3), (TRACKED, 1)),
        total=8,
    )


def test_only_the_largest_are_read_but_all_are_added_up(redis: Redis, spend: Spend) -> None:
    for number in range(1, 6):
        spend(on_demand(f"/users/u{number}"), number, f"192.0.2.{number}")
    found = spending.read(redis, now=NOW, count=2)
    assert found.paths == (("/users/u5", 5), ("/users/u4", 4))
    assert found.clients == (("192.0.2.5", 5), ("192.0.2.4", 4))
    assert found.total == 15


def test_an_hour_is_added_up_and_what_is_older_is_forgotten(redis: Redis, spend: Spend) -> None:
    for minutes in (0, 30, 49, 61):
        spend(MONA, 1, at=NOW - 60 * minutes)
    assert spending.read(redis, now=NOW, count=10).total == 3


def test_a_slot_keeps_the_500_largest_and_expires(redis: Redis) -> None:
    with redis.pipeline() as pipeline:
        names = {(PATHS, f"/users/u{number}"): number for number in range(1, 601)}
        spending.add(pipeline, names, now=NOW)
        pipeline.execute()
    key = keys.spent(PATHS, int(NOW // 600))
    assert redis.zcard(key) == 500
    assert redis.zscore(key, "/users/u100") is None
    assert redis.zscore(key, "/users/u101") == 101
    assert 4190 <= redis.ttl(key) <= 4200


def test_names_are_bounded() -> None:
    (_, path), (_, client) = spenders(on_demand("/users/" + "x" * 300), "y" * 300)
    assert (len(path), len(client)) == (200, 200)
    assert spenders(MONA, "")[1] == (CLIENTS, RENEWALS)
