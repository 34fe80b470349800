"""What RQ runs. The readers know these functions by their dotted names only."""

import logging
import time

from refresher.budget import Budget
from refresher.bulkhead import Bulkhead
from refresher.origin import Origin
from refresher.refresh import Tools
from refresher.refresh import refresh as refresh_resource
from refresher.writes import Writer
from shared.connection import connect
from shared.resources import Catalogue
from shared.settings import load_or_exit
from shared.store import Store

log = logging.getLogger("refresher")


def refresh(name: str, *, force: bool = False, fresh_after: float | None = None) -> str:
    """Refresh one resource.

    Args:
        name: `Resource.name`.
        force: ask the origin even if the entry is fresh.
        fresh_after: ask the origin unless the entry is fresh beyond this Unix time (seconds).

    Returns:
        The outcome, for RQ's own log.
    """
    settings = load_or_exit()
    catalogue = Catalogue(settings.orgs)
    resource = catalogue.named(name)
    if resource is None:
        log.error("refresh of %r refused: not on the list of what may be fetched", name[:200])
        return "refused"
    started = time.monotonic()
    redis = connect(settings)
    origin = Origin(settings, Budget(redis, settings, tracked=resource.tracked))
    try:
        tools = Tools(
            settings,
            redis,
            Store(redis),
            Writer(redis, settings),
            origin,
            Bulkhead(redis, catalogue),
        )
        outcome = refresh_resource(resource, tools, force=force, fresh_after=fresh_after)
    finally:
        origin.close()
        redis.close()
    elapsed = time.monotonic() - started
    log.info("refresh of %s: %s in %.2f s", resource.name, outcome, elapsed)
    return outcome
