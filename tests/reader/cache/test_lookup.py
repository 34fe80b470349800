from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Semaphore
from typing import Any, NamedTuple

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from rq.suspension import suspend

from reader.cache.check_schedule import CheckSchedule
from reader.cache.local_cache import Held, LocalCache
from reader.cache.misses import WaitLimits
from reader.cache.refresh_requests import Requester
from reader.cache.waiters import Waiter, Waiters
from reader.cache.wanted import Found
from reader.errors import ApiError, TooMany, Unavailable
from scripts.embedded_redis import EmbeddedRedis
from shared.entry import Entry
from shared.outcomes import FailureKind, Refusal, Served
from shared.queueing import QUEUE, REQUEST_ID, QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.entry_state import EntryState
from shared.redis.scripts import Batch
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.builders import (
    NOW,
    absent_redis,
    make_entry,
    make_failure,
    on_demand,
    order_of,
    queued_names,
    stale,
    store_entry,
    store_failure,
    tracked,
    waiting,
)
from tests.reader.bench import CLIENT, KEEP, LOCAL_TTL, PATIENCE, Bench, commands
from tests.round_trips import round_trips

ORG = tracked("/orgs/Netflix")
USER = on_demand("/users/mona")
OTHER = on_demand("/users/hubot")
USERS = [on_demand(f"/users/u{number}") for number in range(3)]
REQUESTER = Requester(CLIENT)
ANOTHER = Requester("192.0.2.2")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(60) as threads:
        yield threads


