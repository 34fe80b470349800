"""On-demand content that an event has touched: stale for all readers, fetched by who reads it."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from redis import Redis

from reader.cache.refresh_requests import Requester
from reader.cache.subscriber import Subscriber
from reader.cache.wanted import Found
from reader.errors import TooMany
from reader.webhooks.touched_scopes import touched_scopes
from shared.entry import Entry
from shared.event_bound import SETTLE_S
from shared.outcomes import FailureKind, Served
from shared.queueing import QueueLimits
from shared.redis import keys
from shared.redis.event_record import record
from shared.resources.event_scopes import digest_of
from shared.resources.resource import Resource
from tests.builders import (
    CATALOGUE,
    make_entry,
    make_failure,
    on_demand,
    queued_names,
    store_entry,
    store_failure,
)
from tests.reader.bench import CLIENT, PATIENCE, Bench

ABOUT = on_demand("/repos/Netflix/Hystrix")
COMMITS = on_demand("/repos/Netflix/Hystrix/commits")
CONTENTS = on_demand("/repos/Netflix/Hystrix/contents/README.md")
ISSUES = on_demand("/repos/Netflix/Hystrix/issues")
BY_ID = on_demand("/repositories/2126/commits")
TOUCHED = (ABOUT, COMMITS, CONTENTS, ISSUES, BY_ID)
OTHER = on_demand("/repos/Netflix/Eureka/commits")
REQUESTER = Requester(CLIENT)
PUSH = touched_scopes(
    "push",
    {"repository": {"id": 2126, "name": "Hystrix", "owner": {"login": "Netflix"}}},
    include_private=False,
)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(10) as threads:
        yield threads


@pytest.fixture
def readers(redis: Redis) -> tuple[Bench, Bench]:
    """Two reader processes that hold the same content; the first one hears announcements."""
    now = _seconds(redis)
    found = Bench(redis), Bench(redis)
    for reader in found:
        reader.clock.now = now
    for resource in (*TOUCHED, OTHER):
        entry = make_entry(validated_at=now - 5, fresh_until=now + 500)
        stored = store_entry(redis, resource, entry)
        for reader in found:
            reader.local.put(resource, stored, now)
    return found


def _seconds(redis: Redis) -> float:
    seconds, microseconds = redis.time()
    return seconds + microseconds / 1e6


def happen(redis: Redis, hearing: Bench) -> float:
    """An event of GitHub's, which one process hears of; its time."""
    subscriber = Subscriber(redis, catalogue=CATALOGUE, synchronizer=hearing.synchronizer)
    with redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]
        pubsub.subscribe(keys.ANNOUNCE)
        pubsub.get_message(timeout=60)
        at = record(redis, PUSH, remember=600)
        message = pubsub.get_message(timeout=60)
    assert message is not None
    subscriber._receive(message["type"], message["data"])
    hearing.clock.now = at
    return at


def read(reader: Bench, resource: Resource) -> Entry | None:
    """What a reader has in memory for a client."""
    return reader.lookup.in_memory(resource, request_id=None)


def asked(reader: Bench, resource: Resource, pool: ThreadPoolExecutor) -> Future[Found]:
    """A request that waits by now."""
    future = pool.submit(reader.lookup.get, resource, REQUESTER)
    reader.let_wait(resource)
    return future


def refreshed(redis: Redis, resource: Resource, *, at: float, version: int) -> None:
    """A refresher stores what GitHub answered at a time."""
    body = b'{"new": true}'
    entry = make_entry(body, validated_at=at, fresh_until=at + 60, version=version)
    store_entry(redis, resource, entry)


def test_a_push_makes_all_below_the_repository_stale_and_nothing_else(
    redis: Redis, readers: tuple[Bench, Bench]
) -> None:
    hearing, _ = readers
    happen(redis, hearing)
    assert all(read(hearing, resource) is None for resource in TOUCHED)
    assert read(hearing, OTHER) is not None
    assert not queued_names(redis), "nothing is fetched that nobody reads"


def test_a_reader_that_missed_the_announcement_sees_it_at_its_next_check(
    redis: Redis, readers: tuple[Bench, Bench]
) -> None:
    _, deaf = readers
    deaf.clock.now = happen(redis, readers[0])
    assert read(deaf, COMMITS) is not None
    deaf.synchronizer.schedule_check(COMMITS, is_requested=False)
    deaf.synchronizer.check_due()
    assert read(deaf, COMMITS) is None
    assert not queued_names(redis), "a check alone fetches nothing"


def test_a_reader_that_missed_the_announcement_knows_after_two_ticks(
    redis: Redis, readers: tuple[Bench, Bench]
) -> None:
    _, deaf = readers
    deaf.synchronizer.tick()
    deaf.clock.now = happen(redis, readers[0])
    for _ in range(2):
        deaf.synchronizer.tick()
        deaf.synchronizer.check_due()
    assert read(deaf, COMMITS) is None
    assert deaf.synchronizer.losses == 1


def test_the_next_client_waits_for_the_new_content(
    redis: Redis, readers: tuple[Bench, Bench], pool: ThreadPoolExecutor
) -> None:
    reader, _ = readers
    at = happen(redis, reader)
    waiting = asked(reader, COMMITS, pool)
    assert queued_names(redis) == [COMMITS.name]
    assert not waiting.done()
    refreshed(redis, COMMITS, at=at + 0.1, version=2)
    reader.synchronizer.announced(COMMITS, 9)
    found = waiting.result(PATIENCE)
    assert (bytes(found.entry.body), found.served) == (b'{"new": true}', Served.RENEWED)
    assert reader.lookup.get(COMMITS, REQUESTER).served is Served.LOCAL


