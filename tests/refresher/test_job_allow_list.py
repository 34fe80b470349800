"""Jobs may call only the functions on the allow list."""

import json

import pytest
from redis import Redis
from rq import Callback
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.webhook import Webhook

from refresher import jobs
from refresher.job_allow_list import NotPermittedError, restrict
from shared.queueing import FORGET_JOB, JOB


class Restricted(Job):
    """RQ's job, restricted."""


restrict(Restricted)


def stored(redis: Redis, function: str, **options: object) -> Restricted:
    """A job with any function, as a worker finds it in the queue."""
    job = Job.create(function, connection=redis, serializer=JSONSerializer, **options)  # type: ignore[arg-type]
    job.save()
    return fetched(redis, job)


def fetched(redis: Redis, job: Job) -> Restricted:
    """The same job, read from Redis."""
    found = Restricted.fetch(job.id, connection=redis, serializer=JSONSerializer)
    assert isinstance(found, Restricted)
    return found


def test_what_refreshers_offer_is_called(redis: Redis) -> None:
    assert stored(redis, JOB).func is jobs.refresh
    assert stored(redis, FORGET_JOB).func is jobs.forget


@pytest.mark.parametrize(
    "name", ["os.system", "refresher.jobs.current", "refresher.jobs.refresh.__call__", "print"]
)
def test_nothing_else_is(redis: Redis, name: str) -> None:
    job = stored(redis, name)
    with pytest.raises(NotPermittedError):
        _ = job.func


def test_no_method_of_anything_is(redis: Redis) -> None:
    job = stored(redis, JOB)
    job.data = json.dumps([JOB, "an instance", [], {}]).encode()
    job.save()
    found = fetched(redis, job)
    with pytest.raises(NotPermittedError):
        _ = found.func


def test_nobody_is_called_back_and_nothing_is_posted(redis: Redis) -> None:
    calls = dict.fromkeys(("on_success", "on_failure", "on_stopped"), Callback("os.getcwd"))
    job = stored(redis, JOB, **calls, webhooks=[Webhook("http://127.0.0.1:1/", "failed")])
    assert (job.success_callback, job.failure_callback, job.stopped_callback) == (None,) * 3
    assert job.webhooks == []