@pytest.fixture
def no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that waits reads Redis only when it is signalled."""
    monkeypatch.setattr("reader.cache.misses._POLL", PATIENCE)


def arrive(bench: Bench, resource: Resource) -> Entry:
    """The content of a resource is stored, and announced to this process."""
    entry = store_entry(bench.redis, resource, make_entry())
    bench.synchronizer.announced(resource, 1)
    return entry


HELD = pytest.mark.parametrize("resource", [ORG, USER], ids=["tracked", "on demand"])


@HELD
def test_what_is_held_is_served_without_redis(resource: Resource) -> None:
    bench = Bench(absent_redis())
    entry = make_entry()
    bench.local.put(resource, entry, NOW)
    found = bench.lookup.get(resource, REQUESTER)
    assert found == Found(entry, Served.LOCAL)
    assert found.entry is entry
    assert bench.synchronizer.wanted.empty()


@HELD
def test_what_is_held_is_served_whatever_its_age(resource: Resource) -> None:
    bench = Bench(absent_redis())
    bench.local.put(resource, make_entry(fresh_until=NOW - 1e6), NOW - 1e6)
    assert bench.lookup.get(resource, REQUESTER).served is Served.LOCAL


def test_what_is_due_is_served_and_a_look_is_scheduled(bench: Bench) -> None:
    bench.local.put(USER, make_entry(), NOW)
    bench.clock.now = NOW + LOCAL_TTL
    assert bench.lookup.get(USER, REQUESTER).served is Served.LOCAL
    assert bench.synchronizer.wanted.get_nowait() == USER


def test_a_miss_is_read_from_redis_and_held(bench: Bench) -> None:
    entry = store_entry(bench.redis, USER, make_entry())
    assert bench.lookup.get(USER, REQUESTER) == Found(entry, Served.REDIS)
    assert bench.lookup.get(USER, REQUESTER) == Found(entry, Served.LOCAL)
    assert bench.synchronizer.wanted.empty()


def test_what_is_stale_in_redis_is_served_and_a_refresh_is_asked_for(bench: Bench) -> None:
    entry = store_entry(bench.redis, USER, make_entry(fresh_until=NOW))
    assert bench.lookup.get(USER, REQUESTER) == Found(entry, Served.REDIS)
    bench.synchronizer.check_due()
    assert queued_names(bench.redis) == [USER.name]


class Key(str):
    """A string that tells when another is compared with it."""

    compared = Semaphore(0)

    def __eq__(self, other: object) -> bool:
        Key.compared.release()
        return str.__eq__(self, other)  # not `==`, which would ask the other key, too

    def __hash__(self) -> int:
        return str.__hash__(self)


class Wanted(Resource):
    """A resource whose every look-up, in a dict that holds it, is counted."""

    @property
    def id(self) -> str:
        return Key("wanted")


class NoJoining(Waiters):
    """Looks nothing up when a thread begins to wait: only the look-ups of flights are counted."""

    def joins(self, resource: Resource, client: str) -> bool:  # noqa: ARG002
        return False


class GatedStore(Store):
    """Reads once all others have joined the reader: each finds its flight, and so compares keys."""

    others = 49

    def read_with(
        self, resource: Resource, add: Callable[[Batch], None]
    ) -> tuple[Entry | None, EntryState, list[Any]]:
        for _ in range(self.others):
            assert Key.compared.acquire(timeout=PATIENCE)
        return super().read_with(resource, add)


def test_fifty_threads_that_miss_make_one_read(redis: Redis, pool: ThreadPoolExecutor) -> None:
    Key.compared = Semaphore(0)
    resource = Wanted("/users/mona")
    bench = Bench(redis, waiters=NoJoining())
    entry = store_entry(redis, resource, make_entry())
    lookup = bench.make_lookup(GatedStore(redis))
    before = commands(redis, "hgetall")
    waiting = [pool.submit(lookup.get, resource, REQUESTER) for _ in range(50)]
    found = [one.result(PATIENCE) for one in waiting]
    assert found == [Found(entry, Served.REDIS)] * 50
    assert len({id(one.entry) for one in found}) == 1
    assert commands(redis, "hgetall") == before + 1


class SlowLocal(LocalCache):
    """Holds up who finds nothing until it is told to go on."""

    def __init__(self) -> None:
        super().__init__(10_000_000, keep=KEEP, next_check=CheckSchedule(LOCAL_TTL).next_check)
        self.missed, self.go_on = Event(), Event()

    def get(self, resource: Resource, now: float) -> Held | None:
        held = super().get(resource, now)
        if held is None and not self.missed.is_set():
            self.missed.set()
            assert self.go_on.wait(PATIENCE)
        return held


def test_who_misses_just_before_another_read_does_not_read_again(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    # A: misses | B: misses, reads, holds, lands | A: takes off, and should find what B holds
    store_entry(bench.redis, USER, make_entry())
    local = SlowLocal()
    lookup = bench.make_lookup(bench.store, local)
    before = commands(bench.redis, "hgetall")
    late = pool.submit(lookup.get, USER, REQUESTER)
    assert local.missed.wait(PATIENCE)
    lookup.get(USER, REQUESTER)
    local.go_on.set()
    late.result(PATIENCE)
    assert commands(bench.redis, "hgetall") == before + 1


@HELD
def test_what_is_nowhere_is_asked_for_and_waited_for(
    bench: Bench, pool: ThreadPoolExecutor, resource: Resource
) -> None:
    waiting = pool.submit(bench.lookup.get, resource, REQUESTER)
    bench.let_wait(resource)
    assert queued_names(bench.redis) == [resource.name]
    assert not waiting.done()
    entry = arrive(bench, resource)
    assert waiting.result(PATIENCE) == Found(entry, Served.WAITED)


@pytest.mark.usefixtures("no_poll")
def test_a_miss_takes_two_round_trips_for_all_requests_of_a_client(
    redis: Redis, redis_server: EmbeddedRedis, pool: ThreadPoolExecutor
) -> None:
    """It reads and requests the refresh, and reads again when the content is announced."""
    RefreshQueue(redis, QueueLimits()).ask(stale(OTHER))  # the script is known from now on
    with round_trips(redis_server.url) as counted:
        bench = Bench(counted.client)
        waiting = [pool.submit(bench.lookup.get, USER, REQUESTER) for _ in range(20)]
        bench.let_wait(USER)
        entry = store_entry(redis, USER, make_entry())
        bench.synchronizer.announced(USER, 1)
        assert all(one.result(PATIENCE).entry == entry for one in waiting)
    assert counted.sent == 2


def test_content_that_came_without_an_announcement_is_found_all_the_same(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    waiting = pool.submit(bench.lookup.get, USER, REQUESTER)
    bench.let_wait(USER)
    store_entry(bench.redis, USER, make_entry())
    assert waiting.result(PATIENCE).served is Served.WAITED


def test_many_who_wait_make_one_job_and_get_one_answer(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    waiting = [pool.submit(bench.lookup.get, USER, REQUESTER) for _ in range(20)]
    bench.let_wait(USER)
    assert queued_names(bench.redis) == [USER.name]
    entry = arrive(bench, USER)
    assert all(one.result(PATIENCE).entry == entry for one in waiting)


def test_a_lost_refresh_is_asked_for_again(bench: Bench, pool: ThreadPoolExecutor) -> None:
    waiting = pool.submit(bench.lookup.get, USER, REQUESTER)
    bench.let_wait(USER)
    bench.redis.flushall()
    bench.waiters.notify_all()
    bench.let_wait(USER)
    assert queued_names(bench.redis) == [USER.name]
    arrive(bench, USER)
    waiting.result(PATIENCE)


def test_what_is_too_large_to_be_held_is_served_all_the_same(
    redis: Redis, pool: ThreadPoolExecutor
) -> None:
    bench = Bench(redis, max_bytes=1)
    waiting = pool.submit(bench.lookup.get, USER, REQUESTER)
    bench.let_wait(USER)
    entry = arrive(bench, USER)
    assert waiting.result(PATIENCE) == Found(entry, Served.WAITED)
    assert bench.lookup.get(USER, REQUESTER) == Found(entry, Served.REDIS)
    assert bench.local.resources() == []


def test_a_failure_that_ends_before_the_wait_does_is_waited_out(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    store_failure(bench.redis, USER, make_failure(retry_at=NOW + PATIENCE - 1))
    waiting = pool.submit(bench.lookup.get, USER, REQUESTER)
    bench.let_wait(USER)
    assert queued_names(bench.redis) == []
    bench.waiters.notify(USER)  # such as by the end of a refresh that failed
    bench.let_wait(USER)
    assert not waiting.done()
    arrive(bench, USER)
    assert waiting.result(PATIENCE).served is Served.WAITED


def test_a_failure_that_is_over_is_tried_again(bench: Bench, pool: ThreadPoolExecutor) -> None:
    store_failure(bench.redis, USER, make_failure(retry_at=NOW + 5))
    waiting = pool.submit(bench.lookup.get, USER, REQUESTER)
    bench.let_wait(USER)
    bench.clock.now = NOW + 5
    bench.waiters.notify(USER)
    bench.let_wait(USER)
    assert queued_names(bench.redis) == [USER.name]
    arrive(bench, USER)
    waiting.result(PATIENCE)


def test_a_miss_displaces_a_refresh_that_nobody_waits_for(
    redis: Redis, pool: ThreadPoolExecutor
) -> None:
    bench = Bench(redis, queue_limits=QueueLimits(queued=1))
    RefreshQueue(redis, QueueLimits()).ask(stale(OTHER))
    waiting = pool.submit(bench.lookup.get, USER, REQUESTER)
    bench.let_wait(USER)
    assert queued_names(redis) == [USER.name]
    arrive(bench, USER)
    waiting.result(PATIENCE)


def test_where_too_many_wait_the_next_is_refused_and_hits_are_not(
    redis: Redis, pool: ThreadPoolExecutor
) -> None:
    bench = Bench(redis, max_waiting=1)
    held = make_entry()
    bench.local.put(ORG, held, NOW)
    waiting = pool.submit(bench.lookup.get, USER, REQUESTER)
    bench.let_wait(USER)
    with pytest.raises(Unavailable):
        bench.lookup.get(OTHER, ANOTHER)
    assert bench.lookup.get(ORG, ANOTHER).entry is held
    for resource in (USER, OTHER):
        arrive(bench, resource)
    waiting.result(PATIENCE)
    assert bench.lookup.get(OTHER, ANOTHER).served is Served.REDIS


def test_every_way_out_gives_its_place_back(redis: Redis) -> None:
    bench = Bench(redis, max_waiting=1, miss_wait=0)
    for _ in range(3):
        with pytest.raises(Unavailable, match="still being fetched"):
            bench.lookup.get(USER, REQUESTER)
    assert bench.lookup.waiting == 0


def test_without_redis_a_miss_is_refused_at_once() -> None:
    bench = Bench(absent_redis())
    with pytest.raises(Unavailable, match=r"The cache's store cannot be reached\."):
        bench.lookup.get(USER, REQUESTER)
    assert not bench.waiters.has_waiter(USER)


@pytest.mark.parametrize(
    ("waiting", "of_client", "refusal"),
    [
        (0, 0, None),
        (99, 74, None),
        (75, 75, Refusal.CLIENT_THREADS),
        (99, 75, Refusal.CLIENT_THREADS),
        (100, 0, Refusal.THREADS),
        (100, 100, Refusal.THREADS),
    ],
)
def test_one_client_may_have_three_quarters_of_the_threads(
    waiting: int, of_client: int, refusal: Refusal | None
) -> None:
    assert WaitLimits(10, 100).refusal(waiting, of_client) is refusal


class TestSeveralClients:
    """Clients that wait for the same resource, or beside each other."""

    def test_a_client_that_joins_brings_its_turn(
        self, bench: Bench, pool: ThreadPoolExecutor
    ) -> None:
        queue = RefreshQueue(bench.redis, QueueLimits())
        for user in USERS:
            queue.ask(waiting(user, CLIENT))
        first = pool.submit(bench.lookup.get, USER, REQUESTER)
        bench.let_wait(USER)
        names = [user.name for user in USERS]
        assert order_of(bench.redis) == [*names, USER.name]
        second = pool.submit(bench.lookup.get, USER, ANOTHER)
        bench.let_wait(USER, ANOTHER.client)
        assert order_of(bench.redis) == [names[0], USER.name, *names[1:]]
        entry = arrive(bench, USER)
        assert [one.result(PATIENCE).entry for one in (first, second)] == [entry] * 2

    @pytest.mark.usefixtures("no_poll")
    def test_a_429_of_one_client_does_not_hit_another_that_waits_for_the_same(
        self, redis: Redis, pool: ThreadPoolExecutor
    ) -> None:
        # A: leads the flight | B: follows | A: is refused | B: leads, and waits
        Key.compared = Semaphore(0)
        resource = Wanted("/users/mona")
        waiters = GatedWaiters()
        bench = Bench(redis, queue_limits=QueueLimits(waiting=1), waiters=waiters)
        RefreshQueue(redis, QueueLimits()).ask(waiting(OTHER, CLIENT))
        refused = pool.submit(bench.lookup.get, resource, REQUESTER)
        assert waiters.leads.wait(PATIENCE)
        served = pool.submit(bench.lookup.get, resource, ANOTHER)
        assert isinstance(refused.exception(PATIENCE), TooMany)
        bench.let_wait(resource, ANOTHER.client)
        assert queued_names(redis) == [OTHER.name, resource.name]
        entry = arrive(bench, resource)
        assert served.result(PATIENCE).entry == entry

    def test_a_client_with_many_threads_leaves_some_to_others(
        self, redis: Redis, pool: ThreadPoolExecutor
    ) -> None:
        bench = Bench(redis, max_waiting=4)
        with occupied(bench, pool, USERS):
            with pytest.raises(TooMany):
                bench.lookup.get(USER, REQUESTER)
            served = pool.submit(bench.lookup.get, USER, ANOTHER)
            bench.let_wait(USER, ANOTHER.client)
            arrive(bench, USER)
            assert served.result(PATIENCE).served is Served.WAITED


class GatedWaiters(Waiters):
    """The first thread that leads a flight begins to wait once another follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.leads = Event()

    @contextmanager
    def waiting_for(self, resource: Resource, client: str) -> Iterator[Waiter]:
        if not self.leads.is_set():
            self.leads.set()
            assert Key.compared.acquire(timeout=PATIENCE)
        with super().waiting_for(resource, client) as waiter:
            yield waiter


