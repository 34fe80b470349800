import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import Redis

from scripts.embedded_redis import EmbeddedRedis
from shared.clock import Clock, FleetClock
from shared.redis import keys
from shared.redis.entry_state import EntryState
from shared.redis.lifetimes import Lifetimes
from shared.redis.store import Store
from shared.resources.resource import Resource
from shared.stored_form import EXPANSION, SCHEMA
from tests.builders import (
    NOW,
    absent_redis,
    announce,
    compressed,
    make_entry,
    make_failure,
    make_list_entry,
    make_metadata,
    make_ranked_entry,
    on_demand,
    store_entry,
    store_failure,
    tracked,
)
from tests.round_trips import round_trips

REPOS = tracked("/orgs/Netflix/repos")
USER = on_demand("/users/mona")


@pytest.fixture
def store(redis: Redis) -> Store:
    return Store(redis)


def test_an_entry_is_read_as_it_was_stored(redis: Redis, store: Store) -> None:
    entry = compressed(
        make_ranked_entry(
            {"Netflix/a": 2, "Netflix/b": 1},
            validated_at=1_800_000_000.1234567,
            links=(("next", "page=2"),),
        )
    )
    store_entry(redis, REPOS, entry)
    assert store.read(REPOS) == entry


def test_what_was_never_stored_is_none(store: Store) -> None:
    assert store.read(USER) is None
    assert store.state(USER) == EntryState(None, None)


def test_a_look_gives_metadata_and_the_last_failure(redis: Redis, store: Store) -> None:
    entry, failure = make_list_entry(2), make_failure()
    store_entry(redis, REPOS, entry)
    assert store.state(REPOS) == EntryState(entry.metadata, None)
    store_failure(redis, REPOS, failure)
    assert store.state(REPOS) == EntryState(entry.metadata, failure)
    store_failure(redis, USER, failure)
    assert store.state(USER) == EntryState(None, failure)


def test_looks_come_in_the_order_they_were_asked_for(redis: Redis, store: Store) -> None:
    users = [on_demand(f"/users/u{number}") for number in range(5)]
    for number, user in enumerate(users[:4]):
        store_entry(redis, user, make_entry(version=number))
    store_failure(redis, users[4], make_failure())
    states = store.states(users[::-1])
    assert states[0] == EntryState(None, make_failure())
    assert [state.metadata and state.metadata.version for state in states[1:]] == [3, 2, 1, 0]


def test_many_looks_take_one_round_trip(redis: Redis, redis_server: EmbeddedRedis) -> None:
    users = [on_demand(f"/users/u{number}") for number in range(50)]
    with round_trips(redis_server.url) as counted:
        Store(counted.client).states(users)
    assert counted.sent == 1


def test_a_look_does_not_read_the_body(redis: Redis, store: Store) -> None:
    store_entry(redis, USER, make_entry(b'"' + b"x" * 1_000_000 + b'"'))
    before = redis.info("stats")["total_net_output_bytes"]
    assert store.state(USER).metadata is not None
    assert redis.info("stats")["total_net_output_bytes"] - before < 100_000


def test_nothing_to_look_at_is_no_error(store: Store) -> None:
    assert store.states([]) == []


def test_an_entry_of_another_schema_is_as_good_as_none(redis: Redis, store: Store) -> None:
    store_entry(redis, USER, make_entry())
    redis.hset(keys.entry(USER), "meta", json.dumps({"schema": SCHEMA + 1, "what": "ever"}))
    store_entry(redis, REPOS, make_entry())
    assert store.read(USER) is None
    assert store.states([USER, REPOS]) == [
        EntryState(None, None),
        EntryState(make_metadata(size=20), None),
    ]


def test_the_counter_grows_with_every_announcement(redis: Redis, store: Store) -> None:
    assert store.pulse().changes == 0
    announce(redis, USER)
    announce(redis, REPOS)
    assert store.pulse().changes == 2


def test_an_outage_is_an_error_and_not_an_absence() -> None:
    store = Store(absent_redis())
    with pytest.raises(RedisConnectionError):
        store.read(USER)
    with pytest.raises(RedisConnectionError):
        store.state(USER)
    with pytest.raises(RedisConnectionError):
        store.pulse()


@pytest.mark.parametrize(
    "other", [{"kind": "members"}, {"expansion": EXPANSION + 1}, {"visibility": "private 1"}]
)
def test_what_was_made_for_another_form_counts_as_absent(
    redis: Redis, store: Store, other: dict[str, Any]
) -> None:
    store_entry(redis, REPOS, make_list_entry(3))
    assert store.read(REPOS) is not None
    meta = json.loads(redis.hget(keys.entry(REPOS), "meta") or b"")
    meta["form"] |= other
    redis.hset(keys.entry(REPOS), "meta", json.dumps(meta))
    assert store.read(REPOS) is None
    assert store.state(REPOS).metadata is None


