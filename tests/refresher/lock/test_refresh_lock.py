"""One refresher at a time holds a resource's lock, for as long as its refresh takes."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import Redis

from refresher.errors import NoQuorumError
from refresher.lock.refresh_lock import HeldLock, RefreshLocks
from scripts.embedded_redis import EmbeddedRedis, free_port
from shared.clock import SYSTEM
from shared.redis import keys
from shared.redis.connection import connect, connect_to_lock_masters
from shared.settings import load
from tests.refresher.workbench import ORG, REPOS, ManualClock, lease
from tests.waiting import eventually

LIFETIME = 1.5  # seconds of a lock that is kept
PATIENCE = 10.0  # seconds after which something that should have happened has not


@pytest.fixture
def absent_redis() -> Iterator[Redis]:
    """A client of a Redis that does not run."""
    client = connect(load(redis_url=f"redis://127.0.0.1:{free_port()}"))
    yield client
    client.close()


def wait_until_lost(held: HeldLock) -> None:
    """Wait until the lock says that it is lost; fail if it never does."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if held.is_lost:
            return
        time.sleep(0.05)
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


def test_a_mark_for_the_queue_and_the_status_page_lives_as_long_as_the_lock(redis: Redis) -> None:
    with lease(ORG, redis, lifetime=10):
        assert set(redis.keys()) == {keys.lock(ORG).encode(), keys.running(ORG).encode()}
        for key in (keys.lock(ORG), keys.running(ORG)):
            assert 0 < redis.pttl(key) <= 10_000
    assert redis.keys() == []


def test_the_lock_is_given_back_at_the_end(redis: Redis) -> None:
    with lease(ORG, redis, lifetime=10) as held:
        assert held is not None
        assert not held.is_lost
    assert redis.keys() == []
    with lease(ORG, redis, lifetime=10) as again:
        assert again is not None


def test_the_lock_is_given_back_after_an_exception(redis: Redis) -> None:
    with pytest.raises(KeyError), lease(ORG, redis, lifetime=10):
        raise KeyError
    assert redis.keys() == []


def test_the_lock_is_held_for_longer_than_its_life(redis: Redis) -> None:
    with lease(ORG, redis, lifetime=LIFETIME) as held:
        assert held is not None
        end = time.monotonic() + 1.75 * LIFETIME
        while time.monotonic() < end:
            assert redis.pttl(keys.lock(ORG)) > 0
            assert redis.pttl(keys.running(ORG)) > 0
            time.sleep(0.05)
        assert not held.is_lost
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
            assert not other.is_lost
            assert redis.exists(keys.lock(ORG), keys.running(ORG)) == 2


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


def test_who_was_stopped_for_the_lock_s_life_knows_at_once_that_it_is_lost(
    redis: Redis,
) -> None:
    """The holder knows it before its own thread has run again."""
    clock = ManualClock()
    stopped = replace(SYSTEM, monotonic=clock)
    with RefreshLocks(redis, lifetime=1000, clock=stopped).take(ORG) as held:
        assert held is not None
        assert not held.is_lost
        clock.now += 991
        assert held.is_lost


def test_a_lock_is_extended_after_a_third_of_its_life(redis: Redis) -> None:
    clock = ManualClock()
    locks = RefreshLocks(redis, lifetime=60, clock=replace(SYSTEM, monotonic=clock))
    with locks.take(ORG) as held:
        assert held is not None
        for pass_by, is_extended in ((19.9, False), (0.2, True), (19.9, False), (0.2, True)):
            redis.pexpire(keys.lock(ORG), 30_000)
            redis.pexpire(keys.running(ORG), 30_000)
            clock.now += pass_by
            assert held.extend_if_due()
            for key in (keys.lock(ORG), keys.running(ORG)):
                assert (redis.pttl(key) > 30_000) is is_extended
        clock.now += 60
        assert not held.extend_if_due()
        assert redis.pttl(keys.lock(ORG)) > 0, "what is lost is left to expire"


def test_a_watchdog_runs_while_a_lock_is_held(redis: Redis) -> None:
    seen: list[int] = []
    watched = RefreshLocks(
        redis,
        lifetime=0.15,
        clock=SYSTEM,
        watchdog=lambda: seen.append(redis.exists(keys.lock(ORG))),
    )
    with watched.take(ORG):
        eventually(lambda: len(seen) >= 2)
    count = len(seen)
    assert seen[0] == 1
    time.sleep(0.1)
    assert len(seen) == count


class TestIndependentMasters:
    """`REDLOCK_URLS`: a majority of independent servers grants the lock."""

    @pytest.fixture
    def servers(self, tmp_path: Path) -> Iterator[list[EmbeddedRedis]]:
        with ExitStack() as stack:
            yield [stack.enter_context(EmbeddedRedis(tmp_path / str(at))) for at in range(3)]

    @pytest.fixture
    def masters(self, servers: list[EmbeddedRedis]) -> Iterator[frozenset[Redis]]:
        urls = ",".join(server.url for server in servers)
        clients = connect_to_lock_masters(load(redlock_urls=urls))
        yield clients
        for client in clients:
            client.close()

    def test_the_lock_lives_on_them_and_the_mark_where_readers_look(
        self, redis: Redis, masters: frozenset[Redis]
    ) -> None:
        with (
            lease(ORG, redis, masters=masters, lifetime=10) as one,
            lease(ORG, redis, masters=masters, lifetime=10) as other,
        ):
            assert one is not None
            assert other is None
            assert redis.keys() == [keys.running(ORG).encode()]
            held = [keys.lock(ORG).encode()]
            eventually(lambda: sum(master.keys() == held for master in masters) >= 2)
        assert redis.keys() == []
        eventually(lambda: not any(master.keys() for master in masters))

    @pytest.mark.parametrize("how", ["killed", "standing still"])
    def test_with_one_of_three_gone_it_is_taken_kept_and_given_back(
        self, redis: Redis, masters: frozenset[Redis], servers: list[EmbeddedRedis], how: str
    ) -> None:
        with ExitStack() as stack:
            if how == "killed":
                servers[0].stop()
            else:
                stack.enter_context(servers[0].suspended())
            with lease(ORG, redis, masters=masters, lifetime=LIFETIME) as held:
                assert held is not None
                end = time.monotonic() + 1.75 * LIFETIME
                while time.monotonic() < end:
                    with lease(ORG, redis, masters=masters, lifetime=LIFETIME) as other:
                        assert other is None
                    time.sleep(0.05)
                assert not held.is_lost
            with lease(ORG, redis, masters=masters, lifetime=10) as again:
                assert again is not None

    def test_with_two_of_three_gone_nobody_has_it(
        self, redis: Redis, masters: frozenset[Redis], servers: list[EmbeddedRedis]
    ) -> None:
        servers[0].stop()
        servers[2].stop()
        with pytest.raises(NoQuorumError), lease(ORG, redis, masters=masters, lifetime=10):
            pytest.fail("nobody can say who holds the lock")
        assert redis.keys() == []

    def test_who_holds_it_when_two_of_three_go_loses_it(
        self, redis: Redis, masters: frozenset[Redis], servers: list[EmbeddedRedis]
    ) -> None:
        with lease(ORG, redis, masters=masters, lifetime=0.5) as held:
            assert held is not None
            servers[0].stop()
            servers[1].stop()
            wait_until_lost(held)
