from collections.abc import Callable
from contextlib import suppress

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from scripts.embedded_redis import EmbeddedRedis
from shared.measures import Measure
from shared.queueing import REQUEST_ID, QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from tests.builders import (
    CATALOGUE,
    NOW,
    absent_redis,
    announce,
    compressed,
    make_entry,
    make_failure,
    make_list_entry,
    on_demand,
    order_of,
    queued_names,
    store_entry,
    store_failure,
    tracked,
)
from tests.reader.bench import CLIENT, KEEP, LOCAL_TTL, Bench, commands
from tests.round_trips import round_trips

REPOS = tracked("/orgs/Netflix/repos")
ORG = tracked("/orgs/Netflix")
USER = on_demand("/users/mona")
OTHER = on_demand("/users/hubot")


@pytest.fixture
def all_stored(redis: Redis) -> None:
    """Everything tracked is in Redis, fresh for ever."""
    for resource in CATALOGUE.tracked:
        store_entry(redis, resource, make_list_entry(3, fresh_until=NOW + 1e9))


@pytest.fixture
def settled(bench: Bench, all_stored: None) -> Bench:
    """A reader that holds everything tracked and has seen two ticks."""
    turn(bench)
    turn(bench)
    assert not bench.redis.exists("rq:queue:refresh")
    return bench


def turn(bench: Bench) -> None:
    """One turn of the synchronizer's loop."""
    bench.synchronizer.tick()
    bench.synchronizer.check_due()


def check(bench: Bench, resource: Resource) -> None:
    """Have one resource checked in Redis."""
    bench.synchronizer.schedule_check(resource)
    bench.synchronizer.check_due()


def body_of(bench: Bench, resource: Resource) -> bytes | None:
    held = bench.local.peek(resource)
    return bytes(held.entry.body) if held else None


def test_what_is_tracked_is_loaded_without_being_asked_for(bench: Bench, all_stored: None) -> None:
    turn(bench)
    assert set(bench.local.resources()) == set(CATALOGUE.tracked)


def test_what_is_tracked_and_nowhere_is_asked_for(bench: Bench) -> None:
    turn(bench)
    assert sorted(queued_names(bench.redis)) == sorted(one.name for one in CATALOGUE.tracked)


def test_what_is_held_and_not_due_is_not_looked_at(settled: Bench) -> None:
    before = commands(settled.redis, "hmget")
    settled.clock.now += LOCAL_TTL - 1
    turn(settled)
    assert commands(settled.redis, "hmget") == before


def test_what_is_due_is_looked_at_without_its_body(settled: Bench) -> None:
    states, reads = (commands(settled.redis, name) for name in ("hmget", "hgetall"))
    settled.clock.now += LOCAL_TTL
    turn(settled)
    assert commands(settled.redis, "hmget") == states + len(CATALOGUE.tracked)
    assert commands(settled.redis, "hgetall") == reads


def test_an_unchanged_entry_keeps_its_very_bytes(bench: Bench) -> None:
    store_entry(bench.redis, REPOS, compressed(make_list_entry(5)))
    check(bench, REPOS)
    before = bench.local.peek(REPOS)
    later = compressed(make_list_entry(5, validated_at=NOW + 60, fresh_until=NOW + 1060))
    store_entry(bench.redis, REPOS, later)
    bench.clock.now += 61
    check(bench, REPOS)
    after = bench.local.peek(REPOS)
    assert before is not None
    assert after is not None
    assert after.entry.metadata == later.metadata
    assert after.entry.body is before.entry.body
    assert after.entry.encoded is before.entry.encoded
    assert after.check_at == NOW + 61 + LOCAL_TTL


@pytest.mark.parametrize("resource", [ORG, USER], ids=["tracked", "on demand"])
def test_a_changed_entry_is_loaded(bench: Bench, resource: Resource) -> None:
    bench.local.put(resource, make_entry(b"old"), NOW)
    store_entry(bench.redis, resource, make_entry(b"new", version=2, validated_at=NOW + 1))
    check(bench, resource)
    assert body_of(bench, resource) == b"new"