@pytest.mark.parametrize(
    ("changed", "is_current"),
    [
        ({}, True),
        ({"view:stars": 0}, False),
        ({"view:stars": 2}, True),
        ({"view:nonsense": 1}, True),
    ],
)
def test_an_entry_is_current_if_it_holds_what_we_derive_or_something_newer(
    redis: Redis, store: Store, changed: dict[str, int], is_current: bool
) -> None:
    store_entry(redis, REPOS, make_list_entry(3))
    meta = json.loads(redis.hget(keys.entry(REPOS), "meta") or b"")
    meta["derived"] |= changed
    redis.hset(keys.entry(REPOS), "meta", json.dumps(meta))
    assert store.state(REPOS).is_current(NOW) is is_current


@pytest.mark.parametrize("age", [0, 59.9, 60])
def test_an_entry_of_another_release_is_left_for_a_minute(
    redis: Redis, store: Store, age: float
) -> None:
    store_entry(redis, REPOS, make_list_entry(3, validated_at=NOW, fresh_until=NOW + 1000))
    meta = json.loads(redis.hget(keys.entry(REPOS), "meta") or b"")
    meta["derived"] |= {"view:stars": 0, "view:nonsense": 1}
    redis.hset(keys.entry(REPOS), "meta", json.dumps(meta))
    assert store.state(REPOS).is_current(NOW + age) is (age < 60)
    assert not store.state(REPOS).is_complete


def test_a_negative_answer_lacks_no_views(redis: Redis, store: Store) -> None:
    store_entry(redis, REPOS, make_entry(status=404))
    meta = json.loads(redis.hget(keys.entry(REPOS), "meta") or b"")
    redis.hset(keys.entry(REPOS), "meta", json.dumps({**meta, "derived": {}}))
    assert store.state(REPOS).is_current(NOW)


class TestTime:
    """Redis's time comes with what is read, and bounds it."""

    def test_every_reading_of_states_and_every_pulse_measures_redis_s_clock(
        self, redis: Redis
    ) -> None:
        reads: list[Callable[[Store], object]] = [lambda store: store.state(USER), Store.pulse]
        for read in reads:
            clock = FleetClock(Clock(lambda: 0.0, time.monotonic, time.sleep))
            read(Store(redis, clock=clock))
            assert clock.now() == pytest.approx(redis.time()[0], abs=5)

    @pytest.mark.parametrize(("resource", "lifetime"), [(REPOS, 1000), (USER, 60)])
    def test_content_is_fresh_for_no_longer_than_its_kind_allows(
        self, redis: Redis, resource: Resource, lifetime: float
    ) -> None:
        store = Store(redis, lifetimes=Lifetimes(tracked=1000, on_demand=60))
        store_entry(redis, resource, make_entry(validated_at=NOW, fresh_until=1e99))
        entry, state = store.read(resource), store.state(resource)
        assert entry is not None
        assert entry.metadata == state.metadata
        assert entry.metadata.fresh_until == NOW + lifetime
        store_entry(redis, resource, make_entry(validated_at=NOW, fresh_until=NOW + 7))
        metadata = store.state(resource).metadata
        assert metadata is not None
        assert metadata.fresh_until == NOW + 7

    def test_a_failure_from_before_an_operator_resumed_holds_nothing_back(
        self, redis: Redis, store: Store
    ) -> None:
        now = redis.time()[0]
        store_failure(redis, REPOS, make_failure(at=now - 10, retry_at=now + 3000))
        held = store.state(REPOS).failure
        assert held is not None
        assert held.holds_back(now)
        redis.set(keys.RESUMED, now - 5)
        freed = store.state(REPOS).failure
        assert freed is not None
        assert not freed.holds_back(now)
        store_failure(redis, REPOS, make_failure(at=now - 2, retry_at=now + 3000))
        later = store.state(REPOS).failure
        assert later is not None
        assert later.holds_back(now)

    @pytest.mark.parametrize(
        "resumed", ["", "soon", "nan", "inf", "1e300", "9" * 300, "4102444800"]
    )
    def test_a_time_of_resuming_that_is_not_past_ends_nothing(
        self, redis: Redis, store: Store, resumed: str
    ) -> None:
        now = redis.time()[0]
        store_failure(redis, REPOS, make_failure(at=now - 10, retry_at=now + 3000))
        redis.set(keys.RESUMED, resumed)
        failure = store.state(REPOS).failure
        assert failure is not None
        assert failure.holds_back(now)
