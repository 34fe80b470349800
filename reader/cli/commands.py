"""The commands and their options: see `flask --app reader cache --help`."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from shlex import quote
from typing import Any, TypeVar

import click
from flask.cli import AppGroup

from reader.cli import documents, tables
from reader.cli.checks.finding import Verdict
from reader.cli.context import command_context
from reader.cli.doctor import diagnose_setup, print_findings
from reader.cli.printing import print_facts, print_json, print_table
from reader.cli.wait import (
    forget_and_wait,
    refresh_and_wait,
    remove_and_wait,
    request_refresh,
    request_removal,
)
from reader.cli.warm import Step, Warming, warm
from reader.fleet.suspension import resume, suspend
from reader.fleet.view import TrackedView
from reader.status.formatting import duration, plural
from reader.status.hold_rows import holds_for
from reader.status.page_input import PageInput
from reader.status.reports import describe
from reader.status.states import LEVELS, state_of
from shared.outcomes import SUCCESSES

Command = TypeVar("Command", bound=Callable[..., Any])

as_json = click.option("--json", "is_json", is_flag=True, help="Print one JSON document.")
no_wait = click.option("--no-wait", is_flag=True, help="Enqueue it and return at once.")

cache = AppGroup(
    "cache",
    help="""Inspect the cache, and refresh or remove its resources.

    PATH is GitHub's, with its query: /orgs/Netflix/repos, '/repos/netflix/hystrix/issues?page=2'.

    Settings come from the environment, as for a reader: REDIS_URL is the Redis, ORGS are the
    tracked organisations. Commands enqueue work for the refreshers and wait until it is done. The
    exit status is 1 if it was not done, or failed.
    """,
)


def within(seconds: float) -> Callable[[Command], Command]:
    """A command's `--timeout` option with this default."""
    return click.option(
        "--timeout",
        type=click.FloatRange(min=0),
        default=float(seconds),
        show_default=True,
        help="Seconds to wait at most.",
    )


@cache.command("list", short_help="List the cached resources and their state.")
@click.option("--on-demand/--no-on-demand", default=True, help="Include on-demand resources.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="Number of on-demand resources at most.",
)
@as_json
def list_command(on_demand: bool, limit: int, is_json: bool) -> None:
    """List the cached resources and their state: tracked ones, then on-demand ones."""
    with command_context() as context:
        fleet = context.fleet()
        views = list(fleet.tracked)
        resources = context.on_demand(limit + 1) if on_demand else []
        shown = sorted(resources[:limit], key=lambda resource: resource.name)
        views += context.watch.views(shown, now=fleet.now)
        page_input = context.page_input(fleet)
    if is_json:
        print_json([documents.of_resource(view, page_input) for view in views])
        return
    rows = [tables.list_row(view, page_input) for view in views]
    print_table(rows, tables.LIST, styles=[tables.STYLES[LEVELS[state_of(one)]] for one in views])
    _print_holds(views, page_input)
    if len(resources) > limit:
        click.echo(f"\nMore than {limit} on-demand resources are stored: see --limit.")


@cache.command(short_help="Show everything that is known about one resource.")
@click.argument("path")
@as_json
def show(path: str, is_json: bool) -> None:
    """Show everything that is known about one resource."""
    with command_context() as context:
        resource = context.resource(path)
        fleet = context.fleet()
        page_input, view = context.page_input(fleet), context.view(resource)
        is_queued = context.queue.is_queued(resource)
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
        click.echo(f"\nIt is not cached. Fetch it: flask --app reader cache refresh {name}")


@cache.command(short_help="Refresh a resource from GitHub now, even if it is fresh.")
@click.argument("path")
@no_wait
@within(300)
@as_json
def refresh(path: str, timeout: float, no_wait: bool, is_json: bool) -> None:
    """Refresh a resource from GitHub now, even if it is fresh or just failed; print the outcome."""
    with command_context() as context:
        resource = context.resource(path)
        if no_wait:
            _print(
                request_refresh(context, resource),
                {"resource": resource.name, "report": None},
                is_json,
            )
            return
        report = refresh_and_wait(context, resource, timeout=timeout)
    text = f"{resource.name}: {describe(report)} ({duration(report.seconds)})"
    _print(text, {"resource": resource.name, "report": documents.of_report(report)}, is_json)
    if report.outcome not in SUCCESSES:
        raise SystemExit(1)