@contextmanager
def occupied(bench: Bench, pool: ThreadPoolExecutor, resources: list[Resource]) -> Iterator[None]:
    """One client waits for resources, each in a thread of its own, inside the block."""
    threads = [pool.submit(bench.lookup.get, one, REQUESTER) for one in resources]
    try:
        for one in resources:
            bench.let_wait(one)
        yield
    finally:
        for one in resources:
            arrive(bench, one)
        for thread in threads:
            thread.result(PATIENCE)


def set_pace(redis: Redis, seconds: float) -> None:
    """A refresher with one slot takes so many seconds for a refresh."""
    redis.hset(keys.PACE, mapping={"slots": 1, "seconds": seconds})


def threads(redis: Redis) -> Bench:
    return Bench(redis, max_waiting=0)


def client_waits(redis: Redis) -> Bench:
    set_pace(redis, 2.5)
    RefreshQueue(redis, QueueLimits()).ask(waiting(OTHER, CLIENT))
    return Bench(redis, queue_limits=QueueLimits(waiting=1))


def timed_out(redis: Redis) -> Bench:
    """The refresh takes 10 s; 7 s after it was requested, the time of the wait is up."""
    set_pace(redis, 5)
    seconds = iter([0.0] * 5 + [7.0] * 4)
    return Bench(redis, miss_wait=6, stopwatch=lambda: next(seconds))


