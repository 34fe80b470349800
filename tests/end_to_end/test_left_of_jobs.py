"""What jobs may leave is found, whatever it is: other tests rely on it."""

import pytest
from redis import Redis
from rq import Queue
from rq.executions import Execution
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from shared.queueing import QUEUE, QueueLimits, RefreshQueue
from shared.redis import keys
from tests.builders import on_demand, waiting
from tests.end_to_end.left_of_jobs import left_of_jobs

USER = on_demand("/users/mona")
LIST = f"rq:queue:{QUEUE}"


def test_a_queued_job_is_found_in_each_place(redis: Redis) -> None:
    assert left_of_jobs(redis) == []
    RefreshQueue(redis, QueueLimits()).ask(waiting(USER))
    (job_id,) = Queue(QUEUE, connection=redis).job_ids
    assert sorted(left_of_jobs(redis)) == sorted(
        [
            job_id,
            f"rq:job:{job_id}",
            keys.order("on-demand", "waiting"),
            keys.PLACES,
            keys.bell("on-demand"),
            keys.waits("192.0.2.1"),
            f"{keys.TURNS}on-demand",
        ]
    )


@pytest.mark.parametrize("key", [keys.running(USER), keys.lock(USER)])
def test_a_lock_and_its_mark_are_found(redis: Redis, key: str) -> None:
    redis.set(key, 1)
    assert left_of_jobs(redis) == [key]


def test_a_job_that_a_killed_worker_had_registered_is_not_left(redis: Redis) -> None:
    """RQ's maintenance moves it to the failed ones, which end by themselves."""
    RefreshQueue(redis, QueueLimits()).ask(waiting(USER))
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    (job,) = queue.jobs
    with redis.pipeline() as pipeline:
        job.prepare_for_execution("killed", pipeline=pipeline)
        Execution.create(job, 90, pipeline)
        pipeline.expire(job.key, 100)
        pipeline.execute()
    for key in (LIST, keys.PLACES, keys.bell("on-demand"), f"{keys.TURNS}on-demand"):
        redis.delete(key)
    redis.delete(keys.order("on-demand", "waiting"), keys.waits("192.0.2.1"))
    assert StartedJobRegistry(queue=queue).get_job_ids() == [job.id]
    assert left_of_jobs(redis) == []
