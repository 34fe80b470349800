"""Checks of the fleet: refreshers, queue, readers, content, and GitHub's responses."""

from collections.abc import Iterator
from math import ceil

from reader.cli.checks.finding import VERDICTS, Finding, Verdict
from reader.fleet.view import Fleet, TrackedView
from reader.status.diagnosis import diagnose
from reader.status.formatting import about, count, listed, plural
from reader.status.process_statements import without_files
from reader.status.statement import Topic
from shared.settings import Settings

_LONG_QUEUE = 100
# Topics of the status page's statements that other checks cover in their own words.
_CHECKED_ELSEWHERE = {
    *(
        Topic.REFRESHERS,
        Topic.PAUSE,
        Topic.VERSIONS,
        Topic.PRIVILEGES,
        Topic.CLOCKS,
        Topic.CREDENTIALS,
        Topic.DELIVERIES,
        Topic.SCHEDULERS,
        Topic.FILES,
    ),
}


def check_processes(fleet: Fleet) -> Iterator[Finding]:
    """Check that refreshers and readers are running, and that the queue is short."""
    subject, workers = "refreshers", len(fleet.workers)
    if not workers:
        advice = "start them as the Procfile does: rq worker ... refresh"
        yield Finding(subject, Verdict.PROBLEM, "none is running: nothing is refreshed", advice)
    elif workers == 1:
        found = "only one is running: nothing is refreshed while it restarts"
        yield Finding(subject, Verdict.NOTE, found, "run at least two")
    else:
        yield Finding(subject, Verdict.OK, f"{workers} are running")
    long = fleet.queue_length > _LONG_QUEUE
    yield Finding(
        "queue",
        Verdict.WARNING if long else Verdict.OK,
        f"{plural(fleet.queue_length, 'refresh', 'refreshes')} queued",
        "run more refreshers, or find out what they are waiting for" if long else "",
    )
    yield from _check_scheduler(fleet)
    yield from _check_readers(fleet)


def _check_scheduler(fleet: Fleet) -> Iterator[Finding]:
    """A fleet without one is as it should be, unless the last one has died."""
    subject = "scheduler"
    if fleet.schedulers:
        yield Finding(subject, Verdict.OK, plural(fleet.schedulers, "scheduler"))
    elif fleet.scheduler_lost_at is not None:
        found = f"the last one has died {about(fleet.now - fleet.scheduler_lost_at)} ago"
        advice = "start one as the Procfile does: python -m refresher.scheduler"
        yield Finding(subject, Verdict.WARNING, found, advice)


def _check_readers(fleet: Fleet) -> Iterator[Finding]:
    subject, readers = "readers", fleet.readers
    if not readers:
        found = "no reader process has reported to this Redis"
        yield Finding(subject, Verdict.WARNING, found, "start them as the Procfile does")
        return
    nodes = {reader.node for reader in readers}
    processes = plural(len(readers), "process", "processes")
    yield Finding(subject, Verdict.OK, f"{processes} on {plural(len(nodes), 'node')}")
    for node, uses in without_files(readers).items():
        found = f"{node} cannot write temporary files for {listed(uses)}"
        advice = "make room in its folder for temporary files and in /dev/shm"
        yield Finding(subject, Verdict.WARNING, found, advice)
    versions = sorted({reader.version for reader in readers})
    if len(versions) > 1:
        found = f"they run versions {listed(versions)}"
        yield Finding(subject, Verdict.NOTE, found, "finish the deployment that is under way")


def check_content(fleet: Fleet) -> Iterator[Finding]:
    """Check that tracked resources can be served and stay fresh, as the status page does."""
    for statement in diagnose(fleet, [], now=fleet.now):
        if statement.topic not in _CHECKED_ELSEWHERE:
            found = f"{statement.title}. {statement.text}"
            yield Finding("content", VERDICTS[statement.level], found)


def check_cost(fleet: Fleet, settings: Settings) -> Iterator[Finding]:
    """Check that GitHub's limits suffice for what is tracked, without any change or event."""
    in_a_lifetime = sum(_requests_of(view) for view in fleet.tracked)
    in_a_minute = in_a_lifetime * 60 / settings.cache_ttl
    found = f"what is tracked needs about {count(ceil(60 * in_a_minute))} requests an hour"
    advice = "raise CACHE_TTL, or track less (TRACK, ORGS)"
    most = settings.origin_points_per_minute
    if in_a_minute > most / 2:
        found += f", of {count(60 * most)} that ORIGIN_POINTS_PER_MINUTE allows"
        yield Finding("content", Verdict.WARNING, found, advice)
        return
    core = [one for one in fleet.budgets if one.resource_class == "core"]
    limit = sum(one.limit for one in core)
    if core and all(one.is_anonymous for one in core) and 60 * in_a_minute > limit:
        found += f", of {count(limit)} that GitHub allows without a credential"
        yield Finding("content", Verdict.WARNING, found, "give refreshers a token")


def _requests_of(view: TrackedView) -> int:
    """Requests of a refresh that finds nothing new: its pages, and the repository above it."""
    return max(1, view.pages or 1) + bool(view.resource.repository_above)


def check_github(fleet: Fleet) -> Iterator[Finding]:
    """Check GitHub's last response, and for keys that this release does not know."""
    origin, unknown = fleet.origin, list(fleet.unknown_fields)
    if unknown:
        yield Finding(
            "github",
            Verdict.NOTE,
            f"it sends {plural(len(unknown), 'key')} that this release does not know and "
            f"therefore drops: {listed(unknown)}",
            "update, or report them if this is the newest release",
        )
    if origin.answered_at is None:
        yield Finding("github", Verdict.NOTE, "no refresher has had a response yet")
        return
    ago = about(fleet.now - origin.answered_at)
    bad = origin.status is not None and origin.status >= 500
    found = f"it responded {origin.status}, {ago} ago"
    yield Finding("github", Verdict.WARNING if bad else Verdict.OK, found)
