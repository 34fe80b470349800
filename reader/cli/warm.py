"""`warm`: having everything that is tracked refreshed, and showing how far that has come."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import click

from reader.cli.column_fitting import shortened
from reader.cli.context import CommandContext
from reader.cli.printing import console
from reader.cli.wait import ForcedRefresh, NotDoneError, moments
from reader.fleet.snapshot import TrackedView
from reader.status.reports import report_words
from shared.outcomes import RefreshOutcome
from shared.refresh_report import RefreshReport
from shared.resources.resource import Resource

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_BAD = frozenset({RefreshOutcome.FAILED, RefreshOutcome.BROKEN, RefreshOutcome.FENCED})
_BAR = 20  # columns of a terminal
_LEAST_WORDS = 22  # columns for what is said beside a bar


class Step(StrEnum):
    """How far a resource has come."""

    WAITING = "waiting"
    READING = "reading"
    DONE = "fresh"
    FAILED = "failed"


@dataclass
class Warming:
    """One resource that is to become fresh.

    Args:
        resource: which.
        before: the last report of it, from before it was asked for.
        force: fresh content is to be refreshed as well.
        was_fresh: when it was looked at last.
        report: of its refresh, once there is one.
        step: how far it has come.
        forced: keeps asking for a refresh in any case; None where one that is due will do.
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
        """Whether nothing more is waited for."""
        return self.step in {Step.DONE, Step.FAILED}

    @property
    def words(self) -> str:
        """How far it has come, in a few words."""
        if self.report is not None and self.is_over:
            return report_words(self.report)
        return str(self.step)

    def update(self, view: TrackedView) -> None:
        """Take over what was just seen of the resource."""
        last = view.record.last
        is_new = last is not None and last != self.before
        self.report = last if is_new else None
        if is_new and last is not None and last.outcome in _BAD:
            self.step = Step.FAILED
        elif view.is_fresh and (is_new or (self.was_fresh and not self.force)):
            self.step = Step.DONE  # by its report, which comes a moment after the content
        else:
            self.step = Step.READING if view.is_running else Step.WAITING
        self.was_fresh = view.is_fresh


class _Nothing:
    """Nothing is shown: a program reads what comes at the end."""

    def update(self, warming: Warming, view: TrackedView) -> None:
        """Show what was just seen of a resource."""


class _Lines(_Nothing):
    """A line for each resource that is over: there is no terminal."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def update(self, warming: Warming, view: TrackedView) -> None:
        name = view.resource.name
        if warming.is_over and name not in self._said:
            self._said.add(name)
            click.echo(f"{name}: {warming.words}")


class _Bars(_Nothing):
    """A bar for each resource."""

    def __init__(self, progress: "Progress", names: Sequence[str], width: int) -> None:
        room = max(10, width - _BAR - _LEAST_WORDS)
        self._progress = progress
        self._tasks: dict[str, TaskID] = {
            name: progress.add_task(shortened(name, room), total=None, said="") for name in names
        }

    def update(self, warming: Warming, view: TrackedView) -> None:
        page, pages = view.reading or (0, None)
        said = f"page {page} of {pages}" if view.reading else warming.words
        if warming.is_over:
            page, pages, said = 1, 1, warming.words
        task = self._tasks[warming.resource.name]
        self._progress.update(task, completed=page, total=pages, said=said)


def warm(context: CommandContext, *, force: bool, timeout: float, quiet: bool) -> Sequence[Warming]:
    """Have everything tracked refreshed that is not fresh, and wait until it is over.

    Args:
        desk: the command's tools.
        force: also what is fresh.
        timeout: seconds to wait at the most.
        quiet: show nothing meanwhile.

    Returns:
        One for each tracked resource; some of them are not over where the time was.

    Raises:
        NotDoneError: refreshing is paused, or no refresher is alive.
    """
    tracked = context.catalogue.tracked
    views = context.watch.views(tracked, now=time.time())
    all_of_them = [Warming(view.resource, view.record.last, force, view.is_fresh) for view in views]
    for warming, view in zip(all_of_them, views, strict=True):
        warming.update(view)
        # One that failed is not tried before its time, unless somebody insists.
        if force or (view.failure is not None and not warming.is_over):
            warming.forced = ForcedRefresh(context, warming.resource)
    deadline = time.monotonic() + timeout
    with _shown([resource.name for resource in tracked], quiet=quiet) as shown:
        try:
            for _ in moments(context, timeout):
                _check(context, all_of_them, shown)
                if all(one.is_over for one in all_of_them):
                    break
        except NotDoneError:
            if time.monotonic() < deadline:
                raise
    return all_of_them


def _check(context: CommandContext, all_of_them: Sequence[Warming], shown: _Nothing) -> None:
    views = context.watch.views([one.resource for one in all_of_them], now=time.time())
    for warming, view in zip(all_of_them, views, strict=True):
        if not warming.is_over:
            warming.update(view)
        shown.update(warming, view)
        if warming.is_over:
            continue
        if warming.forced is not None:
            warming.forced.keep_up(is_running=view.is_running)
        elif not view.is_running:
            context.queue.ask(warming.resource)  # which makes one job, however often


@contextmanager
def _shown(names: Sequence[str], *, quiet: bool) -> Iterator[_Nothing]:
    out = console()
    if quiet or not out.is_terminal:
        yield _Nothing() if quiet else _Lines()
        return
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415
    from rich.table import Column  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=_BAR),
        TextColumn("{task.fields[said]}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
    )
    with Progress(*columns, console=out, expand=True) as progress:
        yield _Bars(progress, names, out.width)
