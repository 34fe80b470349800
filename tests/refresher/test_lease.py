"""A resource's lock is held by one refresher at a time, for as long as its refresh takes."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import Redis

from refresher.errors import LeaseLostError
from refresher.lease import Lease, lease
from scripts.embedded_redis import EmbeddedRedis, free_port
from shared import keys
from shared.connection import connect
from shared.settings import load
from tests.refresher.workbench import ORG, REPOS

PATIENCE = 10.0  # seconds after which something that should have happened has not


@pytest.fixture
def absent_redis() -> Iterator[Redis]:
    """A client of a Redis that is not there."""
    client = connect(load(redis_url=f"redis://127.0.0.1:{free_port()}"))
    yield client
    client.close()


def wait_until_lost(held: Lease) -> None:
    """Return when the lease says that it is lost; fail when it never does."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            held.check()
        except LeaseLostError:
            return
        time.sleep(0.01)
    pytest.fail("the lease was never lost")


def test_a_second_taker_gets_none_at_once(redis: Redis) -> None:
    with lease(ORG, redis, lifetime=10) as first:
        begun = time.monotonic()
        with lease(ORG, redis, lifetime=10) as second:
            assert first is not None
            assert second is None
        assert time.monotonic() - begun < 1


def test_a_second_taker_who_leaves_empty_handed_takes_nothing_away(redis: Redis) -> None:
    with lease(ORG, redis, lifetime=10):
        with lease(ORG, redis, lifetime=10):
            pass
        with lease(ORG, redis, lifetime=10) as third:
            assert third is None


def test_each_resource_has_a_lock_of_its_own(redis: Redis) -> None:
    with lease(ORG, redis, lifetime=10) as one, lease(REPOS, redis, lifetime=10) as other:
        assert one is not None
        assert other is not None


def test_the_lock_is_kept_in_the_key_that_the_queue_looks_at(redis: Redis) -> None:
    with lease(ORG, redis, lifetime=10):
        assert redis.keys() == [keys.lock(ORG).encode()]
        assert 0 < redis.pttl(keys.lock(ORG)) <= 10_000


def test_the_lock_is_given_back_at_the_end(redis: Redis) -> None:
    with lease(ORG, redis, lifetime=10) as held:
        assert held is not None
        held.check()
    assert redis.keys() == []
    with lease(ORG, redis, lifetime=10) as again:
        assert again is not None


def test_the_lock_is_given_back_after_an_exception(redis: Redis) -> None:
    with pytest.raises(KeyError), lease(ORG, redis, lifetime=10):
        raise KeyError
    assert redis.keys() == []


def test_the_lock_is_held_for_longer_than_its_life(redis: Redis) -> None:
    lifetime = 0.6
    with lease(ORG, redis, lifetime=lifetime) as held:
        assert held is not None
        end = time.monotonic() + 1.75 * lifetime
        while time.monotonic() < end:
            assert redis.pttl(keys.lock(ORG)) > 0
            time.sleep(0.01)
        held.check()
    assert redis.keys() == []


def test_a_lock_that_vanished_is_lost(redis: Redis) -> None:
    with lease(ORG, redis, lifetime=0.3) as held:
        assert held is not None
        redis.delete(keys.lock(ORG))
        wait_until_lost(held)


def test_a_lock_that_another_has_taken_is_lost_and_left_to_him(redis: Redis) -> None:
    with lease(ORG, redis, lifetime=0.3) as held:
        assert held is not None
        redis.delete(keys.lock(ORG))
        with lease(ORG, redis, lifetime=10) as other:
            wait_until_lost(held)
            held.release()
            assert other is not None
            other.check()
            assert redis.exists(keys.lock(ORG))


def test_releasing_a_lock_that_is_gone_is_no_error(redis: Redis) -> None:
    with lease(ORG, redis, lifetime=10):
        redis.delete(keys.lock(ORG))
    assert redis.keys() == []


def test_without_a_redis_there_is_no_lock(absent_redis: Redis) -> None:
    with pytest.raises(RedisConnectionError), lease(ORG, absent_redis, lifetime=10):
        pytest.fail("there is nothing that could hold a lock")


def test_a_lock_is_lost_with_its_redis_and_leaving_is_no_error(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    with (
        server,
        connect(load(redis_url=server.url)) as client,
        lease(ORG, client, lifetime=0.3) as held,
    ):
        assert held is not None
        server.stop()
        wait_until_lost(held)
