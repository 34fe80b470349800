"""RQ's worker gets its Redis and its queue from the settings."""

import runpy

import pytest
from rq.cli.helpers import get_redis_from_config

from shared.queueing import QUEUE
from shared.redis.connection import CONNECT_TIMEOUT, SENTINEL_TIMEOUT


def test_the_worker_works_where_the_readers_enqueue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://cache.example:6380/2")
    monkeypatch.setenv("CACHE_PASSWORD", "p@ss")
    config = runpy.run_module("refresher.rq_config")
    assert config["REDIS_URL"] == "redis://:p%40ss@cache.example:6380/2"
    assert config["QUEUES"] == [QUEUE]


def test_behind_sentinels_it_asks_them_with_our_time_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "redis+sentinel://me:p%40ss@a:1,b:2/cache/3?sentinel_password=theirs"
    monkeypatch.setenv("REDIS_URL", url)
    client = get_redis_from_config(runpy.run_module("refresher.rq_config"))  # type: ignore[no-untyped-call]
    pool = client.connection_pool
    assert pool.service_name == "cache"
    known = pool.connection_kwargs
    assert (known["username"], known["password"], known["db"]) == ("me", "p@ss", 3)
    assert known["socket_connect_timeout"] == CONNECT_TIMEOUT
    assert known["client_name"] == "api-read-cache"
    asked = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"]) for one in asked] == [("a", 1), ("b", 2)]
    assert all(one["password"] == "theirs" for one in asked)
    assert all(one["socket_timeout"] == SENTINEL_TIMEOUT for one in asked)


@pytest.mark.parametrize("url", [None, "", "http://cache.example"])
def test_without_a_redis_the_worker_ends_with_the_name_of_the_setting(
    monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    if url is not None:
        monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(SystemExit, match="REDIS_URL"):
        runpy.run_module("refresher.rq_config")
