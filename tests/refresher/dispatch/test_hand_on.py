"""Jobs that a refresher leaves alone go round the others once, and are dropped then."""

from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from refresher.dispatch.hand_on import HANDED_ON, hand_on
from refresher.dispatch.take import JobTaker, TakenJob, taken_from
from shared.queue_order import Lane, Priority
from shared.queueing import CLIENT, FORM, QUEUE, Asked, QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.scripts import Batch
from tests.builders import make_settings, on_demand, stale, waiting


def have_refreshers(redis: Redis, number: int) -> None:
    redis.sadd(WORKERS_BY_QUEUE_KEY % QUEUE, *(f"rq:worker:{n}" for n in range(number)))


def take(redis: Redis) -> TakenJob | None:
    batch = Batch(redis)
    JobTaker(redis, make_settings()).add(batch, [(lane, 5) for lane in Lane], most=1)
    jobs = taken_from(batch.execute()[0]).jobs
    return jobs[0] if jobs else None


def fetched(redis: Redis, taken: TakenJob) -> Job:
    return Job.fetch(taken.id, connection=redis, serializer=JSONSerializer)


def test_a_job_is_handed_on_once_for_each_refresher(redis: Redis) -> None:
    have_refreshers(redis, 3)
    RefreshQueue(redis, QueueLimits()).ask(stale(on_demand("/users/mona")))
    for _ in range(3):
        taken = take(redis)
        assert taken is not None
        assert hand_on(redis, fetched(redis, taken))
        assert redis.llen(f"rq:queue:{QUEUE}") == 1
    last = take(redis)
    assert last is not None
    assert fetched(redis, last).meta[HANDED_ON] == 3
    assert not hand_on(redis, fetched(redis, last))
    assert take(redis) is None
    assert redis.hlen(keys.PLACES) == 0


def test_what_is_handed_on_is_the_same_job_and_is_taken_at_once(redis: Redis) -> None:
    have_refreshers(redis, 2)
    resource = on_demand("/users/mona")
    queue = RefreshQueue(redis, QueueLimits())
    queue.ask(waiting(resource))
    taken = take(redis)
    assert taken is not None
    job = fetched(redis, taken)
    redis.delete(keys.running(resource), keys.bell(Lane.TRACKED))
    assert hand_on(redis, job)
    # Readers see that it is under way, and refreshers that sleep are woken.
    assert queue.is_queued(resource)
    assert queue.ask(stale(resource)).asked is Asked.UNDER_WAY
    assert redis.llen(keys.bell(Lane.TRACKED)) == 1
    again = take(redis)
    assert again is not None
    assert (again.lane, again.priority) == (Lane.TRACKED, Priority.INVALIDATED)
    new = fetched(redis, again)
    assert new.id != job.id
    assert (new.func_name, new.args, new.kwargs) == (job.func_name, job.args, job.kwargs)
    assert (new.meta[FORM], new.meta[CLIENT]) == (resource.form, "192.0.2.1")
    assert (new.result_ttl, new.failure_ttl, new.timeout) == (0, job.failure_ttl, job.timeout)


def test_without_registered_refreshers_nothing_is_handed_on(redis: Redis) -> None:
    RefreshQueue(redis, QueueLimits()).ask(stale(on_demand("/users/mona")))
    taken = take(redis)
    assert taken is not None
    assert not hand_on(redis, fetched(redis, taken))
    assert take(redis) is None
