"""A Redis that answers and refuses writes, or evicts: it is named for what it is, and it heals."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from shared.redis.trouble import WORDS, Trouble
from tests.damaged_system import System, running
from tests.refresher.workbench import MEMBERS, ORG, REPOS
from tests.waiting import eventually

Change = Callable[[Redis], object]


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """One fleet for all."""
    with running() as made:
        yield made


def fail_to_save(redis: Redis) -> None:
    """Its folder is gone, so no snapshot can be written."""
    shutil.rmtree(str(redis.config_get("dir")["dir"]))
    redis.config_set("save", "3600 1")
    redis.bgsave()
    eventually(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err")


def save(redis: Redis) -> None:
    """For this test, it need not save any more: its folder is gone."""
    redis.config_set("stop-writes-on-bgsave-error", "no")
    redis.config_set("save", "")


TROUBLES: dict[Trouble, tuple[Change, Change]] = {
    Trouble.MEMORY: (
        lambda redis: redis.config_set("maxmemory", 1),
        lambda redis: redis.config_set("maxmemory", 0),
    ),
    Trouble.READ_ONLY: (
        lambda redis: redis.replicaof("127.0.0.1", 1),
        lambda redis: redis.replicaof("NO", "ONE"),
    ),
    Trouble.NO_REPLICAS: (
        lambda redis: redis.config_set("min-replicas-to-write", 1),
        lambda redis: redis.config_set("min-replicas-to-write", 0),
    ),
    Trouble.NOT_SAVED: (fail_to_save, save),
}


def title_of(system: System) -> str:
    return str(system.look()["statements"][0]["title"])


def metric(system: System, trouble: Trouble) -> float:
    name = f'api_read_cache_redis_refuses_writes{{trouble="{trouble}"}} '
    return float(system.get("/metrics").text.partition(name)[2].split()[0])


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_redis_that_refuses_writes_is_named_and_readers_serve_what_is_held(
    system: System, trouble: Trouble
) -> None:
    begin, end = TROUBLES[trouble]
    words, lines = WORDS[trouble], system.errors.lines
    lines.clear()
    begin(system.redis)
    try:
        eventually(lambda: title_of(system) == words.title, every=0.1, what=words.title)
        for resource in (ORG, MEMBERS, REPOS):
            system.body(resource)
        miss = system.get(f"/users/{trouble}")
        assert (miss.status_code, miss.headers["Retry-After"]) == (503, "5"), miss.text
        assert metric(system, trouble) == 1
        doctor = system.app.test_cli_runner().invoke(args=["cache", "doctor"])
        assert words.title in doctor.output.replace("\n", " ") or trouble is Trouble.READ_ONLY
        assert doctor.exit_code == 1
        # Many writes were refused since, by readers and by refreshers: each has one line of it.
        eventually(lambda: sum(words.title in line for line in lines) == 2, what=str(lines))
    finally:
        end(system.redis)
    eventually(lambda: title_of(system) != words.title, every=0.1, what="it is over")
    system.miss()
    system.event()
    eventually(lambda: sum("takes writes again" in line for line in lines) == 2, what=str(lines))
    assert not [line for line in lines if "is away" in line or "is back" in line]
    assert sum(words.title in line for line in lines) == 2
    assert not system.errors.unexpected


def test_a_redis_that_evicts_is_named(system: System) -> None:
    redis, lines = system.redis, system.errors.lines
    lines.clear()
    redis.config_set("maxmemory-policy", "allkeys-lru")
    with redis.pipeline() as pipeline:
        for number in range(300):
            pipeline.set(f"strangers:{number}", "x" * 10_000)
        pipeline.execute()
    used = int(redis.info("memory")["used_memory"])
    redis.config_set("maxmemory", used - 1_000_000)
    try:
        eventually(lambda: any("has evicted" in line for line in lines), what=str(lines))
        titles = [one["title"] for one in system.look()["statements"]]
        assert "Redis evicts content" in titles
    finally:
        redis.config_set("maxmemory", 0)
        redis.config_set("maxmemory-policy", "noeviction")
