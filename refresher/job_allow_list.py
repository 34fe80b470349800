"""The functions that jobs may call. RQ calls no other function.

By itself RQ calls any function that a job names, with any arguments, runs its callbacks, and posts
to its webhooks. So a process that may enqueue jobs could run any code in the refreshers, which hold
GitHub's credentials and may write entries. Readers may enqueue jobs, and are exposed to the world.
"""

from collections.abc import Callable
from typing import Any, Never

from rq.job import Job

from refresher import jobs
from shared.queueing import FORGET_JOB, JOB

PERMITTED: dict[str, Callable[..., str]] = {JOB: jobs.refresh, FORGET_JOB: jobs.forget}


class NotPermittedError(Exception):
    """A job names a function that it may not call."""


def restrict(job_class: type[Job] = Job) -> None:
    """Let RQ's jobs call only `PERMITTED`, in this process and in those forked from it.

    RQ's configuration cannot name a job class, so the class that RQ uses is changed.
    """
    for name, value in (
        ("func", _permitted),
        ("success_callback", _none),
        ("failure_callback", _none),
        ("stopped_callback", _none),
        ("webhooks", _no_webhooks),
    ):
        setattr(job_class, name, property(value, _ignored))


def _permitted(job: Job) -> Callable[..., str]:
    function = PERMITTED.get(str(job.func_name))
    if function is None or job.instance is not None:
        raise NotPermittedError("this job calls a function that jobs may not call")
    return function


def _none(job: Job) -> None:
    """No callback, in RQ's terms."""


def _no_webhooks(job: Job) -> list[Never]:  # noqa: ARG001
    return []


def _ignored(job: Job, value: Any) -> None:
    """Ignore what RQ sets after it read a job."""
