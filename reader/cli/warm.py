"""`warm`: refreshes all tracked resources, and shows the progress."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import click

from reader.cli.column_fitting import shortened
from reader.cli.context import CommandContext
from reader.cli.printing import console
from reader.cli.wait import ForcedRefresh, NotDoneError, polls
from reader.fleet.disclosure import is_withheld
from reader.fleet.view import TrackedView
from reader.status.reports import describe
from shared.outcomes import RefreshOutcome
from shared.queue_order import Priority
from shared.queueing import RefreshRequest
from shared.refresh_report import RefreshReport
from shared.resources.resource import Resource

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_BAD = frozenset(
    {
        *(RefreshOutcome.FAILED, RefreshOutcome.BROKEN, RefreshOutcome.FENCED),
        *(RefreshOutcome.DOUBTED, RefreshOutcome.OLDER),
    }
)
_BAR = 20  # terminal columns of a bar
_TEXT = 22  # terminal columns for the text beside a bar


class Step(StrEnum):
    """The progress of a resource."""

    WAITING = "waiting"
    READING = "reading"
    DONE = "fresh"
    WITHHELD = "withheld"  # of TRACK: GitHub does not show it, and clients are told so
    FAILED = "failed"


@dataclass
class Warming:
    """One resource that is to become fresh.

    Args:
        resource: the resource.
        before: its last report before this command.
        force: refresh it even if it is fresh.
        was_fresh: whether it was fresh and complete at the last poll.
        report: of its refresh; None until it has ended.
        step: its progress.
        forced: its forced refresh; None if an ordinary one will do.
    """

    resource: Resource
    before: RefreshReport | None
    force: bool
    was_fresh: bool
    report: RefreshReport | None = None
    step: Step = Step.WAITING
    forced: ForcedRefresh | None = None

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.step in {Step.DONE, Step.WITHHELD, Step.FAILED}

    @property
    def text(self) -> str:
        """The progress in a few words."""
        if self.step is Step.WITHHELD:
            return "withheld: clients get GitHub's error, or a refusal"
        if self.report is not None and self.is_over:
            return describe(self.report)
        return str(self.step)

    def update(self, view: TrackedView) -> None:
        """Update the progress from the resource's present state."""
        last = view.record.last
        is_new = last is not None and last != self.before
        self.report = last if is_new else None
        if is_new and last is not None and last.outcome in _BAD:
            self.step = Step.FAILED
        elif _is_warm(view) and (is_new or (self.was_fresh and not self.force)):
            # Only with its report, which is written shortly after the content.
            self.step = Step.WITHHELD if is_withheld(view) else Step.DONE
        else:
            self.step = Step.READING if view.is_running else Step.WAITING
        self.was_fresh = _is_warm(view)


def _is_warm(view: TrackedView) -> bool:
    """Whether this release can serve everything that it makes of the content, ranked views too."""
    return view.is_fresh and view.is_complete


class _Silent:
    """Shows no progress: a program reads the result."""

    def update(self, warming: Warming, view: TrackedView) -> None:
        """Show the present state of a resource."""


class _Lines(_Silent):
    """Prints a line when a resource is over; without a terminal."""

    def __init__(self) -> None:
        self._printed: set[str] = set()

    def update(self, warming: Warming, view: TrackedView) -> None:
        name = view.resource.name
        if warming.is_over and name not in self._printed:
            self._printed.add(name)
            click.echo(f"{name}: {warming.text}")


class _Bars(_Silent):
    """Shows a bar for each resource."""

    def __init__(self, progress: "Progress", names: Sequence[str], width: int) -> None:
        room = max(10, width - _BAR - _TEXT)
        self._progress = progress
        self._tasks: dict[str, TaskID] = {
            name: progress.add_task(shortened(name, room), total=None, text="") for name in names
        }

    def update(self, warming: Warming, view: TrackedView) -> None:
        page, pages = view.reading or (0, None)
        text = f"page {page} of {pages}" if view.reading else warming.text
        if warming.is_over:
            page, pages, text = 1, 1, warming.text
        task = self._tasks[warming.resource.name]
        self._progress.update(task, completed=page, total=pages, text=text)


def warm(context: CommandContext, *, force: bool, timeout: float, quiet: bool) -> Sequence[Warming]:
    """Refresh all tracked resources that are not fresh, and wait until it is over.

    Args:
        context: of the command.
        force: refresh the fresh ones as well.
        timeout: seconds to wait at most.
        quiet: show no progress.

    Returns:
        One for each tracked resource; if the time was over, some of them are not.

    Raises:
        NotDoneError: refreshing is paused, or no refresher is running.
    """
    tracked = context.catalogue.tracked
    clock = context.clock
    views = context.watch.views(tracked, now=clock.now())
    warmings = [Warming(view.resource, view.record.last, force, _is_warm(view)) for view in views]
    for warming, view in zip(warmings, views, strict=True):
        warming.update(view)
        # A failed resource is not retried before its time unless the refresh is forced.
        if force or (view.failure is not None and not warming.is_over):
            warming.forced = ForcedRefresh(context, warming.resource)
    deadline = clock.monotonic() + timeout
    with _progress([resource.name for resource in tracked], quiet=quiet) as progress:
        try:
            for _ in polls(context, timeout):
                _poll(context, warmings, progress)
                if all(one.is_over for one in warmings):
                    break
        except NotDoneError:
            if clock.monotonic() < deadline:
                raise
    return warmings


def _poll(context: CommandContext, warmings: Sequence[Warming], progress: _Silent) -> None:
    views = context.watch.views([one.resource for one in warmings], now=context.clock.now())
    for warming, view in zip(warmings, views, strict=True):
        if not warming.is_over:
            warming.update(view)
        progress.update(warming, view)
        if warming.is_over:
            continue
        if warming.forced is not None:
            warming.forced.keep_up(is_running=view.is_running)
        elif not view.is_running:
            # Makes one job, however often it is called.
            context.queue.ask(RefreshRequest(warming.resource, Priority.MISSING))


@contextmanager
def _progress(names: Sequence[str], *, quiet: bool) -> Iterator[_Silent]:
    out = console()
    if quiet or not out.is_terminal:
        yield _Silent() if quiet else _Lines()
        return
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415
    from rich.table import Column  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=_BAR),
        TextColumn("{task.fields[text]}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
    )
    with Progress(*columns, console=out, expand=True) as progress:
        yield _Bars(progress, names, out.width)
