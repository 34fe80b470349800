"""What a job may call: the functions that refreshers offer, and nothing else.

RQ calls whatever function a job names, with whatever arguments, and calls back and posts where it
says. Who may put jobs in the queue could so run any code in the refreshers, which hold GitHub's
credentials and may write entries; readers may put jobs in the queue, and face the world.
"""

from collections.abc import Callable
from typing import Any, Never

from rq.job import Job

from refresher import jobs
from shared.queueing import FORGET_JOB, JOB

PERMITTED: dict[str, Callable[..., str]] = {JOB: jobs.refresh, FORGET_JOB: jobs.forget}


class NotPermittedError(Exception):
    """A job asks for something that is not offered."""


def restrict(job_class: type[Job] = Job) -> None:
    """Have RQ's jobs call nothing but `PERMITTED`, in this process and those forked from it.

    RQ takes no class of jobs from its configuration, so the class that it uses is changed.
    """
    for name, answer in (
        ("func", _permitted),
        ("success_callback", _none),
        ("failure_callback", _none),
        ("stopped_callback", _none),
        ("webhooks", _no_webhooks),
    ):
        setattr(job_class, name, property(answer, _ignored))


def _permitted(job: Job) -> Callable[..., str]:
    function = PERMITTED.get(str(job.func_name))
    if function is None or job.instance is not None:
        raise NotPermittedError("this job calls nothing that refreshers offer")
    return function


def _none(job: Job) -> None:
    """RQ's word for no callback."""


def _no_webhooks(job: Job) -> list[Never]:  # noqa: ARG001
    return []


def _ignored(job: Job, value: Any) -> None:
    """RQ sets what it read of a job; that is not taken."""
