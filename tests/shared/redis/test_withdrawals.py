"""Withdrawals in Redis: bounded, announced, ended; and known by whoever reads anything."""

import json

import pytest
from redis import Redis

from shared.redis import keys, withdrawals
from shared.redis.announcements import parse
from shared.redis.store import Store
from shared.redis.withdrawals import KnownWithdrawals, admit, is_seen_twice, withdraw
from shared.withdrawal import Withdrawals
from tests.builders import make_entry, on_demand, store_entry

NAMES = ["netflix/secret", "#4711"]
USER = on_demand("/users/mona")


def seconds(redis: Redis) -> float:
    found, _ = redis.time()
    return float(found)


def known(redis: Redis) -> Withdrawals:
    """What a new process knows."""
    store = Store(redis)
    store.pulse()
    return store.withdrawals.known


def test_it_is_known_to_whoever_reads_anything(redis: Redis) -> None:
    stores = [Store(redis) for _ in range(5)]
    store_entry(redis, USER, make_entry())
    withdraw(redis, NAMES)
    stores[0].pulse()
    stores[1].read(USER)
    stores[2].read_with_state(USER)
    stores[3].states([USER])
    stores[4].state(USER)
    for store in stores:
        assert set(store.withdrawals.known.times) == set(NAMES)
        for at in store.withdrawals.known.times.values():
            assert at == pytest.approx(seconds(redis), abs=5)


def test_it_is_announced(redis: Redis) -> None:
    with redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]
        pubsub.subscribe(keys.ANNOUNCE)
        pubsub.get_message(timeout=60)
        withdraw(redis, NAMES)
        announcement = parse(pubsub.get_message(timeout=60)["data"])
    assert announcement is not None
    assert announcement.withdrawn.encode() == redis.get(keys.WITHDRAWN_REVISION)
    assert announcement.number == int(redis.get(keys.CHANGES) or 0)


def test_listeners_learn_of_each_change_once(redis: Redis) -> None:
    process, heard = KnownWithdrawals(redis, lambda: seconds(redis)), list[Withdrawals]()
    process.listen(lambda: heard.append(process.known))
    process.heard(redis.get(keys.WITHDRAWN_REVISION))
    assert not heard
    for _ in range(2):
        withdraw(redis, NAMES)
        for _ in range(2):
            process.heard(redis.get(keys.WITHDRAWN_REVISION))
    assert len(heard) == 2
    admit(redis, NAMES)
    process.heard(redis.get(keys.WITHDRAWN_REVISION))
    assert not process.known


@pytest.mark.parametrize(
    ("withdrawn", "admitted", "ends"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", True),
        ("2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z", False),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", False),
        ("", "2026-01-01T00:00:00Z", True),
        ("2026-01-01T00:00:00Z", "", True),
    ],
)
def test_an_event_that_arrives_late_ends_nothing(
    redis: Redis, withdrawn: str, admitted: str, ends: bool
) -> None:
    withdraw(redis, NAMES, updated_at=withdrawn)
    assert admit(redis, NAMES, updated_at=admitted) is ends
    assert bool(known(redis)) is not ends


def test_what_is_public_anyway_changes_nothing(redis: Redis) -> None:
    withdraw(redis, NAMES)
    before = redis.get(keys.WITHDRAWN_REVISION)
    assert not admit(redis, ["a/b", "#1"])
    assert redis.get(keys.WITHDRAWN_REVISION) == before


def test_they_are_bounded_in_number_and_age(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdrawals, "MOST", 3)
    old = seconds(redis) - withdrawals.REMEMBER_S - 1
    redis.hset(keys.WITHDRAWN, "a/old", f"{old} ")
    redis.hset(keys.WITHDRAWN, "a/damaged", "nonsense")
    for number in range(5):
        withdraw(redis, [f"a/r{number}"])
    assert set(known(redis).times) == {"a/r2", "a/r3", "a/r4"}
    assert 0 < redis.ttl(keys.WITHDRAWN) <= withdrawals.REMEMBER_S


def test_damage_is_no_error(redis: Redis) -> None:
    for key in (keys.WITHDRAWN, keys.SHOWN_AGAIN, keys.CHANGES):
        redis.rpush(key, "a list")
    redis.set(keys.WITHDRAWN_REVISION, "another")
    assert not known(redis)
    withdraw(redis, NAMES)
    assert set(known(redis).times) == set(NAMES)
    assert not is_seen_twice(redis, NAMES[0], apart=0, remember=60)


def test_times_of_the_future_are_of_now(redis: Redis) -> None:
    """Redis's clock was set back."""
    redis.hset(keys.WITHDRAWN, NAMES[0], f"{seconds(redis) + 1000} ")
    redis.set(keys.WITHDRAWN_REVISION, "another")
    assert known(redis).times[NAMES[0]] == pytest.approx(seconds(redis), abs=5)


def test_a_second_sighting_comes_later_and_counts_from_the_last_event(redis: Redis) -> None:
    name = NAMES[0]
    assert not is_seen_twice(redis, name, apart=10, remember=60)
    assert not is_seen_twice(redis, name, apart=10, remember=60), "it is not later"
    redis.hset(keys.SHOWN_AGAIN, name, str(seconds(redis) - 11))
    assert is_seen_twice(redis, name, apart=10, remember=60)
    withdraw(redis, [name])
    assert not is_seen_twice(redis, name, apart=10, remember=60)


def test_an_announcement_of_an_older_release_is_read() -> None:
    announcement = parse(json.dumps({"name": "/", "number": 1}).encode())
    assert announcement is not None
    assert announcement.withdrawn == ""