def test_what_was_fetched_before_the_event_is_not_taken_for_the_new_content(
    redis: Redis, readers: tuple[Bench, Bench], pool: ThreadPoolExecutor
) -> None:
    reader, _ = readers
    at = happen(redis, reader)
    waiting = asked(reader, COMMITS, pool)
    refreshed(redis, COMMITS, at=at - 0.1, version=2)  # it was under way
    reader.synchronizer.announced(COMMITS, 9)
    reader.let_wait(COMMITS)
    assert not waiting.done()
    refreshed(redis, COMMITS, at=at + 0.1, version=3)
    reader.synchronizer.announced(COMMITS, 10)
    assert waiting.result(PATIENCE).entry.metadata.version == 3


def test_content_from_within_ten_seconds_of_the_event_is_fetched_once_more(
    redis: Redis, readers: tuple[Bench, Bench], pool: ThreadPoolExecutor
) -> None:
    reader, _ = readers
    at = happen(redis, reader)
    refreshed(redis, COMMITS, at=at + 2, version=2)
    reader.clock.now = at + 3
    assert reader.lookup.get(COMMITS, REQUESTER).entry.metadata.version == 2
    reader.clock.now = at + SETTLE_S - 0.1
    assert read(reader, COMMITS) is not None
    reader.clock.now = at + SETTLE_S
    assert read(reader, COMMITS) is None
    waiting = asked(reader, COMMITS, pool)
    refreshed(redis, COMMITS, at=at + SETTLE_S, version=3)
    reader.synchronizer.announced(COMMITS, 9)
    assert waiting.result(PATIENCE).entry.metadata.version == 3
    reader.clock.now = at + SETTLE_S + 59
    assert read(reader, COMMITS) is not None, "once"


def test_what_was_read_before_the_event_and_held_after_it_is_touched(
    redis: Redis, readers: tuple[Bench, Bench]
) -> None:
    reader, _ = readers
    entry = reader.store.read(COMMITS)
    assert entry is not None
    at = happen(redis, reader)
    reader.local.put(COMMITS, entry, at)
    assert read(reader, COMMITS) is None


def test_what_is_held_is_served_if_no_newer_content_can_come(
    redis: Redis, readers: tuple[Bench, Bench]
) -> None:
    reader, _ = readers
    at = happen(redis, reader)
    store_failure(redis, COMMITS, make_failure(kind=FailureKind.TIMEOUT, at=at, retry_at=at + 300))
    found = reader.lookup.get(COMMITS, REQUESTER)
    assert found.served is Served.LOCAL
    assert not found.entry.metadata.is_fresh(at)


def test_it_is_served_also_if_too_many_ask_but_a_missing_thing_is_not(
    redis: Redis, readers: tuple[Bench, Bench]
) -> None:
    happen(redis, readers[0])
    busy = Bench(redis, queue_limits=QueueLimits(waiting=0))
    busy.clock.now = readers[0].clock.now
    assert busy.lookup.get(COMMITS, REQUESTER).served is Served.LOCAL
    with pytest.raises(TooMany):
        busy.lookup.get(on_demand("/repos/Netflix/Hystrix/tags"), REQUESTER)


def test_memory_of_events_is_bounded(redis: Redis) -> None:
    reader = Bench(redis)
    now = reader.clock.now
    for resource in (COMMITS, OTHER):
        entry = make_entry(validated_at=now - 5, fresh_until=now + 500)
        reader.local.put(resource, entry, now)
    reader.synchronizer.touched([digest_of("repo:netflix/eureka")], now)
    assert read(reader, OTHER) is None
    assert read(reader, COMMITS) is not None
    for number in range(100):
        reader.synchronizer.touched([f"{number}-{one}" for one in range(100)], now + 1)
    assert read(reader, OTHER) is None
    assert read(reader, COMMITS) is None, "what is forgotten touches everything"


def test_an_event_of_the_future_is_not_believed(redis: Redis) -> None:
    reader = Bench(redis)
    now = reader.clock.now
    reader.local.put(COMMITS, make_entry(validated_at=now - 5, fresh_until=now + 500), now)
    reader.synchronizer.touched(COMMITS.event_scopes, now + 1000)
    assert read(reader, COMMITS) is not None


def test_after_a_refusal_it_is_served_from_memory_for_a_moment(
    redis: Redis, readers: tuple[Bench, Bench]
) -> None:
    passed = 0.0
    reader = Bench(redis, stopwatch=lambda: passed)
    at = happen(redis, reader)
    failure = make_failure(kind=FailureKind.TIMEOUT, at=at, retry_at=at + 300)
    store_failure(redis, COMMITS, failure)
    assert reader.lookup.get(COMMITS, REQUESTER).served is Served.LOCAL
    assert read(reader, COMMITS) is not None
    passed = 1.0
    assert read(reader, COMMITS) is None
    redis.delete(keys.failure(COMMITS))
    refreshed(redis, COMMITS, at=at + 0.1, version=2)
    assert reader.lookup.get(COMMITS, REQUESTER).entry.metadata.version == 2
    assert read(reader, COMMITS) is not None
