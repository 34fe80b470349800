"""RQ's worker gets its Redis and its queue from the settings."""

import runpy

import pytest

from shared.queueing import QUEUE


def test_the_worker_works_where_the_readers_enqueue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://cache.example:6380/2")
    monkeypatch.setenv("CACHE_PASSWORD", "p@ss")
    config = runpy.run_module("refresher.rq_config")
    assert config["REDIS_URL"] == "redis://:p%40ss@cache.example:6380/2"
    assert config["QUEUES"] == [QUEUE]


@pytest.mark.parametrize("url", [None, "", "http://cache.example"])
def test_without_a_redis_the_worker_ends_with_the_name_of_the_setting(
    monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    if url is not None:
        monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(SystemExit, match="REDIS_URL"):
        runpy.run_module("refresher.rq_config")
