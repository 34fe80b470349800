import json
import re
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import cast

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.on_demand_admission import SHORT_QUEUE
from shared.queueing import QUEUE, Asked, RefreshQueue
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.builders import on_demand, queued_names, tracked

REPOS = tracked("/orgs/Netflix/repos")
USER = on_demand("/users/mona")
OTHER = on_demand("/users/hubot")
LIST = f"rq:queue:{QUEUE}"


@pytest.fixture
def queue(redis: Redis) -> RefreshQueue:
    return RefreshQueue(redis, limit=1000)


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


def fill(redis: Redis, count: int) -> None:
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    for number in range(count):
        queue.enqueue_call("x.y", description=f"refresh /users/u{number}")


def test_a_requested_refresh_is_queued(redis: Redis, queue: RefreshQueue) -> None:
    assert queue.ask(USER) is Asked.QUEUED
    assert queued_names(redis) == ["/users/mona"]


def test_two_requests_within_a_second_make_one_job(redis: Redis, queue: RefreshQueue) -> None:
    assert [queue.ask(USER), queue.ask(USER)] == [Asked.QUEUED, Asked.UNDER_WAY]
    assert queued_names(redis) == ["/users/mona"]


def test_a_queued_job_is_not_doubled_later(
    redis: Redis, queue: RefreshQueue, window_ends: Callable[[], None]
) -> None:
    queue.ask(USER)
    window_ends()
    assert queue.ask(USER) is Asked.UNDER_WAY
    assert queued_names(redis) == ["/users/mona"]


