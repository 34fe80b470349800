"""Asking refreshers for something, and waiting until it is done.

Never in silence for what nobody will do: once a second a command looks whether there is somebody
who could.
"""

import time
from collections.abc import Iterator

import click

from reader.cli.context import CommandContext
from reader.fleet.snapshot import Fleet
from reader.status.formatting import duration, plural
from shared.queueing import Asked
from shared.refresh_report import RefreshReport
from shared.resources.resource import Resource

POLL = 0.1  # seconds between two looks
_CHECK = 1.0  # seconds between two looks at whether there is somebody at work
# A job that met somebody else's, or was left for later, ends without a word: it is asked for again.
_LOST = 3.0  # seconds


class NotDoneError(click.ClickException):
    """It is asked for, but was not done in time, or will not be; the message says why."""


class ForcedRefresh:
    """A refresh that is to ask GitHub in any case; it is asked for at once, and kept up.

    Args:
        desk: the command's tools.
        resource: what to refresh.
    """

    def __init__(self, context: CommandContext, resource: Resource) -> None:
        self._queue, self._resource = context.queue, resource
        self._ask()

    def keep_up(self, *, is_running: bool) -> None:
        """Ask once more where the job was lost; call it until the refresh is done."""
        if is_running or self._queue.is_queued(self._resource):
            self._seen_at = time.monotonic()
        elif time.monotonic() - self._seen_at > _LOST:
            self._ask()

    def _ask(self) -> None:
        self._queue.force(self._resource)
        self._seen_at = time.monotonic()


def moments(context: CommandContext, timeout: float) -> Iterator[None]:
    """The moments at which to look whether it is done.

    Args:
        desk: the command's tools.
        timeout: seconds.

    Raises:
        NotDoneError: refreshing is paused, no refresher is alive, or the time is over.
    """
    began, checked = time.monotonic(), float("-inf")
    while True:
        yield
        now = time.monotonic()
        if now - checked >= _CHECK:
            fleet, checked = context.fleet(), now
            if hindrance := hindrance_of(fleet):
                raise NotDoneError(f"It is queued, but {hindrance}.")
            queued = fleet.queue_length
        if now - began >= timeout:
            behind = f" ({plural(queued, 'job')} in the queue)" if queued else ""
            raise NotDoneError(f"It is queued, but was not done in {duration(timeout)}{behind}.")
        time.sleep(POLL)


def hindrance_of(fleet: Fleet) -> str | None:
    """Why nothing is done at the moment; None where nothing hinders it."""
    if fleet.suspended:
        return "refreshing is paused: `flask --app reader cache resume` has it go on"
    if not fleet.workers:
        return "no refresher is alive: start one, as the Procfile does"
    return None


def asked(context: CommandContext, resource: Resource) -> str:
    """Have a resource refreshed, and say in a sentence what will become of it."""
    if context.queue.force(resource) is Asked.UNDER_WAY:
        return f"{resource.name} is just being refreshed."
    return f"{resource.name} will be refreshed{_but(context.fleet())}."


def asked_to_forget(context: CommandContext, resource: Resource) -> str:
    """Have an on-demand resource forgotten, and say in a sentence what will become of it."""
    context.queue.forget(resource)
    return f"{resource.name} will be forgotten{_but(context.fleet())}."


def refreshed(context: CommandContext, resource: Resource, *, timeout: float) -> RefreshReport:
    """Have a resource refreshed now, and wait for the report of it.

    Args:
        desk: the command's tools.
        resource: what to refresh.
        timeout: seconds to wait at the most.

    Raises:
        NotDoneError: it is not done in time, or will not be.
    """
    before, forced = context.view(resource).record.last, ForcedRefresh(context, resource)
    for _ in moments(context, timeout):
        view = context.view(resource)
        last = view.record.last
        if last is not None and last != before:
            return last
        forced.keep_up(is_running=view.is_running)
    raise AssertionError("moments have no end but an error")


def forgotten(context: CommandContext, resource: Resource, *, timeout: float) -> None:
    """Have an on-demand resource forgotten, and wait until it is.

    Raises:
        NotDoneError: it is not done in time, or will not be.
    """
    before = context.store.state(resource).forgotten
    context.queue.forget(resource)
    for _ in moments(context, timeout):
        if context.store.state(resource).forgotten > before:
            return


def _but(fleet: Fleet) -> str:
    hindrance = hindrance_of(fleet)
    return f", but {hindrance}" if hindrance else ""