def too_late(redis: Redis) -> Bench:
    """One is before it: two jobs of 20 s until the turn, and 20 s of its own."""
    RefreshQueue(redis, QueueLimits()).ask(waiting(OTHER, ANOTHER.client))
    set_pace(redis, 20)
    return Bench(redis, miss_wait=10)


def queue_full(redis: Redis) -> Bench:
    RefreshQueue(redis, QueueLimits()).ask(waiting(OTHER, ANOTHER.client))
    return Bench(redis, queue_limits=QueueLimits(queued=1))


def suspended(redis: Redis) -> Bench:
    suspend(redis)
    return Bench(redis)


def failing(redis: Redis) -> Bench:
    store_failure(redis, USER, make_failure(retry_at=NOW + PATIENCE + 29.5))
    return Bench(redis)


def budget_spent(redis: Redis) -> Bench:
    spent = make_failure(kind=FailureKind.RATE_LIMITED, retry_at=NOW + PATIENCE + 29.5)
    store_failure(redis, USER, spent)
    return Bench(redis)


def store_away(redis: Redis) -> Bench:
    return Bench(absent_redis())


def store_refuses(redis: Redis) -> Bench:
    redis.set(keys.PLACES, "damaged")
    return Bench(redis)


class Refused(NamedTuple):
    """What a refused request gets.

    Args:
        arrange: makes the reader process that refuses it.
        status: HTTP status.
        retry_after: value of `Retry-After`.
    """

    arrange: Callable[[Redis], Bench]
    status: int
    retry_after: str


