"""A process shows nothing that is withdrawn, of whatever it holds, puts, or confirms."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from redis import Redis

from reader.cache.refresh_requests import Requester
from reader.cache.subscriber import Subscriber
from scripts.embedded_redis import EmbeddedRedis
from shared.entry import Entry
from shared.redis.withdrawals import admit, withdraw
from shared.resources.resource import Resource
from shared.withdrawal import IN_FORCE_S, Withdrawals
from tests.builders import CATALOGUE, make_entry, on_demand, store_entry, tracked
from tests.reader.bench import CLIENT, PATIENCE, Bench
from tests.shared.test_withdrawal import list_entry, repository
from tests.waiting import eventually

REPOS, SECRET = tracked("/orgs/Netflix/repos"), on_demand("/repos/Netflix/Secret")
SEARCH = on_demand("/search/repositories?q=netflix")
ITEMS = [
    repository(number, f"Netflix/{name}") | {"description": None}
    for number, name in ((1, "A"), (4711, "Secret"), (2, "B"))
]
NAMES = ["netflix/secret", "#4711"]


def entries(now: float, version: int = 1) -> dict[Resource, Entry]:
    """What is stored before the event."""
    known = {"validated_at": now, "fresh_until": now + 9000, "changed_at": now, "version": version}
    found = json.dumps({"total_count": 3, "items": ITEMS}).encode()
    return {
        REPOS: list_entry(ITEMS, [2], **known),
        SECRET: make_entry(json.dumps(ITEMS[1]).encode(), **known),
        SEARCH: make_entry(found, **known),
    }


@pytest.fixture
def now(bench: Bench, redis: Redis) -> float:
    """Redis's time, which the process shares."""
    bench.clock.now = float(redis.time()[0])
    return bench.clock.now


def shown(bench: Bench, resource: Resource) -> Entry:
    held = bench.local.get(resource, bench.clock.now)
    assert held is not None
    return held.entry


def is_gone(bench: Bench) -> bool:
    """Whether nothing that is held names it."""
    return all(
        b"netflix/secret" not in bytes(shown(bench, one).body).lower()
        for one in (REPOS, SECRET, SEARCH)
    )


def hold(bench: Bench, now: float) -> None:
    for resource, entry in entries(now).items():
        bench.local.put(resource, entry, now)


def test_what_is_held_loses_it_when_it_is_announced(
    bench: Bench, redis: Redis, redis_server: EmbeddedRedis, now: float
) -> None:
    hold(bench, now)
    before = {resource: shown(bench, resource) for resource in (REPOS, SECRET, SEARCH)}
    client = Redis.from_url(redis_server.url)
    subscriber = Subscriber(client, catalogue=CATALOGUE, synchronizer=bench.synchronizer)
    subscriber.start()
    bench.synchronizer.subscriptions.get(timeout=PATIENCE)
    generation = bench.local.generation
    withdraw(redis, NAMES)
    eventually(lambda: is_gone(bench))
    assert shown(bench, SECRET).metadata.status == 404
    assert not shown(bench, SECRET).metadata.is_outlived(now + 1e6), "it is answered at once"
    assert shown(bench, REPOS).metadata.items == 2
    assert bench.local.generation > generation, "rendered responses are dropped"
    for resource, entry in before.items():
        assert shown(bench, resource).metadata.etag != entry.metadata.etag
    admit(redis, NAMES)
    eventually(lambda: shown(bench, REPOS).metadata.items == 3)
    for resource, entry in before.items():
        assert shown(bench, resource).body == entry.body
        assert shown(bench, resource).metadata == entry.metadata
    subscriber.stop()
    client.close()


@pytest.mark.parametrize(
    "learn",
    [
        lambda bench: bench.synchronizer.guarded_tick(),
        lambda bench: bench.store.read(on_demand("/users/a")),
        lambda bench: bench.store.states([REPOS]),
    ],
    ids=["once a second", "with an entry", "with a look"],
)
def test_it_is_learnt_without_an_announcement(
    bench: Bench, redis: Redis, now: float, learn: Callable[[Bench], None]
) -> None:
    hold(bench, now)
    withdraw(redis, NAMES)
    learn(bench)
    assert is_gone(bench)


def test_what_is_read_from_redis_comes_without_it(bench: Bench, redis: Redis, now: float) -> None:
    """A process that has just begun, and knows nothing."""
    for resource, entry in entries(now).items():
        store_entry(redis, resource, entry)
    withdraw(redis, NAMES)
    for resource in (SECRET, SEARCH):
        body = bytes(bench.lookup.get(resource, Requester(CLIENT)).entry.body)
        assert b"netflix/secret" not in body.lower()


def test_neither_a_newer_entry_nor_a_confirmation_brings_it_back(
    bench: Bench, redis: Redis, now: float
) -> None:
    hold(bench, now)
    withdraw(redis, NAMES)
    bench.synchronizer.guarded_tick()
    etags = [shown(bench, one).metadata.etag for one in (REPOS, SECRET, SEARCH)]
    for resource, entry in entries(now, version=2).items():
        bench.local.put(resource, entry, now)
        assert is_gone(bench)
        later = replace(entry.metadata, validated_at=now + 60, fresh_until=now + 99, confirmed_by=3)
        bench.local.confirm(resource, later, now)
        assert shown(bench, resource).metadata.validated_at == now + 60
    assert is_gone(bench)
    assert [shown(bench, one).metadata.etag for one in (REPOS, SECRET, SEARCH)] == etags


def test_what_github_confirms_long_after_is_shown(bench: Bench, redis: Redis, now: float) -> None:
    hold(bench, now)
    withdraw(redis, NAMES)
    bench.synchronizer.guarded_tick()
    later = now + IN_FORCE_S + 10
    for resource, entry in entries(now).items():
        metadata = replace(entry.metadata, validated_at=later, fresh_until=later + 9)
        bench.local.confirm(resource, replace(metadata, confirmed_by=3), later)
        assert bytes(shown(bench, resource).body) == bytes(entry.body)
        assert shown(bench, resource).metadata.status == 200


def test_what_cannot_be_judged_is_held_no_longer(
    bench: Bench, redis: Redis, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(bench, now)

    def fail(*_: object) -> None:
        raise ValueError

    with monkeypatch.context() as patched:
        patched.setattr(Withdrawals, "shown", fail)
        withdraw(redis, NAMES)
        bench.synchronizer.guarded_tick()
        assert bench.local.resources() == []
        assert bench.local.on_demand_bytes == 0
    hold(bench, now)
    assert is_gone(bench)


def test_memory_is_counted_as_it_is(bench: Bench, redis: Redis, now: float) -> None:
    hold(bench, now)
    withdraw(redis, NAMES)
    bench.synchronizer.guarded_tick()
    _, usage = bench.local.usage()
    held = [bench.local.peek(one) for one in (SECRET, SEARCH)]
    assert usage.bytes == sum(one.entry.held_bytes for one in held if one is not None)
