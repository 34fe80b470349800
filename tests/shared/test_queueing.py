import json
import re
import time
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import cast

import pytest
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.suspension import suspend

from scripts.embedded_redis import EmbeddedRedis
from shared.queue_order import Lane, Priority
from shared.queueing import QUEUE, Asked, QueueLimits, RefreshQueue, RefreshRequest
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.builders import on_demand, order_of, queued_names, stale, tracked, waiting
from tests.round_trips import round_trips

REPOS = tracked("/orgs/Netflix/repos")
USER = on_demand("/users/mona")
OTHER = on_demand("/users/hubot")
LIST = f"rq:queue:{QUEUE}"


@pytest.fixture
def queue(redis: Redis) -> RefreshQueue:
    return RefreshQueue(redis, QueueLimits())


@pytest.fixture
def window_ends(redis: Redis) -> Callable[[], None]:
    """The second passes in which only the first request counts."""

    def end() -> None:
        for key in redis.scan_iter(keys.asked(USER).replace(USER.id, "*")):
            redis.delete(key)

    return end


def take_next(redis: Redis) -> Job:
    """Take a job from the queue, as a worker does first."""
    job_id = cast(bytes, redis.lpop(LIST)).decode()
    return Job.fetch(job_id, connection=redis, serializer=JSONSerializer)


def user(number: int) -> Resource:
    return on_demand(f"/users/u{number}")


@pytest.mark.parametrize("damage", [b"", b"x", b"nan", b"\xff", b"9" * 400])
def test_a_damaged_counter_of_turns_refuses_nobody(
    redis: Redis, queue: RefreshQueue, damage: bytes
) -> None:
    redis.set(f"{keys.TURNS}{Lane.ON_DEMAND}:count", damage)
    assert [queue.ask(waiting(user(n))).asked for n in range(2)] == [Asked.QUEUED] * 2


def test_a_requested_refresh_is_queued(redis: Redis, queue: RefreshQueue) -> None:
    assert queue.ask(stale(USER)).asked is Asked.QUEUED
    assert queued_names(redis) == ["/users/mona"]


def test_two_requests_within_a_second_make_one_job(redis: Redis, queue: RefreshQueue) -> None:
    assert [queue.ask(stale(USER)).asked, queue.ask(stale(USER)).asked] == [
        Asked.QUEUED,
        Asked.UNDER_WAY,
    ]
    assert queued_names(redis) == ["/users/mona"]


def test_a_queued_job_is_not_doubled_later(
    redis: Redis, queue: RefreshQueue, window_ends: Callable[[], None]
) -> None:
    queue.ask(stale(USER))
    window_ends()
    assert queue.ask(stale(USER)).asked is Asked.UNDER_WAY
    assert queued_names(redis) == ["/users/mona"]