def test_an_older_entry_in_redis_does_not_replace_what_is_held(bench: Bench) -> None:
    bench.local.put(ORG, make_entry(b"held", version=2, validated_at=NOW + 1), NOW)
    store_entry(bench.redis, ORG, make_entry(b"older", version=1))
    check(bench, ORG)
    held = bench.local.peek(ORG)
    assert held is not None
    assert (held.entry.body, held.check_at) == (b"held", NOW + 1)


def test_a_version_that_a_failover_lost_is_shown_until_the_origin_confirms_one_later(
    bench: Bench,
) -> None:
    """A replica that became the master may lack the last writes (Redis replicates later)."""
    bench.local.put(ORG, make_entry(b"lost", version=2, validated_at=NOW), NOW)
    bench.redis.set(keys.CHANGES, 9)
    bench.synchronizer.tick()
    before = make_entry(b"before", version=1, validated_at=NOW - 60, fresh_until=NOW - 1)
    store_entry(bench.redis, ORG, before)
    bench.redis.set(keys.CHANGES, 8)
    bench.synchronizer.tick()
    bench.synchronizer.check_due()
    assert body_of(bench, ORG) == b"lost", "nobody is shown something older than before"
    assert RefreshQueue(bench.redis, QueueLimits()).is_queued(ORG), "it is asked for again"
    assert bench.synchronizer.losses == 1, "and announcements are subscribed to again"
    # What the origin has is what it had before: only the freshness of the old version moves on.
    confirmed = make_entry(b"before", version=1, confirmed_by=3, fresh_until=NOW + 1002)
    store_entry(bench.redis, ORG, confirmed)
    check(bench, ORG)
    assert body_of(bench, ORG) == b"before"


