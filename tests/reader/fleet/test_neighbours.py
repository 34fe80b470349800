"""Other programs that use RQ in our database are found."""

from redis import Redis
from rq import Queue, Worker
from rq.serializers import JSONSerializer

from reader.fleet.neighbours import Neighbours, neighbours
from shared.queueing import QueueLimits, RefreshQueue
from tests.builders import on_demand, stale, tracked


def test_our_own_jobs_and_workers_are_no_neighbours(redis: Redis) -> None:
    queue = RefreshQueue(redis, QueueLimits())
    queue.ask(stale(tracked("/orgs/Netflix")))
    queue.force(on_demand("/users/mona"))
    queue.forget(on_demand("/users/mona"))
    ours = Worker(["refresh"], connection=redis, serializer=JSONSerializer)
    ours.register_birth()  # type: ignore[no-untyped-call]
    assert neighbours(redis) == Neighbours([], [], 0)


def test_queues_and_workers_of_others_are_found(redis: Redis) -> None:
    Queue("mail", connection=redis).enqueue_call("mail.send", timeout=60)
    worker = Worker(["mail"], name="w7", connection=redis)
    worker.register_birth()  # type: ignore[no-untyped-call]
    assert neighbours(redis) == Neighbours(["mail"], ["w7"], 0)


def test_jobs_of_others_in_a_queue_of_the_same_name_are_found(redis: Redis) -> None:
    RefreshQueue(redis, QueueLimits()).ask(stale(tracked("/orgs/Netflix")))
    for number in range(3):
        Queue("refresh", connection=redis).enqueue_call("views.refresh", args=[number], timeout=60)
    assert neighbours(redis).jobs == 3
