"""The jobs that RQ runs. Readers know them only by their dotted names."""

import logging
from contextlib import suppress
from logging.config import dictConfig

from redis import RedisError
from rq import get_current_job
from rq.suspension import is_suspended

from refresher.dispatch.hand_on import hand_on
from refresher.lock.refresh_lock import remove_claim
from refresher.process import RefresherProcess, current, is_work_horse
from refresher.refresh import refresh as refresh_resource
from refresher.reporting.reporter import NO_CAUSE, Cause, Ended
from shared.logs import logging_config
from shared.outcomes import RefreshOutcome
from shared.queueing import CLIENT, FORM, REQUEST_ID, QueueLimits, RefreshQueue, resource_id_of
from shared.redis import keys
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource

log = logging.getLogger("refresher")

LEFT = "left"  # for refreshers with other settings
REFUSED = "refused"  # not a resource that may be fetched or forgotten


def refresh(name: str, *, force: bool = False, fresh_after: float | None = None) -> str:
    """Refresh one resource.

    Args:
        name: `Resource.name`.
        force: ask GitHub even if the entry is fresh.
        fresh_after: ask GitHub unless the entry is fresh beyond this Unix time (seconds).

    Returns:
        The outcome, for RQ's own log.
    """
    process = _process()
    resource = _named(name, process.catalogue)
    if resource is None:
        return REFUSED
    if _is_for_others(resource):
        _leave(process)
        return LEFT
    try:
        return _refresh(process, resource, force=force, fresh_after=fresh_after)
    finally:
        if is_work_horse():
            _end_wait(process, resource)
            process.flush()


def _refresh(
    process: RefresherProcess, resource: Resource, *, force: bool, fresh_after: float | None
) -> str:
    context = process.context(resource, _cause())
    # A plain worker that was waiting for a job when refreshing was paused still takes one job.
    if is_work_horse() and is_suspended(process.redis):
        if force:  # readers do not request a forced refresh again
            queue = RefreshQueue(process.redis, QueueLimits.of(process.settings))
            queue.force(resource, request_id=context.reporter.cause.request_id)
        with context.reporter.reporting(resource) as running:
            running.ended = Ended(RefreshOutcome.PAUSED)
        return RefreshOutcome.PAUSED
    return refresh_resource(resource, context, force=force, fresh_after=fresh_after)


def _end_wait(process: RefresherProcess, resource: Resource) -> None:
    """Note that the job's client waits no more; `RefreshWorker` does it for its own jobs."""
    client = _cause().client
    if client is not None:
        with suppress(RedisError):  # the wait ends by itself
            process.redis.zrem(keys.waits(client), resource.id)


def forget(name: str) -> str:
    """Remove an on-demand resource from Redis and, by an announcement, from the readers' memory.

    A tracked one is read anew, without conditions, and served until then.

    Args:
        name: `Resource.name`.

    Returns:
        "forgotten", "refused", "left", or the outcome of the refresh, for RQ's own log.
    """
    process = _process()
    resource = _named(name, process.catalogue)
    if resource is None:
        return REFUSED
    if resource.tracked:
        return refresh(name, force=True)  # its mark says that nothing is to be confirmed
    if _is_for_others(resource):
        _leave(process)
        return LEFT
    process.storage.writer.forget(resource)
    cause = _cause()
    fields = {"resource": name, "job_id": cause.job_id, "request_id": cause.request_id}
    log.info("%s was forgotten", name, extra={"fields": fields})
    return "forgotten"


def _process() -> RefresherProcess:
    """The process's components; sets up logging in a worker started without `rq_config`."""
    process = current()
    if get_current_job() is not None and not log.handlers:
        dictConfig(logging_config(process.settings.log_format))
    return process


def _named(name: str, catalogue: Catalogue) -> Resource | None:
    resource = catalogue.named(name)
    if resource is None:
        log.error("refresh of %r refused: this cache does not fetch it", name[:200])
    return resource


def _is_for_others(resource: Resource) -> bool:
    """Whether the job comes from a process whose settings store the resource in another form.

    During a rolling change of `ORGS`, `TRACK` or `INCLUDE_PRIVATE`, processes with old and new
    settings share a queue. Such a job is not done, but left to a refresher with its settings.
    """
    job = get_current_job()
    form = resource.form if job is None else job.meta.get(FORM, resource.form)
    if form == resource.form:
        return False
    log.info(
        "the refresh of %s is left to refreshers that store it as %s; here it is stored as %s",
        resource.name,
        form,
        resource.form,
    )
    return True


def _leave(process: RefresherProcess) -> None:
    """Hand the job on, and let readers request it again if nobody takes it."""
    job = get_current_job()
    if job is None:
        return
    remove_claim(process.redis, keys.RUNNING + resource_id_of(job.id))
    with suppress(RedisError):  # the readers' next request is enough
        hand_on(process.redis, job)


def _cause() -> Cause:
    job = get_current_job()
    if job is None:
        return NO_CAUSE
    request_id, client = job.meta.get(REQUEST_ID), job.meta.get(CLIENT)
    return Cause(
        job.id,
        None if request_id is None else str(request_id),
        None if client is None else str(client),
    )
