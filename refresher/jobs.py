"""What RQ runs. The readers know these functions by their dotted names only."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from logging.config import dictConfig

from redis import Redis
from rq import get_current_job
from rq.suspension import is_suspended

from refresher.github.budget import Budget
from refresher.github.client import GitHubClient
from refresher.lock.large_list_limit import LargeListLimit
from refresher.refresh import RefreshContext
from refresher.refresh import refresh as refresh_resource
from refresher.reporting.meter import Exchange, Meter, metered
from refresher.reporting.reporter import Ended, Reporter
from refresher.storage.entry_writer import EntryWriter
from refresher.visibility.privileges import Privileges
from shared.logs import logging_config
from shared.outcomes import RefreshOutcome
from shared.queueing import FORM, REQUEST_ID, RefreshQueue
from shared.redis.connection import connect, connect_to_lock_masters
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.settings import Settings, load_or_exit

log = logging.getLogger("refresher")

LEFT = "left"  # to refreshers of other settings


def refresh(name: str, *, force: bool = False, fresh_after: float | None = None) -> str:
    """Refresh one resource.

    Args:
        name: `Resource.name`.
        force: ask the origin even if the entry is fresh.
        fresh_after: ask the origin unless the entry is fresh beyond this Unix time (seconds).

    Returns:
        The outcome, for RQ's own log.
    """
    settings = _begin()
    catalogue = Catalogue.of(settings)
    resource = _named(name, catalogue)
    if resource is None:
        return "refused"
    if _is_for_others(resource):
        return LEFT
    with _context(settings, catalogue, resource) as context:
        # A worker that was waiting for a job when refreshing was paused takes that one still.
        if is_suspended(context.redis):
            if force:  # nobody else would ask for that again
                queue = RefreshQueue(context.redis, limit=settings.queue_max)
                queue.force(resource, request_id=context.reporter.request_id)
            with context.reporter.reporting(resource) as running:
                running.ended = Ended(RefreshOutcome.PAUSED)
            return RefreshOutcome.PAUSED
        return refresh_resource(resource, context, force=force, fresh_after=fresh_after)


def forget(name: str) -> str:
    """Forget an on-demand resource, here and, by an announcement, in the readers' memory.

    Args:
        name: `Resource.name`.

    Returns:
        What became of it, for RQ's own log.
    """
    settings = _begin()
    resource = _named(name, Catalogue.of(settings))
    if resource is None:
        return "refused"
    if _is_for_others(resource):
        return LEFT
    if resource.tracked:
        return "refused"
    with closing(connect(settings)) as redis:
        EntryWriter(redis, settings).forget(resource)
    log.info("%s was forgotten", name, extra={"fields": {"resource": name, **_asked_with()}})
    return "forgotten"


def _begin() -> Settings:
    """The settings; a worker that was not started with `refresher.rq_config` logs as they say."""
    settings = load_or_exit()
    if get_current_job() is not None and not log.handlers:
        dictConfig(logging_config(settings.log_format))
    return settings


@contextmanager
def _context(
    settings: Settings, catalogue: Catalogue, resource: Resource
) -> Iterator[RefreshContext]:
    """What a refresh is made with; every connection ends with the block."""
    with ExitStack() as stack:
        redis = stack.enter_context(closing(connect(settings)))
        masters = connect_to_lock_masters(settings)
        for master in masters:
            stack.enter_context(closing(master))
        meter = stack.enter_context(metered(redis))
        budget = Budget(redis, settings, tracked=resource.tracked)
        privileges = Privileges(redis, settings.privileged_credentials)

        def observe(exchange: Exchange) -> None:
            meter.observe(exchange)
            privileges.observe(exchange)

        origin = stack.enter_context(closing(GitHubClient(settings, budget, observe=observe)))
        yield RefreshContext(
            settings,
            redis,
            Store(redis),
            EntryWriter(redis, settings),
            origin,
            LargeListLimit(redis, catalogue),
            _reporter(redis, meter, settings),
            privileges,
            lock_masters=masters,
        )


def _named(name: str, catalogue: Catalogue) -> Resource | None:
    resource = catalogue.named(name)
    if resource is None:
        log.error("refresh of %r refused: not on the list of what may be fetched", name[:200])
    return resource


def _is_for_others(resource: Resource) -> bool:
    """Whether whoever asked keeps the resource in another way: its settings are not ours.

    In a rolling change of `ORGS` or `INCLUDE_PRIVATE` both kinds of processes share a queue. The
    job is left: readers ask again within a second, until a refresher of their own settings has it.
    """
    job = get_current_job()
    form = resource.form if job is None else job.meta.get(FORM, resource.form)
    if form == resource.form:
        return False
    log.info(
        "the refresh of %s is left to refreshers that keep it as %s; here it is kept as %s",
        resource.name,
        form,
        resource.form,
    )
    return True


def _reporter(redis: Redis, meter: Meter, settings: Settings) -> Reporter:
    keep = settings.on_demand_keep + settings.on_demand_ttl
    return Reporter(redis, meter, keep_s=int(keep) + 1, **_asked_with())


def _asked_with() -> dict[str, str]:
    """The ids of the job, and of the client's request that it was asked for with."""
    job = get_current_job()
    if job is None:
        return {}
    ids = {"job_id": job.id, "request_id": job.meta.get(REQUEST_ID)}
    return {name: str(one) for name, one in ids.items() if one is not None}
