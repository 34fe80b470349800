"""The threads of subscriber and synchronizer as they run: each test waits for an event."""

import threading
from collections.abc import Iterator

import pytest
from redis import Redis, ResponseError

from reader.cache.subscriber import Subscriber
from scripts.embedded_redis import EmbeddedRedis
from shared.redis import keys
from tests.builders import CATALOGUE, NOW, announce, make_entry, on_demand, store_entry, tracked
from tests.reader.bench import CLIENT, PATIENCE, Bench, WatchedSynchronizer
from tests.waiting import eventually

ORG = tracked("/orgs/Netflix")
USER = on_demand("/users/mona")


@pytest.fixture
def listening(
    redis: Redis, redis_server: EmbeddedRedis, bench: Bench
) -> Iterator[WatchedSynchronizer]:
    """The synchronizer of a subscriber that runs and has subscribed."""
    synchronizer = bench.synchronizer
    before = set(threading.enumerate())
    client = Redis.from_url(redis_server.url)
    subscriber = Subscriber(client, catalogue=CATALOGUE, synchronizer=synchronizer)
    subscriber.start()
    synchronizer.subscriptions.get(timeout=PATIENCE)
    yield synchronizer
    subscriber.stop()
    for thread in set(threading.enumerate()) - before:
        while thread.name == "subscriber" and thread.is_alive():
            redis.publish(keys.ANNOUNCE, "null")
            thread.join(0.05)
    client.close()


def test_a_subscription_is_told(listening: WatchedSynchronizer) -> None:
    wanted = {listening.wanted.get(timeout=PATIENCE) for _ in CATALOGUE.tracked}
    assert wanted == set(CATALOGUE.tracked)


def test_an_announcement_is_told_with_its_resource(
    redis: Redis, listening: WatchedSynchronizer
) -> None:
    announce(redis, ORG)
    announce(redis, USER)
    assert listening.announcements.get(timeout=PATIENCE) == (ORG, 1)
    assert listening.announcements.get(timeout=PATIENCE) == (USER, 2)


@pytest.mark.parametrize("message", [b"", b"\xff", b"null", b"{}", b'{"name": "/"}', b"[1]"])
def test_what_is_no_announcement_is_passed_over(
    redis: Redis, listening: WatchedSynchronizer, message: bytes
) -> None:
    redis.publish(keys.ANNOUNCE, message)
    announce(redis, ORG)
    assert listening.announcements.get(timeout=PATIENCE) == (ORG, 1)


def test_an_announcement_of_what_is_not_to_be_had_still_counts(
    redis: Redis, listening: WatchedSynchronizer
) -> None:
    redis.publish(keys.ANNOUNCE, b'{"name": "/user", "number": 7}')
    assert listening.announcements.get(timeout=PATIENCE) == (None, 7)


def test_a_lost_connection_is_replaced_and_told(
    redis: Redis, listening: WatchedSynchronizer
) -> None:
    redis.client_kill_filter(_type="pubsub")
    listening.subscriptions.get(timeout=PATIENCE)
    announce(redis, ORG)
    assert listening.announcements.get(timeout=PATIENCE) == (ORG, 1)


def test_a_loss_of_announcements_makes_a_new_subscription(
    redis: Redis, listening: WatchedSynchronizer
) -> None:
    announce(redis, ORG)
    assert listening.announcements.get(timeout=PATIENCE) == (ORG, 1)
    listening.tick()
    redis.set(keys.CHANGES, 0)  # Redis has lost its data
    listening.tick()
    assert listening.losses == 1
    redis.publish(keys.ANNOUNCE, "null")  # wakes the subscriber
    listening.subscriptions.get(timeout=PATIENCE)
    announce(redis, ORG)
    assert listening.announcements.get(timeout=PATIENCE) == (ORG, 1)


@pytest.fixture
def running(listening: WatchedSynchronizer) -> Iterator[WatchedSynchronizer]:
    """The same, with the synchronizer's own thread running."""
    before = set(threading.enumerate())
    listening.start()
    yield listening
    listening.stop()
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)


def test_a_running_synchronizer_loads_what_is_announced(
    redis: Redis, bench: Bench, running: WatchedSynchronizer
) -> None:
    bench.local.put(USER, make_entry(b"old"), NOW)
    store_entry(redis, USER, make_entry(b"new", version=2, validated_at=NOW + 1))
    announce(redis, USER)

    def body() -> bytes | None:
        held = bench.local.peek(USER)
        return bytes(held.entry.body) if held else None

    assert eventually(lambda: body() == b"new", within=PATIENCE)


def test_what_is_announced_is_signalled_to_the_thread_that_waits_for_it(
    redis: Redis, bench: Bench, listening: WatchedSynchronizer
) -> None:
    with bench.waiters.waiting_for(USER, CLIENT) as waiter:
        announce(redis, USER)
        assert waiter.wait(PATIENCE)


def test_a_synchronizer_survives_what_it_cannot_check(
    redis: Redis, bench: Bench, running: WatchedSynchronizer
) -> None:
    redis.set(keys.PLACES, "not a hash")
    running.schedule_check(USER)  # it is missing, and cannot be requested
    assert isinstance(running.failures.get(timeout=PATIENCE), ResponseError)
    store_entry(redis, ORG, make_entry())
    with bench.waiters.waiting_for(ORG, CLIENT) as waiter:
        running.schedule_check(ORG)
        assert waiter.wait(PATIENCE)
