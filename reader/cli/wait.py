"""Enqueueing refreshes and removals, and waiting until the refreshers have done them.

A command never waits in silence for work that no process will do: once a second it checks that
refreshing is not paused and that a refresher is running.
"""

from collections.abc import Callable, Iterator

import click

from reader.cli.context import CommandContext
from reader.fleet.view import Fleet
from reader.status.formatting import duration, plural
from shared.queueing import Asked
from shared.refresh_report import RefreshReport
from shared.resources.resource import Resource

POLL = 0.1  # seconds between two polls
_CHECK = 1.0  # seconds between two checks that a refresher can do the work
# A job that found the lock taken, or was held back, ends without a report: it is enqueued again.
_LOST = 3.0  # seconds


class NotDoneError(click.ClickException):
    """The work is queued, but was not done in time, or will not be; the message says why."""


class ForcedRefresh:
    """A refresh that requests the resource from GitHub even if it is fresh; enqueued at once.

    Args:
        context: of the command.
        resource: the resource to refresh.
        enqueue: enqueues it; None for `RefreshQueue.force`.
    """

    def __init__(
        self,
        context: CommandContext,
        resource: Resource,
        enqueue: Callable[[Resource], object] | None = None,
    ) -> None:
        self._queue, self._resource = context.queue, resource
        self._put = context.queue.force if enqueue is None else enqueue
        self._monotonic = context.clock.monotonic
        self._enqueue()

    def keep_up(self, *, is_running: bool) -> None:
        """Enqueue it again if the job was lost; call it until the refresh is done."""
        if is_running or self._queue.is_queued(self._resource):
            self._seen_at = self._monotonic()
        elif self._monotonic() - self._seen_at > _LOST:
            self._enqueue()

    def _enqueue(self) -> None:
        self._put(self._resource)
        self._seen_at = self._monotonic()


def polls(context: CommandContext, timeout: float) -> Iterator[None]:
    """Yield each time the caller is to check whether the work is done.

    Args:
        context: of the command.
        timeout: seconds.

    Raises:
        NotDoneError: refreshing is paused, no refresher is running, or the time is over.
    """
    clock = context.clock
    began, checked = clock.monotonic(), float("-inf")
    while True:
        yield
        now = clock.monotonic()
        if now - checked >= _CHECK:
            fleet, checked = context.fleet(), now
            if obstacle := obstacle_of(fleet):
                raise NotDoneError(f"It is queued, but {obstacle}.")
            queued = fleet.queue_length
        if now - began >= timeout:
            behind = f" ({plural(queued, 'job')} in the queue)" if queued else ""
            raise NotDoneError(f"It is queued, but was not done in {duration(timeout)}{behind}.")
        clock.sleep(POLL)


def obstacle_of(fleet: Fleet) -> str | None:
    """Why nothing is refreshed at present; None if nothing prevents it."""
    if fleet.suspended:
        return "refreshing is paused: `flask --app reader cache resume` resumes it"
    if not fleet.workers:
        return "no refresher is running: start one, as the Procfile does"
    return None


def request_refresh(context: CommandContext, resource: Resource) -> str:
    """Enqueue a refresh, and return a sentence that says what will happen."""
    if context.queue.force(resource) is Asked.UNDER_WAY:
        return f"{resource.name} is already being refreshed."
    return f"{resource.name} will be refreshed{_but(context.fleet())}."


def request_removal(context: CommandContext, resource: Resource) -> str:
    """Enqueue the removal of a resource, and return what will happen."""
    context.queue.forget(resource)
    but = _but(context.fleet())
    if resource.tracked:
        return f"{resource.name} will be read anew, and is served until then{but}."
    return f"{resource.name} will be forgotten{but}."


def refresh_and_wait(
    context: CommandContext, resource: Resource, *, timeout: float
) -> RefreshReport:
    """Have a resource refreshed now, and wait for the report.

    Args:
        context: of the command.
        resource: the resource to refresh.
        timeout: seconds to wait at most.

    Raises:
        NotDoneError: it was not done in time, or will not be.
    """
    before = context.view(resource).record.last
    return _report_after(before, ForcedRefresh(context, resource), context, resource, timeout)


def forget_and_wait(
    context: CommandContext, resource: Resource, *, timeout: float
) -> RefreshReport:
    """Have a tracked resource read anew, without conditional requests, and wait for the report.

    Raises:
        NotDoneError: it was not done in time, or will not be.
    """
    before = context.view(resource).record.last
    forced = ForcedRefresh(context, resource, enqueue=context.queue.forget)
    return _report_after(before, forced, context, resource, timeout)


def _report_after(
    before: RefreshReport | None,
    forced: ForcedRefresh,
    context: CommandContext,
    resource: Resource,
    timeout: float,
) -> RefreshReport:
    """Wait for the first report of a resource after this one.

    Raises:
        NotDoneError: it does not come in time, or will not come.
    """
    for _ in polls(context, timeout):
        view = context.view(resource)
        last = view.record.last
        if last is not None and last != before:
            return last
        forced.keep_up(is_running=view.is_running)
    raise AssertionError("`polls` ends only with an error")


def remove_and_wait(context: CommandContext, resource: Resource, *, timeout: float) -> None:
    """Have an on-demand resource removed, and wait until it is.

    Raises:
        NotDoneError: it was not done in time, or will not be.
    """
    before = context.store.state(resource).forgotten
    context.queue.forget(resource)
    for _ in polls(context, timeout):
        if context.store.state(resource).forgotten > before:
            return


def _but(fleet: Fleet) -> str:
    obstacle = obstacle_of(fleet)
    return f", but {obstacle}" if obstacle else ""
