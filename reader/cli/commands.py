"""The commands: `flask --app reader cache --help`."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from shlex import quote
from typing import Any, TypeVar

import click
from flask.cli import AppGroup

from reader.cli import documents, tables
from reader.cli.checks import Verdict
from reader.cli.context import context
from reader.cli.doctor import examine, print_findings
from reader.cli.printing import print_facts, print_json, print_table
from reader.cli.wait import asked, asked_to_forget, forgotten, refreshed
from reader.cli.warm import Step, Warming, warm
from reader.fleet.snapshot import TrackedView
from reader.fleet.suspension import resume, suspend
from reader.status.diagnosis import LEVELS, state_of
from reader.status.formatting import duration, plural
from reader.status.reports import report_words
from shared.outcomes import RefreshOutcome

Command = TypeVar("Command", bound=Callable[..., Any])

_GOOD = frozenset({RefreshOutcome.UPDATED, RefreshOutcome.UNCHANGED})

as_json = click.option("--json", "is_json", is_flag=True, help="One JSON document.")
no_wait = click.option("--no-wait", is_flag=True, help="Ask for it, and leave.")

cache = AppGroup(
    "cache",
    help="""Look at what is cached, and have something done about it.

    PATH is GitHub's, with its query: /orgs/Netflix/repos, '/repos/netflix/hystrix/issues?page=2'.

    Settings come from the environment, as a reader's do: REDIS_URL names the Redis, ORGS what is
    tracked. Commands ask the refreshers for what is to be done, and wait until it is. The exit
    status is 1 where it was not done, or went wrong.
    """,
)


def within(seconds: float) -> Callable[[Command], Command]:
    """Give a command the option of how long to wait."""
    return click.option(
        "--timeout",
        type=click.FloatRange(min=0),
        default=float(seconds),
        show_default=True,
        help="Seconds to wait at the most.",
    )


@cache.command("list", short_help="What is held, and how it is.")
@click.option("--on-demand/--no-on-demand", default=True, help="Also what is not tracked.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="On-demand resources at the most.",
)
@as_json
def list_command(on_demand: bool, limit: int, is_json: bool) -> None:
    """What is held, and how it is: what is tracked, then what is stored on demand."""
    with context() as found:
        fleet = found.fleet()
        views = list(fleet.tracked)
        resources = found.on_demand(limit + 1) if on_demand else []
        shown = sorted(resources[:limit], key=lambda resource: resource.name)
        views += found.watch.views(shown, now=fleet.now)
        page_input = found.page_input(fleet)
    if is_json:
        print_json([documents.of_resource(view, page_input) for view in views])
        return
    rows = [tables.list_row(view, page_input) for view in views]
    print_table(rows, tables.LIST, styles=[tables.STYLES[LEVELS[state_of(one)]] for one in views])
    _print_failures(views, page_input.now)
    if len(resources) > limit:
        click.echo(f"\nMore than {limit} on-demand resources are stored: see --limit.")


@cache.command(short_help="Everything that is known of one resource.")
@click.argument("path")
@as_json
def show(path: str, is_json: bool) -> None:
    """Everything that is known of one resource."""
    with context() as found:
        resource = found.resource(path)
        fleet = found.fleet()
        page_input, view = found.page_input(fleet), found.view(resource)
        is_queued = found.queue.is_queued(resource)
    reports = tables.latest(fleet.timeline, resource.name)
    if is_json:
        print_json(
            documents.of_resource_in_full(view, page_input, is_queued=is_queued, reports=reports)
        )
        return
    print_facts(tables.facts(view, page_input, is_queued=is_queued))
    if reports:
        click.echo("\nLatest refreshes")
        print_table([tables.report_row(one, page_input.now) for one in reports], tables.REPORTS)
    if view.metadata is None:
        name = quote(resource.name)
        click.echo(f"\nNothing is held of it. Fetch it: flask --app reader cache refresh {name}")


@cache.command(short_help="Ask GitHub for a resource now, even if it is fresh.")
@click.argument("path")
@no_wait
@within(300)
@as_json
def refresh(path: str, timeout: float, no_wait: bool, is_json: bool) -> None:
    """Ask GitHub for a resource now, even if it is fresh or just failed; say how it ended."""
    with context() as found:
        resource = found.resource(path)
        if no_wait:
            _say(asked(found, resource), {"resource": resource.name, "report": None}, is_json)
            return
        report = refreshed(found, resource, timeout=timeout)
    said = f"{resource.name}: {report_words(report)} ({duration(report.seconds)})"
    _say(said, {"resource": resource.name, "report": documents.of_report(report)}, is_json)
    if report.outcome not in _GOOD:
        raise SystemExit(1)


@cache.command(short_help="Forget an on-demand resource, in Redis and in every reader.")
@click.argument("path")
@no_wait
@within(60)
@as_json
def purge(path: str, timeout: float, no_wait: bool, is_json: bool) -> None:
    """Forget an on-demand resource, in Redis and in every reader's memory."""
    with context() as found:
        resource = found.resource(path)
        if resource.tracked:
            message = f"{resource.name} is tracked, and always kept: use `refresh` instead."
            raise click.ClickException(message)
        if no_wait:
            said = asked_to_forget(found, resource)
        else:
            forgotten(found, resource, timeout=timeout)
            said = f"{resource.name} is forgotten."
    _say(said, {"resource": resource.name, "forgotten": not no_wait}, is_json)


