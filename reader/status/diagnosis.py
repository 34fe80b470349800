"""Statements on the state of the fleet, in plain words: a pure function of a snapshot."""

from collections.abc import Iterator, Sequence

from reader.fleet.holds import pauses
from reader.fleet.view import Fleet, TrackedView
from reader.status.content_statements import (
    content_statements,
    drift_statements,
    looked_at_twice,
    withheld_paths,
)
from reader.status.credential_statements import PRIVATE, privileged_credentials, refused_credentials
from reader.status.delivery_statements import lost_deliveries
from reader.status.demand import demand
from reader.status.formatting import about, capital, listed, plural
from reader.status.process_statements import process_statements
from reader.status.redis_statements import redis_statements
from reader.status.statement import Level, Statement, Topic
from shared.clock_skew import in_words, is_much
from shared.holds import HoldKind, redis_away
from shared.measures import Measure
from shared.outcomes import DriftCheck, RefreshOutcome
from shared.redis.trouble import Refusing

# What comes of the comparison of a page that was not disturbed; that of a doubt is not one more.
_COMPARED = frozenset({DriftCheck.SAME, DriftCheck.DIFFERENT})


def diagnose(
    fleet: Fleet | None,
    held: Sequence[TrackedView],
    *,
    now: float,
    away_since: float | None = None,
    include_private: bool = False,
    is_operator: bool = False,
    refusing: Refusing | None = None,
) -> list[Statement]:
    """The statements on the fleet, the worst first; at least one.

    Args:
        fleet: from Redis; None while Redis is unavailable.
        held: the tracked resources in this reader's memory.
        now: Unix time in seconds.
        away_since: Unix time in seconds since when Redis has been away; None if it is not.
        include_private: private repositories are served.
        is_operator: the reader of the statements holds `ADMIN_TOKEN`.
        refusing: why Redis refuses writes; None if it takes them.
    """
    if fleet is None:
        statements = [_redis_away(held, now, away_since)]
    else:
        # Content may be fresh whatever a credential sees, so that is stated as well.
        statements = [*redis_statements(fleet, refusing), *content_statements(fleet)]
        statements += _refreshing(fleet, can_report=refusing is None and not fleet.damaged)
        statements = statements or [_all_is_well(fleet)]
        statements += [*demand(fleet), *looked_at_twice(fleet), *lost_deliveries(fleet)]
        statements += [*drift_statements(fleet), *process_statements(fleet)]
    if include_private:
        statements.append(PRIVATE)
    if fleet is not None:
        statements += [
            *privileged_credentials(fleet, include_private=include_private),
            *_clocks(fleet),
        ]
        statements += [*refused_credentials(fleet, is_operator=is_operator), *withheld_paths(fleet)]
    order = list(Level)
    return sorted(statements, key=lambda statement: order.index(statement.level))


def _redis_away(held: Sequence[TrackedView], now: float, away_since: float | None) -> Statement:
    served = [view for view in held if view.metadata is not None]
    text = f"Redis does not respond. {redis_away(away_since).when_words(now)} "
    if served:
        oldest = max(view.age for view in served)
        text += (
            f"This reader serves {_some_of(len(served), len(held))} from its memory, "
            f"at most {about(oldest)} old; "
        )
    text += (
        "other requests get a 503, and nothing is refreshed. Readers and refreshers recover by "
        "themselves."
    )
    level = Level.WARN if len(served) == len(held) else Level.BAD
    return Statement(level, Topic.REDIS, "Redis is away", text, "redis-away")


def _refreshing(fleet: Fleet, *, can_report: bool) -> Iterator[Statement]:
    """Statements on what keeps the content fresh: refreshers, locks, GitHub, versions.

    Args:
        fleet: from Redis.
        can_report: refreshers can tell that they run.
    """
    yield from _pauses(fleet)
    if not fleet.workers and can_report:
        text = (
            "Nothing is refreshed: start `rq worker refresh`, as the Procfile does. "
            f"The queue holds {plural(fleet.queue_length, 'refresh', 'refreshes')}."
        )
        title = "No refresher is running"
        yield Statement(Level.WARN, Topic.REFRESHERS, title, text, "no-refreshers")
    if any(_lacks_lock(view) for view in fleet.tracked):
        text = (
            "Too few of the servers in REDLOCK_URLS respond to the refreshers. Nothing is "
            "refreshed; cached content is served. Refreshing resumes when they are back."
        )
        yield Statement(Level.WARN, Topic.LOCKS, "No lock can be taken", text)
    versions = {reader.version for reader in fleet.readers}
    if len(versions) > 1:
        text = f"Readers run versions {listed(sorted(versions))}: a deployment is under way."
        yield Statement(Level.NOTE, Topic.VERSIONS, "Several versions", text)


def _pauses(fleet: Fleet) -> Iterator[Statement]:
    """Pauses of all refreshes, by an operator and by GitHub."""
    served = "Cached content is served, but not renewed."
    for hold in pauses(fleet):
        text = f"{capital(hold.reason)}. {hold.when_words(fleet.now)} {served}"
        if hold.kind is HoldKind.PAUSED:
            title, topic, runbook = "Refreshing is paused", Topic.PAUSE, "refreshing-paused"
        else:
            title, topic, runbook = "GitHub asked for a pause", Topic.GITHUB, "origin-paused"
        yield Statement(Level.WARN, topic, title, text, runbook)


def _clocks(fleet: Fleet) -> Iterator[Statement]:
    """The clocks that are wrong."""
    wrong = skewed(fleet)
    if wrong:
        named = listed([f"{name} ({in_words(skew)})" for name, skew in wrong.items()])
        text = (
            f"Machines whose clock is wrong: {named}. Redis's clock is used instead; only the "
            "times in logs are wrong. Synchronise the clocks with NTP."
        )
        yield Statement(Level.NOTE, Topic.CLOCKS, "Clocks disagree", text)


def skewed(fleet: Fleet) -> dict[str, float]:
    """The nodes and refreshers whose clocks are far from Redis's, and by how many seconds."""
    skews = {one.node: one.skew for one in fleet.readers if is_much(one.skew)}
    workers = [one for one in fleet.workers if is_much(one.skew)]
    return skews | {f"{one.hostname}:{one.pid}": one.skew for one in workers}


def _lacks_lock(view: TrackedView) -> bool:
    last = view.record.last
    return last is not None and last.outcome is RefreshOutcome.NO_LOCK


def _all_is_well(fleet: Fleet) -> Statement:
    ends = min((view.metadata.fresh_until for view in fleet.tracked if view.metadata), default=0.0)
    text = f"{plural(len(fleet.tracked), 'tracked resource')} can be served and will stay fresh "
    text += f"for at least {about(ends - fleet.now)}."
    checks = fleet.measures.of(Measure.DRIFT_CHECKS)
    compared = sum(checks.get((result,), 0) for result in _COMPARED)
    if compared and not fleet.drift:
        text += f" {plural(int(compared), 'comparison')} of a stored page with GitHub's own answer "
        text += "found nothing that was wrong."
    return Statement(Level.GOOD, Topic.CONTENT, "Everything is fresh", text)


def _some_of(part: int, whole: int) -> str:
    return (
        f"all {whole} tracked resources"
        if part == whole
        else f"{part} of {whole} tracked resources"
    )
