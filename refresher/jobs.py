"""The jobs that RQ runs, and where all parts of a refresh are put together.

Readers know the jobs only by their dotted names.
"""

import logging
import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from logging.config import dictConfig
from uuid import uuid4

from redis import Redis
from rq import get_current_job
from rq.suspension import is_suspended

from refresher.context import RefreshContext, RefreshPolicy
from refresher.github.budget import Budget
from refresher.github.client import GitHubClient
from refresher.github.exchange import Exchange
from refresher.lock.large_list_limit import LargeListLimit
from refresher.lock.refresh_lock import RefreshLocks
from refresher.lock.start_conditions import StartConditions
from refresher.refresh import refresh as refresh_resource
from refresher.reporting.meter import Meter, metered
from refresher.reporting.reporter import Ended, Reporter
from refresher.storage.entry_writer import EntryWriter
from refresher.storage.storage import Storage
from refresher.visibility.privileges import Privileges
from shared.clock import FLEET
from shared.logs import logging_config
from shared.outcomes import RefreshOutcome
from shared.queueing import FORM, REQUEST_ID, RefreshQueue
from shared.redis.connection import connect, connect_to_lock_masters
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from shared.settings import Settings, load_or_exit

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
    settings = _begin()
    catalogue = Catalogue.of(settings)
    resource = _named(name, catalogue)
    if resource is None:
        return REFUSED
    if _is_for_others(resource):
        return LEFT
    with _context(settings, catalogue, resource) as context:
        # A worker that was waiting for a job when refreshing was paused still takes one job.
        redis = context.storage.redis
        if is_suspended(redis):
            if force:  # readers do not request a forced refresh again
                queue = RefreshQueue(redis, limit=settings.queue_max)
                queue.force(resource, request_id=context.reporter.request_id)
            with context.reporter.reporting(resource) as running:
                running.ended = Ended(RefreshOutcome.PAUSED)
            return RefreshOutcome.PAUSED
        return refresh_resource(resource, context, force=force, fresh_after=fresh_after)


def forget(name: str) -> str:
    """Remove an on-demand resource from Redis and, by an announcement, from the readers' memory.

    Args:
        name: `Resource.name`.

    Returns:
        "forgotten", "refused" or "left", for RQ's own log.
    """
    settings = _begin()
    resource = _named(name, Catalogue.of(settings))
    if resource is None:
        return REFUSED
    if _is_for_others(resource):
        return LEFT
    if resource.tracked:
        return REFUSED
    with closing(connect(settings)) as redis:
        EntryWriter(redis, settings, clock=FLEET).forget(resource)
    log.info("%s was forgotten", name, extra={"fields": {"resource": name, **_asked_with()}})
    return "forgotten"


def _begin() -> Settings:
    """Load the settings; set up logging in a worker that was started without `rq_config`."""
    settings = load_or_exit()
    if get_current_job() is not None and not log.handlers:
        dictConfig(logging_config(settings.log_format))
    return settings


@contextmanager
def _context(
    settings: Settings, catalogue: Catalogue, resource: Resource
) -> Iterator[RefreshContext]:
    """Put together everything that a refresh needs; all connections close with the block."""
    with ExitStack() as stack:
        redis = stack.enter_context(closing(connect(settings)))
        masters = connect_to_lock_masters(settings)
        for master in masters:
            stack.enter_context(closing(master))
        meter = stack.enter_context(metered(redis, FLEET.clock))
        budget = Budget(
            redis, settings, tracked=resource.tracked, clock=FLEET.clock, new_id=lambda: uuid4().hex
        )
        privileges = Privileges(redis, settings.privileged_credentials, clock=FLEET.clock)

        def observe(exchange: Exchange) -> None:
            meter.observe(exchange)
            privileges.observe(exchange)

        client = GitHubClient(settings, budget, observe=observe, clock=FLEET.clock)
        locks = RefreshLocks(
            redis,
            lifetime=settings.lock_ttl,
            clock=FLEET.clock,
            masters=masters,
            watchdog=_end_with_parent(),
        )
        yield RefreshContext(
            Storage.of(redis, settings, clock=FLEET),
            stack.enter_context(closing(client)),
            StartConditions(locks, LargeListLimit(redis, catalogue)),
            _reporter(redis, meter, settings),
            privileges,
            RefreshPolicy.of(settings, chance=random.random),
            FLEET.clock,
        )


def _end_with_parent() -> Callable[[], None]:
    """A check that ends this work horse if its RQ worker is gone.

    Nothing else would end the work horse if it hangs. Without the check, a worker that was killed,
    or a Ctrl-C that ran out of patience, would leave an orphan behind. Its lock expires, and
    another worker takes over.
    """
    parent = os.getppid()

    def check() -> None:
        if os.getppid() != parent:
            os._exit(1)

    return check


def _named(name: str, catalogue: Catalogue) -> Resource | None:
    resource = catalogue.named(name)
    if resource is None:
        log.error("refresh of %r refused: this cache does not fetch it", name[:200])
    return resource


def _is_for_others(resource: Resource) -> bool:
    """Whether the job comes from a process whose settings store the resource in another form.

    During a rolling change of `ORGS` or `INCLUDE_PRIVATE`, processes with old and new settings
    share a queue. Such a job is not done. Readers request it again within a second, until a
    refresher with their settings takes it.
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


def _reporter(redis: Redis, meter: Meter, settings: Settings) -> Reporter:
    keep = settings.on_demand_keep + settings.on_demand_ttl
    return Reporter(redis, meter, FLEET.clock, keep_s=int(keep) + 1, **_asked_with())


def _asked_with() -> dict[str, str]:
    """The ids of the job and of the client's request that caused it."""
    job = get_current_job()
    if job is None:
        return {}
    ids = {"job_id": job.id, "request_id": job.meta.get(REQUEST_ID)}
    return {name: str(one) for name, one in ids.items() if one is not None}