def test_different_resources_do_not_wait_for_each_other(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(USER)
    queue.ask(OTHER)
    assert queued_names(redis) == ["/users/mona", "/users/hubot"]


def test_simultaneous_requests_of_a_fleet_make_one_job(redis: Redis) -> None:
    barrier = Barrier(20)

    def ask(_: int) -> Asked:
        asker = RefreshQueue(redis, limit=1000)
        barrier.wait(10)
        return asker.ask(USER)

    with ThreadPoolExecutor(20) as pool:
        became = Counter(pool.map(ask, range(20)))
    assert became == {Asked.QUEUED: 1, Asked.UNDER_WAY: 19}
    assert queued_names(redis) == ["/users/mona"]


def test_within_the_second_redis_gets_one_command_only(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(USER)
    before = redis.info("stats")["total_commands_processed"]
    queue.ask(USER)
    # The `SET NX` and the `INFO` before it.
    assert redis.info("stats")["total_commands_processed"] - before == 2


def test_the_mark_of_a_request_expires_after_a_second(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(USER)
    assert 0 < redis.pttl(keys.asked(USER)) <= 1000


def test_the_id_of_a_queued_job_expires_after_an_hour(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(USER)
    assert 3590 < redis.ttl(keys.queued(USER)) <= 3600


def test_a_lost_queue_is_healed_by_the_next_request(
    redis: Redis, queue: RefreshQueue, window_ends: Callable[[], None]
) -> None:
    queue.ask(USER)
    redis.delete(LIST)
    window_ends()
    queue.ask(USER)
    assert queued_names(redis) == ["/users/mona"]


def test_a_worker_that_died_before_it_took_the_lock_blocks_no_refresh(
    redis: Redis, queue: RefreshQueue, window_ends: Callable[[], None]
) -> None:
    queue.ask(USER)
    take_next(redis)
    window_ends()
    queue.ask(USER)
    assert queued_names(redis) == ["/users/mona"]


def test_a_reader_that_died_before_its_job_was_queued_blocks_no_refresh(
    redis: Redis, queue: RefreshQueue
) -> None:
    redis.set(keys.queued(USER), "a-job-that-never-was")
    queue.ask(USER)
    assert queued_names(redis) == ["/users/mona"]


def test_an_emptied_redis_blocks_no_refresh(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(USER)
    redis.flushall()
    queue.ask(USER)
    assert queued_names(redis) == ["/users/mona"]


@pytest.mark.parametrize("resource", [USER, REPOS], ids=["on demand", "tracked"])
def test_nothing_is_queued_while_the_lock_is_held(
    redis: Redis, queue: RefreshQueue, window_ends: Callable[[], None], resource: Resource
) -> None:
    redis.set(keys.running(resource), "someone")
    assert queue.ask(resource, urgent=True) is Asked.UNDER_WAY
    assert queued_names(redis) == []
    redis.delete(keys.running(resource))
    window_ends()
    queue.ask(resource)
    assert queued_names(redis) == [resource.name]


def test_the_lock_of_another_resource_does_not_matter(redis: Redis, queue: RefreshQueue) -> None:
    redis.set(keys.running(OTHER), "someone")
    queue.ask(USER)
    assert queued_names(redis) == ["/users/mona"]


def test_a_full_queue_turns_away_on_demand_resources(redis: Redis) -> None:
    queue = RefreshQueue(redis, limit=3)
    fill(redis, 2)
    assert queue.ask(USER) is Asked.QUEUED
    assert queue.ask(OTHER, urgent=True) is Asked.TURNED_AWAY
    assert "/users/hubot" not in queued_names(redis)
    assert len(queued_names(redis)) == 3


def test_a_full_queue_takes_tracked_resources(redis: Redis) -> None:
    queue = RefreshQueue(redis, limit=3)
    fill(redis, 3)
    assert queue.ask(REPOS) is Asked.QUEUED
    assert queued_names(redis)[0] == "/orgs/Netflix/repos"


def test_a_refresh_without_a_waiting_client_goes_to_the_end(
    redis: Redis, queue: RefreshQueue
) -> None:
    fill(redis, 1)
    queue.ask(USER)
    assert queued_names(redis) == ["/users/u0", "/users/mona"]


def test_a_refresh_with_a_waiting_client_goes_to_the_front_of_a_short_queue(
    redis: Redis, queue: RefreshQueue
) -> None:
    fill(redis, SHORT_QUEUE - 1)
    queue.ask(USER, urgent=True)
    assert queued_names(redis)[0] == "/users/mona"


def test_in_a_long_queue_no_on_demand_refresh_overtakes(redis: Redis, queue: RefreshQueue) -> None:
    fill(redis, SHORT_QUEUE)
    queue.ask(USER, urgent=True)
    assert queued_names(redis)[-1] == "/users/mona"


def test_a_tracked_resource_goes_to_the_front_of_any_queue(
    redis: Redis, queue: RefreshQueue
) -> None:
    fill(redis, SHORT_QUEUE + 1)
    queue.ask(REPOS)
    assert queued_names(redis)[0] == "/orgs/Netflix/repos"


def test_a_job_calls_the_refresher_by_its_dotted_name(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(REPOS)
    job = take_next(redis)
    assert job.func_name == "refresher.jobs.refresh"
    assert list(job.args) == ["/orgs/Netflix/repos"]
    assert job.kwargs == {}
    assert job.description == "refresh /orgs/Netflix/repos"


def test_a_job_has_a_time_limit_and_expires(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(USER)
    job = take_next(redis)
    assert (job.timeout, job.result_ttl, job.failure_ttl) == (900, 0, 600)


def test_a_job_is_stored_as_json_and_never_as_pickle(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(USER)
    job_id = cast(list[bytes], redis.lrange(LIST, 0, -1))[0].decode()
    data = cast(bytes, redis.hget(f"rq:job:{job_id}", "data"))
    stored = json.loads(zlib.decompress(data))
    assert stored == ["refresher.jobs.refresh", None, ["/users/mona"], {}]


def test_a_job_has_an_id_that_rq_allows_and_that_no_other_job_has(
    redis: Redis, queue: RefreshQueue, window_ends: Callable[[], None]
) -> None:
    queue.ask(USER)
    first = take_next(redis).id
    window_ends()
    queue.ask(USER)
    second = take_next(redis).id
    assert first != second
    assert re.fullmatch(r"[A-Za-z0-9_-]+", first)


def test_a_refresh_ahead_carries_the_freshness_to_exceed(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(REPOS, fresh_after=1_800_000_000.25)
    job = take_next(redis)
    assert job.args == [REPOS.name]
    assert job.kwargs == {"fresh_after": 1_800_000_000.25}


def test_any_other_refresh_has_no_such_condition(redis: Redis, queue: RefreshQueue) -> None:
    queue.ask(REPOS)
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