def test_what_is_damaged_is_marked_to_be_read_anew_but_not_again_and_again(
    settled: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    store_entry(settled.redis, REPOS, make_list_entry(4, version=2, fresh_until=NOW + 1e9))
    settled.redis.hdel(keys.entry(REPOS), "body")
    check(settled, REPOS)
    assert settled.store.state(REPOS).is_to_be_read_anew
    assert body_of(settled, REPOS) == make_list_entry(3).body, "what is held is served"
    assert caplog.messages == ["what is stored of /orgs/Netflix/repos is damaged: it is read anew"]
    settled.clock.now += 1
    turn(settled)
    assert queued_names(settled.redis) == [REPOS.name]

    settled.redis.delete(keys.invalidated_by(REPOS))
    settled.clock.now += 590
    check(settled, REPOS)
    assert not settled.store.state(REPOS).is_to_be_read_anew
    settled.clock.now += 10
    check(settled, REPOS)
    assert settled.store.state(REPOS).is_to_be_read_anew


def test_what_nobody_here_asked_for_is_not_loaded(bench: Bench) -> None:
    store_entry(bench.redis, USER, make_entry())
    before = commands(bench.redis, "hgetall")
    check(bench, USER)
    assert bench.local.peek(USER) is None
    assert commands(bench.redis, "hgetall") == before


def test_what_a_thread_waits_for_is_loaded_and_signalled(bench: Bench) -> None:
    entry = store_entry(bench.redis, USER, make_entry())
    with bench.waiters.waiting_for(USER, CLIENT) as waiter:
        check(bench, USER)
        assert waiter.wait(0)
    assert body_of(bench, USER) == entry.body


def test_many_calls_make_one_look(bench: Bench) -> None:
    before = commands(bench.redis, "hmget")
    for _ in range(100):
        bench.synchronizer.schedule_check(USER)
    bench.synchronizer.check_due()
    bench.synchronizer.check_due()
    assert commands(bench.redis, "hmget") == before + 1


def test_hundreds_of_resources_are_all_looked_at(bench: Bench) -> None:
    users = [on_demand(f"/users/u{number}") for number in range(250)]
    for user in users:
        bench.local.put(user, make_entry(), NOW)
        store_entry(bench.redis, user, make_entry(validated_at=NOW + 1))
        bench.synchronizer.schedule_check(user)
    bench.synchronizer.check_due()
    held = [bench.local.peek(user) for user in users]
    assert {one and one.entry.metadata.validated_at for one in held} == {NOW + 1}


@pytest.mark.parametrize("resource", [ORG, USER], ids=["tracked", "on demand"])
def test_what_is_stale_is_asked_for_and_stays(bench: Bench, resource: Resource) -> None:
    entry = make_entry(fresh_until=NOW)
    bench.local.put(resource, entry, NOW)
    store_entry(bench.redis, resource, entry)
    check(bench, resource)
    assert queued_names(bench.redis) == [resource.name]
    assert body_of(bench, resource) == entry.body


def test_after_an_outage_only_what_clients_request_is_refreshed(bench: Bench) -> None:
    """Everything in memory is checked then; on demand, a client's request finds it stale."""
    for resource in (ORG, USER, OTHER):
        entry = make_entry(fresh_until=NOW)
        bench.local.put(resource, entry, NOW)
        store_entry(bench.redis, resource, entry)
    bench.synchronizer.subscribed()
    bench.synchronizer.schedule_check(OTHER)
    bench.synchronizer.check_due()
    names = set(queued_names(bench.redis))
    assert USER.name not in names
    assert {ORG.name, OTHER.name} <= names


def test_what_is_fresh_is_not_asked_for(bench: Bench) -> None:
    store_entry(bench.redis, ORG, make_entry(fresh_until=NOW + 0.1))
    check(bench, ORG)
    assert queued_names(bench.redis) == []


@pytest.mark.parametrize("stored", [True, False], ids=["stale", "missing"])
def test_nobody_asks_before_the_backoff_ends(bench: Bench, stored: bool) -> None:
    if stored:
        store_entry(bench.redis, ORG, make_entry(fresh_until=NOW - 100))
    store_failure(bench.redis, ORG, make_failure(retry_at=NOW + 5))
    bench.clock.now = NOW + 4.9
    check(bench, ORG)
    assert queued_names(bench.redis) == []
    bench.clock.now = NOW + 5
    check(bench, ORG)
    assert queued_names(bench.redis) == [ORG.name]


def test_the_invalidated_is_refreshed_before_the_missing_and_that_before_the_stale(
    bench: Bench,
) -> None:
    users = [on_demand(f"/users/u{number}") for number in range(4)]
    until = [NOW, NOW - 10, NOW + 1000]
    for user, fresh_until in zip(users, until, strict=False):
        store_entry(bench.redis, user, make_entry(fresh_until=fresh_until))
    bench.redis.set(keys.invalidated_by(users[2]), "a delivery")
    for user in users:
        bench.synchronizer.schedule_check(user)
    bench.synchronizer.check_due()
    newer, older, invalidated, missing = (user.name for user in users)
    assert order_of(bench.redis) == [invalidated, missing, older, newer]


@pytest.mark.parametrize("count", [1, 20])
def test_checks_and_their_requests_take_two_round_trips(
    redis: Redis, redis_server: EmbeddedRedis, bench: Bench, count: int
) -> None:
    check(bench, OTHER)  # the script is known from now on
    users = [on_demand(f"/users/u{number}") for number in range(count)]
    with round_trips(redis_server.url) as counted:
        another = Bench(counted.client)
        for user in users:
            another.synchronizer.schedule_check(user)
        another.synchronizer.check_due()
    assert counted.sent == 2
    assert len(queued_names(redis)) == count + 1


def test_a_check_ends_no_wait_before_the_content_is_there(bench: Bench) -> None:
    store_failure(bench.redis, USER, make_failure())
    with bench.waiters.waiting_for(USER, CLIENT) as waiter:
        check(bench, USER)
        assert not waiter.wait(0)


def test_an_announcement_of_what_is_held_has_it_loaded(bench: Bench) -> None:
    bench.local.put(USER, make_entry(b"old"), NOW)
    store_entry(bench.redis, USER, make_entry(b"new", version=2, validated_at=NOW + 1))
    bench.synchronizer.announced(USER, announce(bench.redis, USER))
    bench.synchronizer.check_due()
    assert body_of(bench, USER) == b"new"


def test_an_announcement_of_what_is_neither_held_nor_awaited_costs_nothing(bench: Bench) -> None:
    before = commands(bench.redis, "hmget")
    bench.synchronizer.announced(USER, 1)
    bench.synchronizer.announced(None, 2)
    bench.synchronizer.check_due()
    assert commands(bench.redis, "hmget") == before


def test_an_announcement_of_what_is_awaited_is_signalled_at_once(bench: Bench) -> None:
    store_entry(bench.redis, USER, make_entry())
    with bench.waiters.waiting_for(USER, CLIENT) as waiter:
        bench.synchronizer.announced(USER, 1)
        assert waiter.wait(0)


def test_a_subscription_is_signalled_to_every_thread_that_waits(bench: Bench) -> None:
    with bench.waiters.waiting_for(USER, CLIENT) as waiter:
        bench.synchronizer.subscribed()
        assert waiter.wait(0)


def test_a_subscription_has_everything_looked_at(settled: Bench) -> None:
    settled.local.put(USER, make_entry(), NOW)
    store_entry(settled.redis, USER, make_entry(b"new", version=2, validated_at=NOW + 1))
    before = commands(settled.redis, "hmget")
    settled.synchronizer.subscribed()
    settled.synchronizer.check_due()
    assert commands(settled.redis, "hmget") == before + len(CATALOGUE.tracked) + 1
    assert body_of(settled, USER) == b"new"


def test_a_lost_announcement_is_noticed_after_two_ticks(settled: Bench) -> None:
    store_entry(settled.redis, ORG, make_entry(b"new", version=2, validated_at=NOW + 1))
    announce(settled.redis, ORG)
    turn(settled)  # it may still be on its way
    assert body_of(settled, ORG) != b"new"
    assert settled.synchronizer.losses == 0
    turn(settled)
    assert body_of(settled, ORG) == b"new"
    assert settled.synchronizer.losses == 1


def test_a_lost_announcement_is_noticed_once(settled: Bench) -> None:
    announce(settled.redis, ORG)
    turn(settled)
    turn(settled)
    before = commands(settled.redis, "hmget")
    turn(settled)
    turn(settled)
    assert commands(settled.redis, "hmget") == before


def test_an_announcement_that_was_heard_is_not_taken_for_lost(settled: Bench) -> None:
    number = announce(settled.redis, ORG)
    turn(settled)
    settled.synchronizer.announced(ORG, number)
    settled.synchronizer.check_due()
    before = commands(settled.redis, "hmget")
    turn(settled)
    assert commands(settled.redis, "hmget") == before
    assert settled.synchronizer.losses == 0


def test_what_was_announced_before_this_process_is_not_taken_for_lost(
    bench: Bench, all_stored: None
) -> None:
    for _ in range(5):
        announce(bench.redis, ORG)
    turn(bench)
    turn(bench)
    assert bench.synchronizer.losses == 0


def test_a_redis_that_lost_its_data_takes_nothing_away(settled: Bench) -> None:
    announce(settled.redis, ORG)
    settled.synchronizer.announced(ORG, 1)
    turn(settled)
    bodies = {one.name: body_of(settled, one) for one in CATALOGUE.tracked}
    settled.redis.flushall()
    turn(settled)
    assert {one.name: body_of(settled, one) for one in CATALOGUE.tracked} == bodies
    assert sorted(queued_names(settled.redis)) == sorted(one.name for one in CATALOGUE.tracked)


def test_after_a_loss_of_data_announcements_are_counted_anew(settled: Bench) -> None:
    for _ in range(5):
        settled.synchronizer.announced(ORG, announce(settled.redis, ORG))
    turn(settled)
    settled.redis.delete(keys.CHANGES)
    turn(settled)
    store_entry(settled.redis, ORG, make_entry(b"new", version=2, validated_at=NOW + 1))
    announce(settled.redis, ORG)
    turn(settled)
    turn(settled)
    assert body_of(settled, ORG) == b"new"


def test_what_nobody_asks_for_is_let_go(bench: Bench, all_stored: None) -> None:
    bench.local.put(USER, make_entry(), NOW)
    bench.clock.now = NOW + KEEP
    turn(bench)
    assert bench.local.peek(USER) is not None
    bench.clock.now = NOW + KEEP + 1
    turn(bench)
    assert bench.local.peek(USER) is None
    assert set(bench.local.resources()) == set(CATALOGUE.tracked)


@pytest.fixture
def cut_off(redis: Redis) -> Bench:
    """A reader whose Redis is away."""
    return Bench(absent_redis())


@pytest.mark.parametrize("act", [turn, lambda bench: check(bench, ORG)], ids=["tick", "look"])
def test_without_redis_what_is_held_stays(cut_off: Bench, act: Callable[[Bench], None]) -> None:
    entry = make_entry()
    cut_off.local.put(ORG, entry, NOW)
    with pytest.raises(RedisConnectionError):
        act(cut_off)
    assert body_of(cut_off, ORG) is entry.body


def test_without_redis_the_next_look_is_put_off_a_little(cut_off: Bench) -> None:
    cut_off.local.put(ORG, make_entry(fresh_until=NOW - 100), NOW - 100)
    with pytest.raises(RedisConnectionError):
        check(cut_off, ORG)
    held = cut_off.local.peek(ORG)
    assert held is not None
    assert held.check_at == NOW + 1


def test_what_cannot_be_read_keeps_nothing_else_from_being_looked_at(
    redis: Redis, bench: Bench
) -> None:
    store_entry(redis, USER, make_entry())
    redis.hset(keys.entry(USER), "meta", "garbage")
    store_entry(redis, ORG, make_entry())
    for resource in (USER, ORG):
        bench.synchronizer.schedule_check(resource)
    with suppress(ValueError):
        bench.synchronizer.check_due()
    assert bench.local.peek(ORG) is not None


def requests_of(redis: Redis) -> dict[str, str | None]:
    """The request that each queued job was asked for with, by the name of what it refreshes."""
    ids = [one.decode() for one in redis.lrange("rq:queue:refresh", 0, -1)]  # type: ignore[union-attr]
    jobs = Job.fetch_many(ids, connection=redis, serializer=JSONSerializer)
    return {str(job.args[0]): job.meta.get(REQUEST_ID) for job in jobs if job is not None}


class TestWhoAsked:
    """A refresh is known by the first request that found it due."""

    def test_is_in_the_job(self, bench: Bench) -> None:
        bench.synchronizer.schedule_check(USER, "abc-123")
        bench.synchronizer.schedule_check(OTHER)
        bench.synchronizer.check_due()
        assert requests_of(bench.redis) == {USER.name: "abc-123", OTHER.name: None}

    @pytest.mark.parametrize(
        "ids", [["first", "second"], ["first", None], [None, "first", "second", None]]
    )
    def test_is_the_first_of_several(self, bench: Bench, ids: list[str | None]) -> None:
        for one in ids:
            bench.synchronizer.schedule_check(USER, one)
        bench.synchronizer.check_due()
        assert requests_of(bench.redis) == {USER.name: "first"}

    def test_is_not_taken_for_who_asks_next(self, bench: Bench) -> None:
        bench.synchronizer.schedule_check(USER, "abc-123")
        bench.synchronizer.check_due()
        bench.redis.flushall()
        check(bench, USER)
        assert requests_of(bench.redis) == {USER.name: None}


class TestForgotten:
    """What an operator has forgotten is let go, and nobody brings it back by itself."""

    def forget(self, bench: Bench, version: int, resource: Resource = USER) -> None:
        """What a refresher leaves of it."""
        bench.redis.delete(keys.entry(resource))
        bench.redis.set(keys.forgotten(resource), version)

    def hold(self, bench: Bench, version: int, resource: Resource = USER) -> None:
        bench.local.put(resource, make_entry(version=version), NOW)

    @pytest.mark.parametrize(("version", "stays"), [(1, False), (2, False), (3, True)])
    def test_versions_up_to_that_one_are_let_go(
        self, bench: Bench, version: int, *, stays: bool
    ) -> None:
        self.hold(bench, version)
        self.forget(bench, 2)
        check(bench, USER)
        assert (bench.local.peek(USER) is not None) is stays

    def test_is_seen_when_it_is_announced(self, bench: Bench) -> None:
        self.hold(bench, 1)
        self.forget(bench, 2)
        bench.synchronizer.announced(USER, 1)
        bench.synchronizer.check_due()
        assert bench.local.peek(USER) is None

    def test_is_not_fetched_anew_where_nobody_asks_for_it(self, bench: Bench) -> None:
        self.hold(bench, 1)
        self.forget(bench, 2)
        bench.synchronizer.announced(USER, 1)
        bench.synchronizer.check_due()
        assert queued_names(bench.redis) == []

    def test_is_fetched_anew_for_who_waits(self, bench: Bench) -> None:
        self.forget(bench, 2)
        with bench.waiters.waiting_for(USER, CLIENT):
            check(bench, USER)
        assert queued_names(bench.redis) == [USER.name]

    def test_what_came_after_is_held_and_renewed_as_ever(self, bench: Bench) -> None:
        self.forget(bench, 2)
        with bench.waiters.waiting_for(USER, CLIENT):
            store_entry(bench.redis, USER, make_entry(b"new", version=3))
            check(bench, USER)
        assert body_of(bench, USER) == b"new"
        bench.redis.delete(keys.entry(USER))  # it has expired, and is asked for still
        check(bench, USER)
        assert body_of(bench, USER) == b"new"
        assert queued_names(bench.redis) == [USER.name]

    def test_nothing_tracked_is_let_go(self, bench: Bench) -> None:
        self.hold(bench, 1, ORG)
        self.forget(bench, 2, ORG)
        check(bench, ORG)
        assert bench.local.peek(ORG) is not None
        assert queued_names(bench.redis) == [ORG.name]


class TestAway:
    """Since when Redis does not answer."""

    def guarded_tick(self, bench: Bench) -> float | None:
        bench.synchronizer.guarded_tick()
        return bench.synchronizer.away_since

    def test_is_no_time_while_it_answers(self, settled: Bench) -> None:
        assert self.guarded_tick(settled) is None

    def test_is_when_it_first_failed_and_ends_when_it_is_back(self, settled: Bench) -> None:
        synchronizer = settled.synchronizer
        synchronizer._store = Store(absent_redis())
        assert self.guarded_tick(settled) == NOW
        settled.clock.now += 5
        assert self.guarded_tick(settled) == NOW
        synchronizer._store = settled.store
        # A look that succeeds may have been at something that needs no Redis: a tick does.
        synchronizer._guarded(synchronizer.check_due)
        assert synchronizer.away_since == NOW
        assert self.guarded_tick(settled) is None


def test_what_it_does_is_counted(bench: Bench) -> None:
    store_entry(bench.redis, ORG, make_entry(fresh_until=NOW))
    for _ in range(2):  # the second time it sees that it has requested a refresh
        check(bench, ORG)
    check(bench, USER)
    bench.synchronizer.announced(ORG, 1)
    bench.synchronizer.announced(None, 2)
    assert bench.counters.counts() == {
        (Measure.REDIS_READS, ("look",)): 3,
        (Measure.REDIS_READS, ("body",)): 1,
        (Measure.ASKED, ("queued",)): 2,
        (Measure.ANNOUNCEMENTS, ()): 2,
    }


def test_a_path_of_track_whose_refresh_failed_is_missed_no_more(bench: Bench) -> None:
    named = Catalogue(("Netflix",), track=("/users/a",)).tracked[-1]
    check(bench, named)
    assert bench.local.missing([named]) == [named]
    store_failure(bench.redis, named, make_failure())
    check(bench, named)
    assert bench.local.missing([named]) == []