REFUSALS = {
    Refusal.THREADS: Refused(threads, 503, "1"),
    # Two jobs of 2.5 s until the turn, and 2.5 s of its own: 7.5.
    Refusal.CLIENT_WAITS: Refused(client_waits, 429, "8"),
    # Its own refresh is the next, and both estimates are 5 s.
    Refusal.TIMED_OUT: Refused(timed_out, 503, "3"),
    Refusal.TOO_LATE: Refused(too_late, 503, "60"),
    Refusal.QUEUE_FULL: Refused(queue_full, 503, "5"),
    Refusal.SUSPENDED: Refused(suspended, 503, "60"),
    Refusal.FAILING: Refused(failing, 503, "60"),
    Refusal.BUDGET_SPENT: Refused(budget_spent, 429, "60"),
    Refusal.STORE_AWAY: Refused(store_away, 503, "1"),
    Refusal.STORE_REFUSES: Refused(store_refuses, 503, "5"),
}


def told(waiting: "Future[Found]") -> tuple[int, dict[str, str], Refusal | None]:
    """What a request that got no content was told."""
    error = waiting.exception(PATIENCE)
    assert isinstance(error, ApiError)
    return error.status, error.headers, error.refusal


class TestRefusals:
    """Each refusal has a status and a `Retry-After`, and says its cause."""

    @pytest.mark.parametrize("refusal", REFUSALS)
    def test_has_its_status_and_its_cause(
        self, redis: Redis, pool: ThreadPoolExecutor, refusal: Refusal
    ) -> None:
        expected = REFUSALS[refusal]
        bench = expected.arrange(redis)
        waiting = pool.submit(bench.lookup.get, USER, REQUESTER)
        headers = {"Retry-After": expected.retry_after}
        assert told(waiting) == (expected.status, headers, refusal)
        assert bench.lookup.waiting == 0

    def test_for_want_of_threads_for_one_client(
        self, redis: Redis, pool: ThreadPoolExecutor
    ) -> None:
        bench = Bench(redis, max_waiting=4)
        with occupied(bench, pool, USERS):
            waiting = pool.submit(bench.lookup.get, USER, REQUESTER)
            assert told(waiting) == (429, {"Retry-After": "1"}, Refusal.CLIENT_THREADS)

    def test_are_all_tested(self) -> None:
        assert {*REFUSALS, Refusal.CLIENT_THREADS} == set(Refusal)

    def test_of_a_failure_names_its_reason(self, redis: Redis) -> None:
        bench = failing(redis)
        with pytest.raises(Unavailable, match=r"^GitHub could not be read: GitHub answered 502$"):
            bench.lookup.get(USER, REQUESTER)
        assert queued_names(redis) == []


