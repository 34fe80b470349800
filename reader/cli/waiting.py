"""Asking refreshers for something, and waiting until it is done."""

import time
from dataclasses import dataclass

import click

from reader.cli.desk import Desk
from shared.refresh_report import RefreshReport
from shared.resources import Resource

POLL = 0.1  # seconds


@dataclass(frozen=True)
class Patience:
    """How long a command waits.

    Args:
        seconds: at the most; 0 for not at all.
    """

    seconds: float

    def check(self, desk: Desk) -> None:
        """Do not wait for what nobody will do.

        Raises:
            click.ClickException: refreshing is paused, or no refresher is alive.
        """
        fleet = desk.fleet()
        if not self.seconds:
            return
        if fleet.suspended:
            raise click.ClickException("It is queued, but refreshing is paused: resume it.")
        if not fleet.workers:
            raise click.ClickException("It is queued, but no refresher is alive: start one.")


def refreshed(desk: Desk, resource: Resource, patience: Patience) -> RefreshReport | None:
    """Have a resource refreshed now, and wait for the report of it.

    Args:
        desk: the command's tools.
        resource: what to refresh.
        patience: how long to wait.

    Returns:
        The report; None where it was not waited for.

    Raises:
        click.ClickException: it is not done in time, or will not be.
    """
    before = desk.view(resource).record.last
    desk.queue.force(resource)
    patience.check(desk)
    deadline = time.monotonic() + patience.seconds
    while time.monotonic() < deadline:
        last = desk.view(resource).record.last
        if last is not None and last != before:
            return last
        time.sleep(POLL)
    _in_vain(patience)
    return None


def forgotten(desk: Desk, resource: Resource, patience: Patience) -> None:
    """Have an on-demand resource forgotten, and wait until it is.

    Raises:
        click.ClickException: it is not done in time, or will not be.
    """
    desk.queue.forget(resource)
    patience.check(desk)
    deadline = time.monotonic() + patience.seconds
    while time.monotonic() < deadline:
        if desk.view(resource).metadata is None:
            return
        time.sleep(POLL)
    _in_vain(patience)


def _in_vain(patience: Patience) -> None:
    if patience.seconds:
        raise click.ClickException(f"It is queued, but was not done in {patience.seconds:.0f} s.")
