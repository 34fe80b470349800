import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import cast
from urllib.parse import urlsplit

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import Redis
from redis.sentinel import Sentinel

from scripts.embedded_redis import EmbeddedRedis, free_port
from shared.connection import AllSentinels, connect, keep_all_sentinels
from tests.builders import make_settings


def test_a_client_connects_only_when_it_is_first_used() -> None:
    client = connect(make_settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    with pytest.raises(RedisConnectionError):
        client.ping()


def test_an_outage_is_noticed_without_making_the_caller_wait() -> None:
    client = connect(make_settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    began = time.monotonic()
    with pytest.raises(RedisConnectionError):
        client.get("x")
    assert time.monotonic() - began < 1


def test_a_connection_that_died_while_idle_is_replaced_unnoticed(
    redis: Redis, redis_server: EmbeddedRedis
) -> None:
    with connect(make_settings(redis_url=redis_server.url)) as client:
        client.set("x", "1")
        redis.client_kill_filter(_type="normal", skipme=True)
        assert client.get("x") == b"1"


def test_clients_are_named(redis: Redis, redis_server: EmbeddedRedis) -> None:
    with connect(make_settings(redis_url=redis_server.url)) as client:
        assert client.client_getname() == "api-read-cache"


def test_the_password_of_the_settings_opens_redis(
    redis: Redis, redis_server: EmbeddedRedis
) -> None:
    secret = "p@:/ %?#"
    redis.acl_setuser(
        "guest", enabled=True, passwords=[f"+{secret}"], commands=["+@all"], keys=["*"]
    )
    try:
        host = urlsplit(redis_server.url).netloc
        settings = make_settings(redis_url=f"redis://guest@{host}/0", cache_password=secret)
        with connect(settings) as client:
            assert client.acl_whoami() == "guest"
    finally:
        redis.acl_deluser("guest")


class StandInSentinel:
    """Answers once both of two threads have asked, as at a failover."""

    def __init__(self, name: str, both: Barrier | None) -> None:
        self.name = name
        self._both = both

    def sentinel_masters(self) -> dict[str, dict[str, object]]:
        if self._both is None:
            raise RedisConnectionError
        self._both.wait(5)
        state = {"is_master": True, "is_sdown": False, "is_odown": False}
        return {"cache": {**state, "num-other-sentinels": 2, "ip": "10.0.0.1", "port": 6379}}


def test_no_sentinel_is_forgotten_when_two_threads_ask_at_once() -> None:
    both = Barrier(2)
    asked = AllSentinels([])  # type: ignore[no-untyped-call]
    known = [
        StandInSentinel("down", None),
        StandInSentinel("up", both),
        StandInSentinel("spare", None),
    ]
    asked.sentinels = cast(list[Redis], known)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(asked.discover_master, ["cache"] * 2))
    assert found == [("10.0.0.1", 6379)] * 2
    left = cast(list[StandInSentinel], asked.sentinels)
    assert sorted(one.name for one in left) == ["down", "spare", "up"]
    assert left[0].name == "up", "it is asked first from now on"


def test_a_client_of_another_makers_keeps_them_too() -> None:
    theirs = Sentinel([("a", 1), ("b", 2)])  # type: ignore[no-untyped-call]
    client = theirs.master_for("cache")  # type: ignore[no-untyped-call]
    keep_all_sentinels(client)
    assert isinstance(client.connection_pool.proxy.sentinel_manager, AllSentinels)
    assert client.connection_pool.sentinel_manager.sentinels == theirs.sentinels