def test_different_resources_do_not_wait_for_each_other(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(stale(USER))
    queue.ask(stale(OTHER))
    assert queued_names(redis) == ["/users/mona", "/users/hubot"]


def test_simultaneous_requests_of_a_fleet_make_one_job(redis: Redis) -> None:
    barrier = Barrier(20)

    def ask(_: int) -> Asked:
        asker = RefreshQueue(redis, QueueLimits())
        barrier.wait(60)
        return asker.ask(stale(USER)).asked

    with ThreadPoolExecutor(20) as pool:
        became = Counter(pool.map(ask, range(20)))
    assert became == {Asked.QUEUED: 1, Asked.UNDER_WAY: 19}
    assert queued_names(redis) == ["/users/mona"]


@pytest.mark.parametrize("count", [1, 10])
def test_requests_take_one_round_trip(
    redis: Redis, redis_server: EmbeddedRedis, queue: RefreshQueue, count: int
) -> None:
    queue.ask(stale(OTHER))  # the script is known from now on
    requests = [stale(on_demand(f"/users/u{number}")) for number in range(count)]
    with round_trips(redis_server.url) as counted:
        RefreshQueue(counted.client, QueueLimits()).ask_all(requests)
    assert counted.sent == 1
    assert len(queued_names(redis)) == count + 1


def test_the_mark_of_a_request_expires_after_a_second(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(stale(USER))
    left = redis.pttl(keys.asked(USER))
    assert left == -2 or 0 <= left <= 1000  # on a busy machine the second may be over


def test_the_id_of_a_queued_job_expires_after_an_hour(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(stale(USER))
    assert 3500 < redis.ttl(keys.queued(USER)) <= 3600


def test_a_lost_queue_is_healed_by_the_next_request(
    redis: Redis, queue: RefreshQueue, window_ends: Callable[[], None]
) -> None:
    queue.ask(stale(USER))
    redis.delete(LIST)
    window_ends()
    queue.ask(stale(USER))
    assert queued_names(redis) == ["/users/mona"]


def test_a_worker_that_died_before_it_took_the_lock_blocks_no_refresh(
    redis: Redis, queue: RefreshQueue, window_ends: Callable[[], None]
) -> None:
    queue.ask(stale(USER))
    take_next(redis)
    window_ends()
    queue.ask(stale(USER))
    assert queued_names(redis) == ["/users/mona"]


def test_a_reader_that_died_before_its_job_was_queued_blocks_no_refresh(
    redis: Redis, queue: RefreshQueue
) -> None:
    redis.set(keys.queued(USER), "a-job-that-never-was")
    queue.ask(stale(USER))
    assert queued_names(redis) == ["/users/mona"]


def test_an_emptied_redis_blocks_no_refresh(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(stale(USER))
    redis.flushall()
    queue.ask(stale(USER))
    assert queued_names(redis) == ["/users/mona"]


@pytest.mark.parametrize("resource", [USER, REPOS], ids=["on demand", "tracked"])
def test_nothing_is_queued_while_the_lock_is_held(
    redis: Redis, queue: RefreshQueue, window_ends: Callable[[], None], resource: Resource
) -> None:
    redis.set(keys.running(resource), "someone")
    assert queue.ask(waiting(resource)).asked is Asked.UNDER_WAY
    assert queued_names(redis) == []
    redis.delete(keys.running(resource))
    window_ends()
    queue.ask(stale(resource))
    assert queued_names(redis) == [resource.name]


def test_the_lock_of_another_resource_does_not_matter(redis: Redis, queue: RefreshQueue) -> None:
    redis.set(keys.running(OTHER), "someone")
    queue.ask(stale(USER))
    assert queued_names(redis) == ["/users/mona"]


class TestAdmission:
    """On-demand refreshes are bounded in number, and by what a client waits for."""

    def test_a_full_queue_turns_away_on_demand_resources(self, redis: Redis) -> None:
        queue = RefreshQueue(redis, QueueLimits(queued=2))
        assert [queue.ask(stale(user(number))).asked for number in range(3)] == [
            *(Asked.QUEUED, Asked.QUEUED, Asked.TURNED_AWAY)
        ]
        assert queued_names(redis) == ["/users/u0", "/users/u1"]

    def test_a_full_queue_takes_tracked_resources(self, redis: Redis) -> None:
        queue = RefreshQueue(redis, QueueLimits(queued=1))
        queue.ask(stale(USER))
        assert queue.ask(stale(REPOS)).asked is Asked.QUEUED

    def test_something_less_urgent_makes_room_in_a_full_queue(self, redis: Redis) -> None:
        queue = RefreshQueue(redis, QueueLimits(queued=2))
        queue.ask(stale(user(0)))
        queue.ask(RefreshRequest(user(1), Priority.AHEAD, due=5))
        assert queue.ask(waiting(USER)).asked is Asked.QUEUED
        assert order_of(redis) == ["/users/mona", "/users/u0"]
        assert queue.ask(waiting(OTHER)).asked is Asked.QUEUED
        assert order_of(redis) == ["/users/mona", "/users/hubot"]
        assert queue.ask(waiting(user(2))).asked is Asked.TURNED_AWAY
        assert queue.length() == 2

    def test_in_a_full_queue_the_oldest_content_stays(self, redis: Redis) -> None:
        queue = RefreshQueue(redis, QueueLimits(queued=2))
        for number, due in enumerate((300.0, 100.0, 200.0, 400.0)):
            queue.ask(RefreshRequest(user(number), Priority.STALE, due=due))
        assert order_of(redis) == ["/users/u1", "/users/u2"]

    def test_a_client_waits_for_so_many_resources_and_no_more(self, redis: Redis) -> None:
        queue = RefreshQueue(redis, QueueLimits(waiting=2))
        asked = [queue.ask(waiting(user(number), "192.0.2.1")).asked for number in range(3)]
        assert asked == [Asked.QUEUED, Asked.QUEUED, Asked.TOO_MANY]
        assert queue.ask(waiting(user(2), "192.0.2.2")).asked is Asked.QUEUED

    def test_a_client_that_waits_for_what_is_queued_already_is_not_counted(
        self, redis: Redis
    ) -> None:
        queue = RefreshQueue(redis, QueueLimits(waiting=1))
        queue.ask(waiting(USER, "192.0.2.1"))
        assert queue.ask(waiting(USER, "192.0.2.2")).asked is Asked.UNDER_WAY
        assert queue.ask(waiting(OTHER, "192.0.2.2")).asked is Asked.QUEUED

    def test_the_waits_of_a_client_end_by_themselves(self, redis: Redis) -> None:
        queue = RefreshQueue(redis, QueueLimits(waiting=1, miss_wait=0.2))
        queue.ask(waiting(USER))
        assert queue.ask(waiting(OTHER)).asked is Asked.TOO_MANY
        time.sleep(0.25)
        assert queue.ask(waiting(OTHER)).asked is Asked.QUEUED

    def test_nobody_waits_while_an_operator_has_paused_refreshing(
        self, redis: Redis, queue: RefreshQueue
    ) -> None:
        suspend(redis)
        assert queue.ask(waiting(USER)).asked is Asked.SUSPENDED
        assert queue.ask(stale(REPOS)).asked is Asked.QUEUED

    def test_a_refresh_that_runs_is_waited_for_in_a_pause(
        self, redis: Redis, queue: RefreshQueue
    ) -> None:
        suspend(redis)
        redis.set(keys.running(USER), 1)
        assert queue.ask(waiting(USER)).asked is Asked.UNDER_WAY


class TestTheEstimate:
    """A client whose turn comes too late learns so at once, and when to come back."""

    @staticmethod
    def set_pace(redis: Redis, *, slots: int, seconds: float) -> None:
        redis.hset(keys.PACE, mapping={"slots": slots, "seconds": seconds})

    def test_is_the_queue_before_it_by_the_measured_pace(
        self, redis: Redis, queue: RefreshQueue
    ) -> None:
        self.set_pace(redis, slots=4, seconds=2.0)
        seconds = [queue.ask(waiting(user(number))).seconds for number in range(9)]
        assert seconds[0] == pytest.approx(1 / 4 * 2 + 2)
        assert seconds[8] == pytest.approx(9 / 4 * 2 + 2)

    def test_turns_away_a_client_whose_turn_comes_after_its_patience(self, redis: Redis) -> None:
        queue = RefreshQueue(redis, QueueLimits(miss_wait=3))
        self.set_pace(redis, slots=1, seconds=2.0)
        assert queue.ask(waiting(user(0))).asked is Asked.QUEUED
        late = queue.ask(waiting(user(1)))
        assert late.asked is Asked.TOO_LATE
        assert late.seconds == pytest.approx(2 * 2 + 2)
        # Another client's first miss comes in the first round, at the same time as this one's.
        assert queue.length() == 1

    def test_counts_the_turns_of_other_clients_that_came_before(
        self, redis: Redis, queue: RefreshQueue
    ) -> None:
        self.set_pace(redis, slots=1, seconds=0.5)
        clients = [f"192.0.2.{number}" for number in range(5)]
        asked = [queue.ask(waiting(user(at), one)) for at, one in enumerate(clients)]
        assert [one.seconds for one in asked] == pytest.approx([1.0, 1.5, 2.0, 2.5, 3.0])

    def test_a_slow_github_turns_nobody_away(self, redis: Redis) -> None:
        queue = RefreshQueue(redis, QueueLimits(miss_wait=3))
        self.set_pace(redis, slots=40, seconds=20.0)
        asked, seconds = queue.ask(waiting(USER))
        assert asked is Asked.QUEUED
        assert seconds == pytest.approx(20.5)

    @pytest.mark.parametrize("stored", ["1e308", "nan", "-5", "", "x" * 300])
    def test_admits_the_next_job_whatever_the_pace_was(self, redis: Redis, stored: str) -> None:
        queue = RefreshQueue(redis, QueueLimits(miss_wait=3))
        redis.hset(keys.PACE, mapping={"slots": stored, "seconds": stored})
        asked, seconds = queue.ask(waiting(USER))
        assert asked is Asked.QUEUED
        assert 0 <= seconds <= 1200

    def test_counts_the_points_of_the_minute(self, redis: Redis) -> None:
        limits = QueueLimits(points_per_minute=60, reserve=0.5, miss_wait=10)
        queue = RefreshQueue(redis, limits)
        self.set_pace(redis, slots=40, seconds=0.2)
        now = float(redis.time()[0])
        redis.hset(keys.POINTS, mapping={"tracked": 30, "on-demand": 2, "at": now})
        began = time.monotonic()
        seconds = [queue.ask(waiting(user(number))).seconds for number in range(6)]
        took = time.monotonic() - began  # in which points come back
        assert seconds[:2] == [pytest.approx(0.2, abs=0.1)] * 2
        # Half a point a second is for on-demand content.
        assert -2.5 - took < seconds[5] - (4 / 0.5 + 0.2) < 2.5


class TestWithPlainWorkersOnly:
    """RQ's own workers take jobs from the list, and leave the order as it was."""

    def test_the_order_holds_only_what_is_queued(self, redis: Redis, queue: RefreshQueue) -> None:
        for number in range(10):
            queue.ask(waiting(user(number), f"192.0.2.{number}"))
            queue.ask(stale(user(100 + number)))
            take_next(redis)
            take_next(redis)
        queue.ask(stale(USER))
        assert order_of(redis) == ["/users/mona"]
        assert redis.hlen(keys.PLACES) == 1
        assert not redis.exists(f"{keys.TURNS}on-demand")

    def test_clients_who_were_served_are_forgotten_even_if_the_queue_is_never_empty(
        self, redis: Redis, queue: RefreshQueue
    ) -> None:
        queue.ask(waiting(USER, "192.0.2.200"))
        for number in range(10):
            queue.ask(waiting(user(number), f"192.0.2.{number}"))
            take_next(redis)
        assert redis.zcard(f"{keys.TURNS}on-demand") <= 4

    def test_what_they_took_fills_no_queue(self, redis: Redis) -> None:
        queue = RefreshQueue(redis, QueueLimits(queued=2))
        for number in range(5):
            assert queue.ask(waiting(user(number))).asked is Asked.QUEUED
            take_next(redis)

    def test_what_they_took_counts_in_no_estimate(self, redis: Redis, queue: RefreshQueue) -> None:
        redis.hset(keys.PACE, mapping={"slots": 1, "seconds": 2.0})
        for number in range(5):
            assert queue.ask(waiting(user(number))).seconds == pytest.approx(4)
            take_next(redis)


class TestTurns:
    """Clients take turns by address; each is served first come, first served."""

    def test_a_client_with_many_misses_does_not_keep_others_waiting(
        self, redis: Redis, queue: RefreshQueue
    ) -> None:
        for number in range(5):
            queue.ask(waiting(user(number), "192.0.2.1"))
        queue.ask(waiting(USER, "192.0.2.2"))
        queue.ask(waiting(OTHER, "192.0.2.3"))
        assert order_of(redis) == [
            *("/users/u0", "/users/mona", "/users/hubot"),
            *("/users/u1", "/users/u2", "/users/u3", "/users/u4"),
        ]

    def test_a_second_client_brings_its_better_turn(
        self, redis: Redis, queue: RefreshQueue
    ) -> None:
        for number in range(3):
            queue.ask(waiting(user(number), "192.0.2.1"))
        assert queue.ask(waiting(user(2), "192.0.2.2")).asked is Asked.UNDER_WAY
        assert order_of(redis) == ["/users/u0", "/users/u2", "/users/u1"]

    def test_a_client_that_begins_to_wait_moves_a_queued_refresh_up(
        self, redis: Redis, queue: RefreshQueue
    ) -> None:
        queue.ask(stale(OTHER))
        queue.ask(stale(USER))
        queue.ask(waiting(USER))
        assert order_of(redis) == ["/users/mona", "/users/hubot"]

    def test_priorities_come_in_their_order(self, redis: Redis, queue: RefreshQueue) -> None:
        for number, priority in enumerate(reversed(Priority)):
            queue.ask(RefreshRequest(user(number), priority, client="192.0.2.1"))
        assert order_of(redis) == [f"/users/u{number}" for number in (4, 3, 2, 1, 0)]


def test_a_job_calls_the_refresher_by_its_dotted_name(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(stale(REPOS))
    job = take_next(redis)
    assert job.func_name == "refresher.jobs.refresh"
    assert list(job.args) == ["/orgs/Netflix/repos"]
    assert job.kwargs == {}
    assert job.description == "refresh /orgs/Netflix/repos"


def test_a_job_has_a_time_limit_and_expires(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(stale(USER))
    job = take_next(redis)
    assert (job.timeout, job.result_ttl, job.failure_ttl) == (900, 0, 600)


def test_a_job_is_stored_as_json_and_never_as_pickle(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(stale(USER))
    job_id = cast(list[bytes], redis.lrange(LIST, 0, -1))[0].decode()
    data = cast(bytes, redis.hget(f"rq:job:{job_id}", "data"))
    stored = json.loads(zlib.decompress(data))
    assert stored == ["refresher.jobs.refresh", None, ["/users/mona"], {}]


def test_a_job_has_an_id_that_rq_allows_and_that_no_other_job_has(
    redis: Redis, queue: RefreshQueue, window_ends: Callable[[], None]
) -> None:
    queue.ask(stale(USER))
    first = take_next(redis).id
    window_ends()
    queue.ask(stale(USER))
    second = take_next(redis).id
    assert first != second
    assert re.fullmatch(r"[A-Za-z0-9_-]+", first)


def test_a_refresh_ahead_carries_the_freshness_to_exceed(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(RefreshRequest(REPOS, Priority.AHEAD, fresh_after=1_800_000_000.25))
    job = take_next(redis)
    assert job.args == [REPOS.name]
    assert job.kwargs == {"fresh_after": 1_800_000_000.25}


def test_any_other_refresh_has_no_such_condition(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(stale(REPOS))
    assert take_next(redis).kwargs == {}


@pytest.mark.parametrize("is_running", [False, True])
def test_a_forced_refresh_invalidates_until_a_refresh_has_handled_it(
    redis: Redis, queue: RefreshQueue, *, is_running: bool
) -> None:
    if is_running:
        redis.set(keys.running(USER), "somebody, who began before")
    became = queue.force(USER)
    assert became is (Asked.UNDER_WAY if is_running else Asked.QUEUED)
    assert Store(redis).state(USER).invalidated_by is not None
    assert queued_names(redis) == ([] if is_running else ["/users/mona"])
