"""The record of events: bounded, by Redis's clock, and what it says of an entry's freshness."""

import json
import time
from typing import Any

import pytest
from redis import Redis

from shared.entry import Metadata, content_fields
from shared.event_bound import SETTLE_S, bounded_by_event, last_event
from shared.redis import announcements, keys
from shared.redis.event_record import record
from shared.redis.store import Store
from shared.resources.event_scopes import EVERYTHING, digest_of
from tests.builders import make_entry, make_metadata, on_demand, store_entry

ISSUES = on_demand("/repos/Netflix/Hystrix/issues")
REPO = "repo:netflix/hystrix"


def marks(redis: Redis) -> dict[bytes, float]:
    """The record."""
    found: Any = redis.zrange(keys.EVENTS, 0, -1, withscores=True)
    return dict(found)


@pytest.mark.parametrize(
    ("validated_at", "fresh_until", "is_awaited"),
    [
        (99.0, 100.0, True),  # from before the event
        (100.0, 110.0, True),  # GitHub's replicas may have lagged
        (109.9, 110.0, True),
        (110.0, 500.0, False),  # they had time
    ],
)
def test_content_is_fresh_for_as_long_as_the_last_event_lets_it_be(
    validated_at: float, fresh_until: float, is_awaited: bool
) -> None:
    metadata = make_metadata(validated_at=validated_at, fresh_until=500.0)
    bounded = bounded_by_event(metadata, 100.0)
    assert (bounded.fresh_until, bounded.is_awaited) == (fresh_until, is_awaited)
    assert bounded_by_event(metadata, 0.0) is metadata


def test_an_event_never_makes_content_fresh_for_longer() -> None:
    metadata = make_metadata(validated_at=101.0, fresh_until=103.0)
    assert bounded_by_event(metadata, 100.0).fresh_until == 103.0


def test_an_event_is_recorded_by_redis_s_clock_and_announced(redis: Redis) -> None:
    with redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]
        pubsub.subscribe(keys.ANNOUNCE)
        pubsub.get_message(timeout=60)
        before = time.time()
        at = record(redis, [REPO, f"{REPO} issues"], remember=60)
        message = pubsub.get_message(timeout=60)
    assert before - 1 < at < time.time() + 1
    assert message is not None
    announced = announcements.parse(message["data"])
    scopes = (digest_of(REPO), digest_of(f"{REPO} issues"))
    assert announced == announcements.Announcement("", 1, scopes, at)
    assert marks(redis) == {scope.encode(): pytest.approx(at) for scope in scopes}
    left = redis.ttl(keys.EVENTS)
    assert 60 + SETTLE_S - (time.time() - before) - 1 <= left <= 60 + SETTLE_S + 1
    assert b"netflix" not in message["data"] + json.dumps([*map(str, marks(redis))]).encode()


def test_nothing_is_recorded_of_an_event_that_touches_nothing(redis: Redis) -> None:
    assert record(redis, [], remember=60) == 0.0
    assert not redis.exists(keys.EVENTS, keys.CHANGES)


def test_the_record_is_bounded_and_what_it_forgets_touches_everything(redis: Redis) -> None:
    first = record(redis, [f"repo:o/{number}" for number in range(10)], remember=60, most=10)
    record(redis, ["repo:o/new"], remember=60, most=10)
    kept = marks(redis)
    assert len(kept) == 10
    assert kept[EVERYTHING.encode()] == pytest.approx(first)
    assert digest_of("repo:o/new").encode() in kept
    store_entry(redis, ISSUES, make_entry(validated_at=first - 5, fresh_until=first + 500))
    found = Store(redis).state(ISSUES).metadata
    assert found is not None
    assert found.is_awaited


def test_old_events_are_forgotten(redis: Redis) -> None:
    redis.zadd(keys.EVENTS, {"old": time.time() - 100, "young": time.time() - 10})
    record(redis, [REPO], remember=30)
    assert set(marks(redis)) == {b"young", digest_of(REPO).encode()}


def test_an_event_of_the_future_counts_once_the_clock_is_known_to_be_set_back(
    redis: Redis,
) -> None:
    redis.zadd(keys.EVENTS, {"future": time.time() + 1000})
    assert last_event([time.time() + 1000], time.time()) == 0.0
    at = record(redis, [REPO], remember=30)
    assert marks(redis)[b"future"] == pytest.approx(at)


@pytest.mark.parametrize("reply", [None, ValueError("WRONGTYPE"), [None], []])
def test_a_record_that_says_nothing_touches_nothing(reply: object) -> None:
    assert last_event(reply, 100.0) == 0.0


def test_a_damaged_record_hurts_nobody_and_is_replaced(redis: Redis) -> None:
    redis.set(keys.EVENTS, "damaged")
    redis.set(keys.CHANGES, "damaged")
    store_entry(redis, ISSUES, make_entry())
    store = Store(redis)
    assert store.state(ISSUES).metadata is not None
    assert store.read(ISSUES) is not None
    assert store.read_with_state(ISSUES)[0] is not None
    at = record(redis, [REPO], remember=60)
    assert marks(redis) == {digest_of(REPO).encode(): pytest.approx(at)}


def test_every_reading_of_an_entry_is_bounded_alike(redis: Redis) -> None:
    now = time.time()
    store_entry(redis, ISSUES, make_entry(validated_at=now - 5, fresh_until=now + 500))
    at = record(redis, [f"{REPO} issues"], remember=60)
    store = Store(redis)
    read, with_state = store.read(ISSUES), store.read_with_state(ISSUES)
    assert read is not None
    assert with_state[0] is not None
    found = [read.metadata, with_state[0].metadata, with_state[1].metadata]
    found.append(store.state(ISSUES).metadata)
    for metadata in found:
        assert isinstance(metadata, Metadata)
        assert metadata.fresh_until == pytest.approx(at)
        assert metadata.is_awaited
    assert not store.state(ISSUES).is_current(at + 0.1)


def test_the_bound_is_not_stored() -> None:
    entry = make_entry(is_awaited=True)
    assert b"is_awaited" not in content_fields(entry)["meta"]