@cache.command("warm", short_help="Have everything tracked refreshed that is not fresh.")
@click.option("--force", is_flag=True, help="Also what is fresh.")
@within(600)
@as_json
def warm_command(force: bool, timeout: float, is_json: bool) -> None:
    """Have everything tracked refreshed that is not fresh, and show how far it has come."""
    with context() as found:
        ended = warm(found, force=force, timeout=timeout, quiet=is_json)
    if is_json:
        print_json(
            [
                {
                    "resource": one.resource.name,
                    "step": str(one.step),
                    "report": documents.of_report(one.report),
                }
                for one in ended
            ]
        )
    _complain(ended, timeout)
    if not is_json:
        click.echo(f"{plural(len(ended), 'tracked resource')} fresh.")


@cache.command(short_help="Have refreshers begin nothing new.")
@as_json
def pause(is_json: bool) -> None:
    """Have refreshers begin nothing new, until `resume`; readers serve what is held."""
    with context() as found:
        suspend(found.redis)
    _say("Refreshing is paused: no refresher begins anything new.", {"paused": True}, is_json)


@cache.command("resume", short_help="Have refreshers go on.")
@as_json
def resume_command(is_json: bool) -> None:
    """Have refreshers go on."""
    with context() as found:
        resume(found.redis)
    _say("Refreshing goes on.", {"paused": False}, is_json)


@cache.command(short_help="What is wrong with the set-up, and what to do about it.")
@as_json
def doctor(is_json: bool) -> None:
    """What is wrong with the set-up, and what to do about it.

    The exit status is 1 if there is a problem; warnings and notes leave it 0.
    """
    with context() as found:
        findings = examine(found)
    if is_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_findings(findings)
    if any(finding.verdict is Verdict.PROBLEM for finding in findings):
        raise SystemExit(1)


def _say(words: str, document: documents.Document, is_json: bool) -> None:
    if is_json:
        print_json(document)
    else:
        click.echo(words)


def _print_failures(views: Sequence[TrackedView], now: float) -> None:
    found = tables.failures(views, now)
    if found:
        click.echo("\nFailing")
        print_facts(found)


def _complain(ended: Sequence[Warming], timeout: float) -> None:
    """End with 1 where something is not fresh, and say what."""
    late = [one for one in ended if not one.is_over]
    failed = [one for one in ended if one.step is Step.FAILED]
    for what, those in (("Failed", failed), (f"Not done in {duration(timeout)}", late)):
        if those:
            click.echo(f"{what}: {', '.join(one.resource.name for one in those)}", err=True)
    if late or failed:
        raise SystemExit(1)
