"""`warm`: having everything that is tracked refreshed, and showing how far that has come."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import click

from reader.cli.desk import Desk
from reader.cli.printing import console
from reader.cli.waiting import POLL, Patience
from reader.fleet import TrackedView
from reader.status.reports import report_words
from shared.outcomes import RefreshOutcome
from shared.refresh_report import RefreshReport
from shared.resources import Resource

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_BAD = frozenset({RefreshOutcome.FAILED, RefreshOutcome.BROKEN, RefreshOutcome.FENCED})


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
        forced: fresh content is to be refreshed as well.
        was_fresh: when it was looked at last.
        report: of its refresh, once there is one.
        step: how far it has come.
    """

    resource: Resource
    before: RefreshReport | None
    forced: bool
    was_fresh: bool
    report: RefreshReport | None = None
    step: Step = Step.WAITING

    @property
    def is_over(self) -> bool:
        """Whether nothing more is waited for."""
        return self.step in {Step.DONE, Step.FAILED}

    def look(self, view: TrackedView) -> None:
        """Take over what was just seen of the resource."""
        last = view.record.last
        is_new = last is not None and last != self.before
        self.report = last if is_new else None
        if is_new and last is not None and last.outcome in _BAD:
            self.step = Step.FAILED
        elif view.is_fresh and (is_new or (self.was_fresh and not self.forced)):
            self.step = Step.DONE  # by its report, which comes a moment after the content
        else:
            self.step = Step.READING if view.is_running else Step.WAITING
        self.was_fresh = view.is_fresh


@dataclass
class _Shown:
    """The progress bars, where there is a terminal; a line for each end where there is none."""

    progress: "Progress | None"
    tasks: dict[str, "TaskID"] = field(default_factory=dict)

    def look(self, warming: Warming, view: TrackedView, *, was_over: bool) -> None:
        name = warming.resource.name
        said = str(warming.step)
        if warming.report is not None and warming.is_over:
            said = report_words(warming.report)
        if self.progress is None:
            if warming.is_over and not was_over:
                click.echo(f"{name}: {said}")
            return
        if name not in self.tasks:
            self.tasks[name] = self.progress.add_task(name, total=None, said="")
        page, pages = view.reading or (0, None)
        if warming.is_over:
            page, pages = view.pages or 1, view.pages or 1
        elif view.reading:
            said = f"page {page} of {pages}"
        self.progress.update(self.tasks[name], completed=page, total=pages, said=said)


def warm(desk: Desk, *, force: bool, patience: Patience, quiet: bool) -> Sequence[Warming]:
    """Have everything tracked refreshed that is not fresh, and wait until it is over.

    Args:
        desk: the command's tools.
        force: also what is fresh.
        patience: how long to wait.
        quiet: show nothing meanwhile.

    Returns:
        One for each tracked resource; some of them are not over where the time was.

    Raises:
        click.ClickException: refreshing is paused, or no refresher is alive.
    """
    tracked = desk.catalogue.tracked
    views = desk.watch.views(tracked, now=time.time())
    all_of_them = [Warming(view.resource, view.record.last, force, view.is_fresh) for view in views]
    for warming, view in zip(all_of_them, views, strict=True):
        warming.look(view)
        if force:
            desk.queue.force(warming.resource)
    if all(warming.is_over for warming in all_of_them):
        return all_of_them
    patience.check(desk)
    deadline = time.monotonic() + patience.seconds
    with _shown(quiet=quiet) as shown:
        while True:
            views = desk.watch.views(tracked, now=time.time())
            for warming, view in zip(all_of_them, views, strict=True):
                was_over = warming.is_over
                if not was_over:
                    warming.look(view)
                if not quiet:
                    shown.look(warming, view, was_over=was_over)
                if warming.step is Step.WAITING and not force:
                    desk.queue.ask(warming.resource)  # which makes one job, however often
            if all(one.is_over for one in all_of_them) or time.monotonic() > deadline:
                return all_of_them
            time.sleep(POLL)


@contextmanager
def _shown(*, quiet: bool) -> Iterator[_Shown]:
    out = console()
    if quiet or not out.is_terminal:
        yield _Shown(None)
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn  # noqa: PLC0415

    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[said]}"),
    )
    with Progress(*columns, console=out) as progress:
        yield _Shown(progress)