@cache.command(short_help="Forget a resource: remove it, or read it anew if it is tracked.")
@click.argument("path")
@no_wait
@within(300)
@as_json
def purge(path: str, timeout: float, no_wait: bool, is_json: bool) -> None:
    """Remove an on-demand resource from Redis and from every reader's memory.

    A tracked one is read anew, without conditional requests, and is served until then.
    """
    report = None
    with command_context() as context:
        resource = context.resource(path)
        if no_wait:
            text = request_removal(context, resource)
        elif resource.tracked:
            report = forget_and_wait(context, resource, timeout=timeout)
            text = f"{resource.name}: {describe(report)} ({duration(report.seconds)})"
        else:
            remove_and_wait(context, resource, timeout=timeout)
            text = f"{resource.name} is removed."
    is_done = not no_wait and (report is None or report.outcome in SUCCESSES)
    _print(text, {"resource": resource.name, "forgotten": is_done}, is_json)
    if report is not None and not is_done:
        raise SystemExit(1)


@cache.command("warm", short_help="Refresh all tracked resources that are not fresh.")
@click.option("--force", is_flag=True, help="Refresh the fresh ones as well.")
@within(600)
@as_json
def warm_command(force: bool, timeout: float, is_json: bool) -> None:
    """Refresh all tracked resources that are not fresh, and show the progress."""
    with command_context() as context:
        warmings = warm(context, force=force, timeout=timeout, quiet=is_json)
    if is_json:
        print_json(
            [
                {
                    "resource": one.resource.name,
                    "step": str(one.step),
                    "report": documents.of_report(one.report),
                }
                for one in warmings
            ]
        )
    _exit_unless_fresh(warmings, timeout)
    if not is_json:
        click.echo(f"{plural(len(warmings), 'tracked resource')} fresh.")


@cache.command(short_help="Pause refreshing: refreshers start no new job.")
@as_json
def pause(is_json: bool) -> None:
    """Pause refreshing until `resume`: refreshers start no new job, readers serve the cache."""
    with command_context() as context:
        suspend(context.redis, now=context.clock.now())
    _print("Refreshing is paused: refreshers start no new job.", {"paused": True}, is_json)


@cache.command("resume", short_help="Resume refreshing, and end all pauses.")
@as_json
def resume_command(is_json: bool) -> None:
    """Resume refreshing after `pause`, and end every pause that GitHub or a failure imposed."""
    with command_context() as context:
        resume(context.redis)
    _print("Refreshing is resumed. Every other pause has ended, too.", {"paused": False}, is_json)


@cache.command(short_help="Show which paths and clients use GitHub's limits.")
@as_json
def usage(is_json: bool) -> None:
    """Show which paths and clients caused the most requests to GitHub in the last hour.

    Addresses of clients are those of clients that waited for content.
    """
    with command_context() as context:
        spent = context.fleet().spent
    if is_json:
        print_json(documents.of_spent(spent))
        return
    for title, spenders in (("Path", spent.paths), ("Client", spent.clients)):
        rows = tables.usage_rows(spenders, spent.total)
        print_table(rows, tables.usage_columns(title))
        click.echo()
    click.echo(f"{plural(spent.total, 'request')} to GitHub in the last hour.")


@cache.command(short_help="Check the set-up, and advise on what is wrong.")
@as_json
def doctor(is_json: bool) -> None:
    """Check the set-up, and advise on what is wrong.

    The exit status is 1 if there is a problem; warnings and notes leave it 0.
    """
    with command_context() as context:
        findings = diagnose_setup(context)
    if is_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_findings(findings)
    if any(finding.verdict is Verdict.PROBLEM for finding in findings):
        raise SystemExit(1)


def _print(text: str, document: documents.Document, is_json: bool) -> None:
    if is_json:
        print_json(document)
    else:
        click.echo(text)


def _print_holds(views: Sequence[TrackedView], page_input: PageInput) -> None:
    """Print what holds back the fleet, and the resources that are listed."""
    assert page_input.fleet is not None
    of_fleet = holds_for(replace(page_input, fleet=replace(page_input.fleet, on_demand=())))
    of_views = [hold for view in views for hold in documents.holds_on(view, page_input)]
    found = tables.held_back([*of_fleet, *of_views], page_input.now)
    if found:
        click.echo("\nHeld back")
        print_facts(found)


def _exit_unless_fresh(warmings: Sequence[Warming], timeout: float) -> None:
    """Print which resources are not fresh, and exit with status 1 if there are any."""
    late = [one for one in warmings if not one.is_over]
    failed = [one for one in warmings if one.step is Step.FAILED]
    for what, those in (("Failed", failed), (f"Not done in {duration(timeout)}", late)):
        if those:
            click.echo(f"{what}: {', '.join(one.resource.name for one in those)}", err=True)
    if late or failed:
        raise SystemExit(1)
