"""What somebody who gave `ADMIN_TOKEN` can have done, from the page or by a program.

A reader does none of it itself: it asks the refreshers, or holds them up.
"""

import logging
from enum import StrEnum

from reader.errors import BadRequest, NotFound
from reader.fleet.suspension import resume, suspend
from reader.process import ReaderProcess
from shared.queueing import Asked
from shared.resources.resource import Resource

log = logging.getLogger("reader")


class Action(StrEnum):
    """The last segment of the path that is posted to."""

    REFRESH = "refresh"  # ask GitHub for a resource now
    FORGET = "forget"  # drop an on-demand resource, everywhere
    PAUSE = "pause"  # have refreshers take no more jobs
    RESUME = "resume"  # have them go on


def perform(action: Action, name: str, *, process: ReaderProcess, request_id: str) -> str:
    """Do it, and say in a sentence what was done; may raise `redis.RedisError`.

    Args:
        action: what to do.
        name: of the resource that it is about; empty where it is about none.
        node: the reader that is asked.
        request_id: of the request.

    Raises:
        NotFound: there is no such resource here.
        BadRequest: that cannot be done with it.
    """
    log.warning(
        "an operator asks to %s %s",
        action,
        name or "refreshing",
        extra={"fields": {"action": action, "resource": name, "request_id": request_id}},
    )
    parts = process.start()
    parts.fleet.forget()
    if action is Action.PAUSE:
        suspend(parts.redis)
        return "Refreshing is paused: no refresher begins anything new."
    if action is Action.RESUME:
        resume(parts.redis)
        return "Refreshing goes on."
    resource = _resource(process, name)
    later = " once refreshing is resumed" if parts.fleet.snapshot().suspended else ""
    if action is Action.FORGET:
        if resource.tracked:
            raise BadRequest(f"{name} is tracked, and always kept: refresh it instead.")
        parts.queue.forget(resource, request_id=request_id)
        return f"{name} will be forgotten{later}."
    asked = parts.queue.force(resource, request_id=request_id)
    if asked is Asked.UNDER_WAY:
        return f"{name} is just being refreshed."
    return f"{name} will be refreshed{later}."


def _resource(process: ReaderProcess, name: str) -> Resource:
    resource = process.catalogue.named(name)
    if resource is None:
        raise NotFound("Not Found: no such resource is to be had here.")
    return resource
