"""The commands: `flask --app reader cache --help`."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import click
from flask.cli import AppGroup

from reader.cli.checks import Verdict
from reader.cli.desk import desk
from reader.cli.doctor import examine, print_findings
from reader.cli.printing import Column, print_facts, print_json, print_table
from reader.cli.waiting import Patience, forgotten, refreshed
from reader.cli.warming import Step, warm
from reader.fleet import TrackedView
from reader.status.reports import report_words
from reader.status.resource_rows import tracked_row
from reader.status.words import clock, iso, plural
from reader.suspension import resume, suspend
from shared.outcomes import RefreshOutcome
from shared.refresh_report import RefreshReport

Command = TypeVar("Command", bound=Callable[..., Any])

cache = AppGroup("cache", help="Look at what is cached, and have something done about it.")

_COLUMNS = (
    Column("Resource", "name", folds=True),
    Column("State", "state"),
    Column("Age", "age"),
    Column("Next", "next"),
    Column("Size", "size"),
    Column("Holds", "items_words", from_width=100),
    Column("Last refresh", "outcome_words", from_width=120, folds=True),
)
_GOOD = frozenset({RefreshOutcome.UPDATED, RefreshOutcome.UNCHANGED})
_LAST_REPORTS = 10

as_json = click.option("--json", "is_json", is_flag=True, help="One JSON document.")


def waits(seconds: float) -> Callable[[Command], Command]:
    """Give a command the options of waiting."""

    def give(command: Command) -> Command:
        timeout = click.option(
            "--timeout",
            default=float(seconds),
            show_default=True,
            help="Seconds to wait at the most.",
        )
        no_wait = click.option("--no-wait", is_flag=True, help="Ask for it, and leave.")
        return timeout(no_wait(command))

    return give


@cache.command("list")
@click.option("--on-demand/--no-on-demand", default=True, help="Also what is not tracked.")
@click.option("--limit", default=200, show_default=True, help="On-demand resources at the most.")
@as_json
def list_command(on_demand: bool, limit: int, is_json: bool) -> None:
    """What is held, and how it is."""
    with desk() as found:
        fleet = found.fleet()
        views = list(fleet.tracked)
        if on_demand:
            resources = sorted(found.on_demand(limit), key=lambda resource: resource.name)
            views += found.watch.views(resources, now=fleet.now) if resources else []
        moment = found.moment(fleet)
        rows = [tracked_row(view, moment) for view in views]
    if is_json:
        print_json(rows)
    else:
        print_table(rows, _COLUMNS)


@cache.command()
@click.argument("path")
@as_json
def show(path: str, is_json: bool) -> None:
    """Everything that is known of one resource."""
    with desk() as found:
        resource = found.resource(path)
        fleet = found.fleet()
        view = found.view(resource)
        is_queued = found.queue.is_queued(resource)
        row = tracked_row(view, found.moment(fleet))
        reports = [one for one in fleet.timeline if one.resource == resource.name]
    if is_json:
        print_json(
            {
                **row,
                "tracked": resource.tracked,
                "metadata": asdict(view.metadata) if view.metadata else None,
                "failure": asdict(view.failure) if view.failure else None,
                "refreshing": view.is_running,
                "reports": [_plain(report) for report in reports],
            }
        )
        return
    print_facts(_facts(view, row, is_queued=is_queued))
    if reports:
        click.echo("\nLatest refreshes")
        lines = {iso(one.at): report_words(one) for one in reports[:_LAST_REPORTS]}
        print_facts(lines)
    if view.metadata is None:
        click.echo(f"\nNothing is held of it. Fetch it: flask --app reader cache refresh {path}")


@cache.command()
@click.argument("path")
@waits(60)
@as_json
def refresh(path: str, timeout: float, no_wait: bool, is_json: bool) -> None:
    """Ask GitHub for a resource now, even if it is fresh."""
    with desk() as found:
        resource = found.resource(path)
        report = refreshed(found, resource, Patience(0 if no_wait else timeout))
    if is_json:
        print_json({"resource": resource.name, "report": _plain(report) if report else None})
    elif report is None:
        click.echo(f"{resource.name} will be refreshed.")
    else:
        click.echo(f"{resource.name}: {report_words(report)} ({report.seconds:.2f} s)")
    if report is not None and report.outcome not in _GOOD:
        raise SystemExit(1)


@cache.command()
@click.argument("path")
@waits(60)
@as_json
def purge(path: str, timeout: float, no_wait: bool, is_json: bool) -> None:
    """Forget an on-demand resource, in Redis and in every reader."""
    with desk() as found:
        resource = found.resource(path)
        if resource.tracked:
            message = f"{path} is tracked, and always kept: use `refresh` instead."
            raise click.ClickException(message)
        forgotten(found, resource, Patience(0 if no_wait else timeout))
    if is_json:
        print_json({"resource": resource.name, "forgotten": not no_wait})
    else:
        click.echo(f"{resource.name} {'will be' if no_wait else 'is'} forgotten.")


@cache.command("warm")
@click.option("--force", is_flag=True, help="Also what is fresh.")
@click.option("--timeout", default=600.0, show_default=True, help="Seconds to wait at the most.")
@as_json
def warm_command(force: bool, timeout: float, is_json: bool) -> None:
    """Have everything tracked refreshed that is not fresh; shows how far it has come."""
    with desk() as found:
        ended = warm(found, force=force, patience=Patience(timeout), quiet=is_json)
    if is_json:
        print_json(
            [
                {
                    "resource": one.resource.name,
                    "step": one.step,
                    "report": _plain(one.report) if one.report else None,
                }
                for one in ended
            ]
        )
    late = [one.resource.name for one in ended if not one.is_over]
    failed = [one.resource.name for one in ended if one.step is Step.FAILED]
    if late:
        click.echo(f"not done in {timeout:.0f} s: {', '.join(late)}", err=True)
    if failed:
        click.echo(f"failed: {', '.join(failed)}", err=True)
    if late or failed:
        raise SystemExit(1)
    if not is_json:
        click.echo(f"{plural(len(ended), 'tracked resource')} fresh.")


@cache.command()
@as_json
def pause(is_json: bool) -> None:
    """Have refreshers begin nothing new."""
    _set_suspension(suspend, "Refreshing is paused.", is_json=is_json)


@cache.command("resume")
@as_json
def resume_command(is_json: bool) -> None:
    """Have refreshers go on."""
    _set_suspension(resume, "Refreshing goes on.", is_json=is_json)


@cache.command()
@as_json
def doctor(is_json: bool) -> None:
    """What is wrong with the set-up, and what to do about it; 1 if there is a problem."""
    with desk() as found:
        findings = examine(found)
    if is_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_findings(findings)
    if any(finding.verdict is Verdict.PROBLEM for finding in findings):
        raise SystemExit(1)


def _set_suspension(change: Callable[..., None], said: str, *, is_json: bool) -> None:
    with desk() as found:
        change(found.redis)
        is_paused = found.fleet().suspended
    if is_json:
        print_json({"paused": is_paused})
    else:
        click.echo(said)


def _facts(view: TrackedView, row: Mapping[str, Any], *, is_queued: bool) -> dict[str, str]:
    metadata, now = view.metadata, time.time()
    facts = {
        "Resource": view.resource.name,
        "Kept": "always (tracked)" if view.resource.tracked else "while it is asked for",
        "State": str(row["state"]),
        "Next refresh": str(row["next"]) + (" (queued)" if is_queued else ""),
        "Last refresh": str(row["outcome_words"]),
    }
    if metadata is not None:
        facts |= {
            "Age": f"{row['age']} {row['age_words']}",
            "Confirmed": clock(metadata.validated_at, now),
            "Changed": clock(metadata.changed_at, now),
            "Fresh until": clock(metadata.fresh_until, now),
            "Status": str(metadata.status),
            "Type": metadata.content_type,
            "ETag": f'"{metadata.etag}"',
            "Version": str(metadata.version),
            "Holds": str(row["items_words"]),
            "Size": f"{row['size']}; {row['encoded']}" if row["encoded"] else str(row["size"]),
        }
    if view.record.requests:
        facts["Answered 304"] = f"{row['unmodified']} {row['unmodified_words']}"
    return facts


def _plain(report: RefreshReport) -> dict[str, Any]:
    return {name: value for name, value in asdict(report).items() if value is not None}
