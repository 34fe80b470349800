"""Operator actions, for a client that has sent `ADMIN_TOKEN`: refresh, forget, pause, resume.

A reader does none of the work itself: it enqueues jobs for the refreshers, or suspends them.
"""

import logging
from enum import StrEnum

from reader.errors import NotFound
from reader.fleet.suspension import resume, suspend
from reader.process import Components, ReaderProcess
from shared.queueing import Asked
from shared.resources.resource import Resource

log = logging.getLogger("reader")


class Action(StrEnum):
    """An action; its value is the last segment of the path in `POST /status/<action>`."""

    REFRESH = "refresh"  # request a resource from GitHub now
    # remove an on-demand resource from Redis and from every reader; read a tracked one anew
    FORGET = "forget"
    PAUSE = "pause"  # suspend the refreshers: they take no more jobs
    RESUME = "resume"  # let the refreshers take jobs again, and end every other pause


def perform(
    action: Action, name: str, *, process: ReaderProcess, now: float, request_id: str
) -> str:
    """Perform an action and return a sentence that says what was done.

    Args:
        action: the action.
        name: of its resource; empty for an action without a resource.
        process: the reader process that received the request.
        now: Unix time in seconds.
        request_id: of the request.

    Raises:
        NotFound: this cache has no resource of that name.
        redis.RedisError: Redis is unavailable.
    """
    log.warning(
        "operator action: %s %s",
        action,
        name or "all refreshing",
        extra={"fields": {"action": action, "resource": name, "request_id": request_id}},
    )
    parts = process.start()
    parts.fleet.discard()
    try:
        if action is Action.PAUSE:
            suspend(parts.redis, now=now)
            return "Refreshing is paused: refreshers start no new job."
        if action is Action.RESUME:
            resume(parts.redis)
            return "Refreshing is resumed. Every other pause has ended, too."
        return _enqueue(action, _resource(process, name), parts, request_id)
    finally:
        parts.fleet.discard()  # a snapshot from before the action would hide its effect


def _enqueue(action: Action, resource: Resource, parts: Components, request_id: str) -> str:
    name = resource.name
    later = " once refreshing is resumed" if parts.fleet.snapshot().suspended else ""
    if action is Action.FORGET:
        parts.queue.forget(resource, request_id=request_id)
        if resource.tracked:
            return f"{name} will be read anew{later}, and is served until then."
        return f"{name} will be forgotten{later}."
    result = parts.queue.force(resource, request_id=request_id)
    if result is Asked.UNDER_WAY:
        return f"{name} is already being refreshed."
    return f"{name} will be refreshed{later}."


def _resource(process: ReaderProcess, name: str) -> Resource:
    resource = process.catalogue.named(name)
    if resource is None:
        raise NotFound("Not Found: this cache does not serve such a resource.")
    return resource
