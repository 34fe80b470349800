"""What RQ's tools are shown of jobs is deleted when they end, whatever became of them."""

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from refresher.dispatch.job_records import JobRecords, RunningJob
from refresher.dispatch.take import TakenJob
from shared.clock import Clock
from shared.queue_order import Lane, Priority
from shared.queueing import QUEUE, QueueLimits, RefreshQueue
from shared.redis.scripts import Batch
from tests.builders import waiting
from tests.refresher.workbench import ORG

LONG = 5.0  # seconds after which a job counts as long


class Records:
    """The records of a worker at a clock that tests move."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._seconds = 0.0
        clock = Clock(now=lambda: 0.0, monotonic=lambda: self._seconds, sleep=lambda _: None)
        self._queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
        worker = SimpleWorker([self._queue], connection=redis, name="tested")
        self.records = JobRecords(worker, clock=clock)

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self._seconds += seconds

    def begin(self) -> RunningJob:
        """Take a job of the queue, as the script does."""
        RefreshQueue(self._redis, QueueLimits()).ask(waiting(ORG))
        (job_id,) = self._queue.job_ids
        self._redis.delete(self._queue.key)
        job = Job.fetch(job_id, connection=self._redis, serializer=JSONSerializer)
        self._redis.expire(job.key, 100)
        taken = TakenJob(job_id, Lane.TRACKED, Priority.WAITING, 0.0, {})
        return self.records.begin(taken, job)

    def tick(self) -> None:
        """What a worker does once a second."""
        with self._redis.pipeline(transaction=False) as pipeline:
            written = self.records.add_registrations(pipeline)
            pipeline.execute()
        written()

    def write(self) -> None:
        """What a worker does when it takes jobs."""
        batch = Batch(self._redis)
        written = self.records.add(batch)
        batch.execute()
        written()

    def left(self) -> set[str]:
        """The keys that tell of jobs."""
        of_jobs = [*self._redis.scan_iter("rq:job:*"), *self._redis.scan_iter("rq:exec*")]
        return {key.decode() for key in [*of_jobs, *self._redis.scan_iter("rq:wip:*")]}


@pytest.fixture
def records(redis: Redis) -> Records:
    return Records(redis)


def test_a_long_job_that_loses_redis_is_not_shown_as_running(records: Records) -> None:
    running = records.begin()
    records.pass_time(LONG)
    records.tick()
    assert records.left()
    records.records.abandon(running)
    records.write()
    assert records.left() == set()


@pytest.mark.parametrize("ended", ["abandoned", "succeeded"])
def test_what_could_not_be_deleted_is_deleted_later(records: Records, ended: str) -> None:
    running = records.begin()
    if ended == "abandoned":
        records.records.abandon(running)
    else:
        records.records.end(running)
    records.records.add(Batch(Redis()))  # Redis goes away: it is never sent
    records.write()
    assert records.left() == set()


def test_a_record_that_is_written_after_the_job_was_deleted_ends_by_itself(
    redis: Redis, records: Records
) -> None:
    """The worker is killed before it deletes it again."""
    running = records.begin()
    records.pass_time(LONG)
    with redis.pipeline(transaction=False) as pipeline:
        records.records.add_registrations(pipeline)
        redis.delete(running.job.key)
        pipeline.execute()
    assert redis.ttl(running.job.key) > 0