class TestPaused:
    """While an operator has refreshing paused."""

    def test_what_is_in_redis_is_served_however_stale(self, bench: Bench) -> None:
        suspend(bench.redis)
        entry = store_entry(bench.redis, USER, make_entry(fresh_until=NOW - 1e6))
        assert bench.lookup.get(USER, REQUESTER) == Found(entry, Served.REDIS)

    def test_what_arrives_meanwhile_is_served(self, bench: Bench, pool: ThreadPoolExecutor) -> None:
        """A refresh that was under way when it was paused."""
        waiting = pool.submit(bench.lookup.get, USER, REQUESTER)
        bench.let_wait(USER)
        suspend(bench.redis)
        arrive(bench, USER)
        assert waiting.result(PATIENCE).served is Served.WAITED

    def test_a_pause_ends_a_wait_for_what_is_no_longer_under_way(
        self, bench: Bench, pool: ThreadPoolExecutor
    ) -> None:
        waiting = pool.submit(bench.lookup.get, USER, REQUESTER)
        bench.let_wait(USER)
        suspend(bench.redis)
        bench.waiters.notify(USER)
        assert told(waiting) == (503, {"Retry-After": "60"}, Refusal.SUSPENDED)


def test_a_refresh_is_asked_for_in_the_name_of_the_request(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    store_entry(bench.redis, OTHER, make_entry(fresh_until=NOW))
    bench.lookup.get(OTHER, Requester(CLIENT, "stale-1"))
    bench.clock.now += LOCAL_TTL
    bench.local.put(ORG, make_entry(fresh_until=NOW), NOW)
    bench.lookup.get(ORG, Requester(CLIENT, "due-1"))
    waiting = pool.submit(bench.lookup.get, USER, Requester(CLIENT, "miss-1"))
    bench.let_wait(USER)
    bench.synchronizer.check_due()
    jobs = Queue(QUEUE, connection=bench.redis, serializer=JSONSerializer).jobs
    assert {str(job.args[0]): job.meta.get(REQUEST_ID) for job in jobs} == {
        OTHER.name: "stale-1",
        ORG.name: "due-1",
        USER.name: "miss-1",
    }
    arrive(bench, USER)
    waiting.result(PATIENCE)


def test_who_waits_is_counted_for_as_long_as_it_waits(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    assert bench.lookup.waiting == 0
    waiting = pool.submit(bench.lookup.get, USER, REQUESTER)
    bench.let_wait(USER)
    assert bench.lookup.waiting == 1
    arrive(bench, USER)
    waiting.result(PATIENCE)
    assert bench.lookup.waiting == 0
