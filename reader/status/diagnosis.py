"""Statements on the state of the fleet, in plain words: a pure function of a snapshot."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from reader.fleet.disclosure import is_withheld
from reader.fleet.holds import pauses
from reader.fleet.privileged_credentials import privileged
from reader.fleet.refused_credentials import refused
from reader.fleet.view import Fleet, TrackedView
from reader.status.delivery_statements import lost_deliveries
from reader.status.demand import demand
from reader.status.formatting import about, capital, clock, listed, plural
from reader.status.process_statements import process_statements
from reader.status.redis_statements import redis_statements
from reader.status.statement import Level, Statement, Topic
from shared.clock_skew import in_words, is_much
from shared.holds import Hold, HoldKind, redis_away
from shared.looks import LAST_S
from shared.measures import Measure
from shared.outcomes import SUCCESSES, DriftCheck, FailureKind, RefreshOutcome
from shared.redis.trouble import Refusing
from shared.suspicion import SECOND_LOOK_S


class State(StrEnum):
    """The state of a resource."""

    FRESH = "fresh"  # inside its lifetime
    STALE = "stale"  # past it; a refresh is due, queued or running
    FAILING = "failing"  # its last refresh failed; cached content is served
    DOUBTED = "in doubt"  # the list lost much at GitHub; the one from before is served
    WITHHELD = "withheld"  # of TRACK: clients get GitHub's error, or a refusal
    MISSING = "missing"  # nothing is cached


_LATELY_S = 3600  # seconds for which second looks are shown,
_MOST_LOOKS = 3  # and how many of them
# What comes of the comparison of a page that was not disturbed; that of a doubt is not one more.
_COMPARED = frozenset({DriftCheck.SAME, DriftCheck.DIFFERENT})
_MOST_REFUSED = 3  # refusals of credentials that are named
_PRIVILEGED = "A credential sees more than the public"

# Shape and word tell states apart; colour only helps.
SIGNS = {
    State.FRESH: "✓",
    State.STALE: "↻",
    State.FAILING: "!",
    State.DOUBTED: "?",
    State.WITHHELD: "\u2013",
    State.MISSING: "✕",
}
LEVEL_SIGNS = {Level.GOOD: "✓", Level.NOTE: "i", Level.WARN: "!", Level.BAD: "✕"}
LEVELS = {
    State.FRESH: Level.GOOD,
    State.STALE: Level.NOTE,
    State.FAILING: Level.WARN,
    State.DOUBTED: Level.WARN,
    State.WITHHELD: Level.NOTE,
    State.MISSING: Level.BAD,
}


def state_of(view: TrackedView) -> State:
    """The state of a resource."""
    if view.metadata is None:
        return State.MISSING
    if view.failure is not None:
        return State.FAILING
    if view.suspicion is not None:
        return State.DOUBTED
    if is_withheld(view):
        return State.WITHHELD
    return State.FRESH if view.is_fresh else State.STALE


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
        statements = [*redis_statements(fleet, refusing), *_content(fleet)]
        statements += _refreshing(fleet, can_report=refusing is None and not fleet.damaged)
        statements = statements or [_all_is_well(fleet)]
        statements += [*demand(fleet), *_looked_at_twice(fleet), *lost_deliveries(fleet)]
        statements += [*_drift(fleet), *process_statements(fleet)]
    if include_private:
        statements.append(_PRIVATE)
    if fleet is not None:
        statements += [*_privileged(fleet, include_private=include_private), *_clocks(fleet)]
        statements += [*_refused_credentials(fleet, is_operator=is_operator), *_withheld(fleet)]
    order = list(Level)
    return sorted(statements, key=lambda statement: order.index(statement.level))


_PRIVATE = Statement(
    Level.NOTE,
    Topic.PRIVATE,
    "Private repositories are served to everybody",
    "INCLUDE_PRIVATE=true lets private repositories, and the resources below them, into the cache. "
    "Every client that can reach a reader can read them: restrict access to the readers.",
)


def _privileged(fleet: Fleet, *, include_private: bool) -> Iterator[Statement]:
    """The credentials that see too much, what shows it, and what to create instead."""
    found = list(privileged(fleet.budgets))
    if not found:
        return
    if include_private:  # a credential has to see them, so there is nothing to create instead
        needed = "INCLUDE_PRIVATE=true needs one that sees private repositories, and nothing else."
        named = [f"{one.id} {listed(list(one.shown_by))}." for one in found]
        yield Statement(Level.NOTE, Topic.PRIVILEGES, _PRIVILEGED, " ".join([needed, *named]))
        return
    served = "Readers still serve only public content, but a bug could expose the rest."
    named = [f"{one.id} {listed(list(one.shown_by))}: {one.instead}." for one in found]
    text = " ".join([served, *named])
    yield Statement(Level.WARN, Topic.PRIVILEGES, _PRIVILEGED, text, "privileged-credential")


def _refused_credentials(fleet: Fleet, *, is_operator: bool) -> Iterator[Statement]:
    """The credentials that GitHub refuses; operators learn for whom and why, in its own words."""
    found = list(refused(fleet.budgets, fleet.now))
    if not found:
        return
    words = [one.words if is_operator else one.public_words for one in found]
    known = list(dict.fromkeys(words))
    shown = [f"{one.rstrip('.')}." for one in known[:_MOST_REFUSED]]
    more = len(known) - len(shown)
    text = " ".join([*shown, *([f"There are {more} more."] if more else [])])
    if words != [one.words for one in found]:
        text += " Whoever signs in sees for which ones, and why."
    text += " Others are used there, or none: requests without a credential have a small limit."
    title = "GitHub refuses a credential"
    yield Statement(Level.WARN, Topic.CREDENTIALS, title, text, "credential-refused")


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


def _content(fleet: Fleet) -> Iterator[Statement]:
    """Statements on the content: missing, failing, doubted and stale resources."""
    by_state: dict[State, list[TrackedView]] = {state: [] for state in State}
    for view in fleet.tracked:
        by_state[state_of(view)].append(view)
    missing, stale = by_state[State.MISSING], by_state[State.STALE]
    if missing:
        yield _missing(missing, fleet)
    if by_state[State.FAILING]:
        yield _failing(by_state[State.FAILING], fleet)
    yield from _doubted(fleet)
    if fleet.looks:
        yield _looked_at_again(fleet)
    if fleet.withdrawn:
        yield _withdrawn(fleet)
    if stale:
        oldest = max(view.age for view in stale)
        under_way = sum(view.is_running for view in stale)
        text = (
            f"Past CACHE_TTL, but still served: {len(stale)} of "
            f"{plural(len(fleet.tracked), 'tracked resource')}, at most {about(oldest)} old. "
            f"{_under_way(under_way, fleet)}"
        )
        yield Statement(Level.NOTE, Topic.CONTENT, f"{len(stale)} stale", text)


def _looked_at_again(fleet: Fleet) -> Statement:
    """The resources of which GitHub has reported a change a moment ago."""
    title = f"{plural(fleet.looks, 'resource')} looked at again"
    text = (
        "GitHub has reported a change. What it shows is stored at once, and requested again until "
        f"{LAST_S:.0f} s after the change, because GitHub may show older content for some seconds."
    )
    return Statement(Level.NOTE, Topic.CONTENT, title, text)


def _withdrawn(fleet: Fleet) -> Statement:
    """The repositories of which GitHub has reported that they are no longer public."""
    title = f"{plural(fleet.withdrawn, 'repository', 'repositories')} withdrawn"
    text = (
        "GitHub has reported in the last hour that they were made private or deleted. Nothing of "
        "them is served, whatever was stored before, unless GitHub says or shows that they are "
        "public again."
    )
    return Statement(Level.NOTE, Topic.CONTENT, title, text)


def _missing(missing: Sequence[TrackedView], fleet: Fleet) -> Statement:
    names = listed([view.resource.name for view in missing])
    reasons = [view for view in missing if view.failure is not None]
    text = f"{names} cannot be served: nothing is cached yet. "
    if reasons:
        text += _why(reasons, fleet.now)
    else:
        text += _under_way(sum(view.is_running for view in missing), fleet)
        text += " If this lasts, compare ORGS and TRACK of readers and refreshers."
    title = f"{plural(len(missing), 'resource')} missing"
    return Statement(Level.BAD, Topic.CONTENT, title, text, "resource-not-servable")


def _failing(failing: Sequence[TrackedView], fleet: Fleet) -> Statement:
    oldest = max(view.age for view in failing)
    text = (
        f"{len(failing)} of {plural(len(fleet.tracked), 'tracked resource')} cannot be refreshed. "
        f"{_why(failing, fleet.now)} Cached content is still served, at most {about(oldest)} old."
    )
    kinds = {view.failure.kind for view in failing if view.failure is not None}
    return Statement(Level.WARN, Topic.CONTENT, _what_fails(kinds), text, "refresh-failing")


def _doubted(fleet: Fleet) -> Iterator[Statement]:
    """The lists that lost much at GitHub, tracked or on demand."""
    views = [*fleet.tracked, *(one.view for one in fleet.on_demand)]
    doubts = [(view, view.suspicion) for view in views if view.suspicion is not None]
    if not doubts:
        return
    named = listed([f"{view.resource.name}: {doubt.reason}" for view, doubt in doubts])
    first = min((doubt for _, doubt in doubts), key=lambda doubt: doubt.look_at)
    hold = Hold(HoldKind.DOUBTED, "", "", first.at, first.look_at)
    text = (
        f"{named}. This is not believed before a second look, at least {SECOND_LOOK_S:.0f} s after "
        f"the first. {hold.when_words(fleet.now)} What was stored before is served."
    )
    title = f"{plural(len(doubts), 'list')} lost much at GitHub"
    yield Statement(Level.WARN, Topic.CONTENT, title, text)


def _looked_at_twice(fleet: Fleet) -> Iterator[Statement]:
    """What second looks at lists have shown lately."""
    shown = [
        f"{report.resource}, {clock(report.at, fleet.now)}: {report.reason}"
        for report in fleet.timeline
        if report.outcome in SUCCESSES and report.reason and report.at > fleet.now - _LATELY_S
    ]
    if shown:
        text = ". ".join(shown[:_MOST_LOOKS]) + "."
        yield Statement(Level.NOTE, Topic.CONTENT, "A list was looked at twice", text)


def _drift(fleet: Fleet) -> Iterator[Statement]:
    """The drift that was found in the last days."""
    if not fleet.drift:
        return
    named = [
        f"{one.resource}{_of_items(len(one.items))} {about(fleet.now - one.at)} ago"
        for one in fleet.drift
    ]
    text = (
        f"{listed(named)}: what was stored differed from what GitHub shows, although GitHub had "
        "confirmed it. Such content is read anew at once."
    )
    is_late = fleet.drift[0].at < fleet.now - _LATELY_S
    yield Statement(
        Level.NOTE if is_late else Level.WARN,
        Topic.DRIFT,
        "Drift was found, and healed",
        text,
        "drift",
    )


def _of_items(number: int) -> str:
    return f" ({plural(number, 'item')})" if number else ""


def _withheld(fleet: Fleet) -> Iterator[Statement]:
    """The paths of `TRACK` that clients do not get; they are named to operators only."""
    withheld = [view for view in fleet.tracked if is_withheld(view)]
    number = len(withheld) + fleet.undisclosed
    if not number:
        return
    named = listed(
        [f"{view.resource.name} ({view.metadata.status})" for view in withheld if view.metadata]
    )
    text = (
        "Clients get GitHub's error for these. They are requested again when CACHE_TTL is over, "
        "and after each event of GitHub's about them."
    )
    if fleet.undisclosed:
        text = "They are not readable for everybody, or not read yet. Whoever signs in sees which."
    title = f"{plural(number, 'path')} of TRACK withheld"
    text = f"{named}. {text}" if named else text
    yield Statement(Level.NOTE, Topic.TRACK, title, text, "tracked-paths-withheld")


def _what_fails(kinds: set[FailureKind]) -> str:
    if kinds == {FailureKind.RATE_LIMITED}:
        return "GitHub's rate limit is reached"
    if kinds == {FailureKind.UNAUTHORIZED}:
        return "GitHub rejects our credentials"
    if FailureKind.INTERNAL in kinds:
        return "Refreshes fail with an internal error"
    return "GitHub is failing"


def _why(failing: Sequence[TrackedView], now: float) -> str:
    """Why the resources fail, since when, when the next try is, and what ends it."""
    failures = [view.failure for view in failing if view.failure is not None]
    since = min(failure.since for failure in failures)
    last = max(failures, key=lambda failure: failure.at)
    next_try = min(failure.retry_at for failure in failures)
    hold = Hold(HoldKind.FAILING, "", last.reason, since, next_try)
    return f"{hold.reason}. {hold.when_words(now)}"


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


def _under_way(number: int, fleet: Fleet) -> str:
    if number:
        return f"{plural(number, 'refresh', 'refreshes')} under way."

    if fleet.suspended or not fleet.workers:
        return "No refresh is under way."
    return "The refresh is queued, or about to be."


def _some_of(part: int, whole: int) -> str:
    return (
        f"all {whole} tracked resources"
        if part == whole
        else f"{part} of {whole} tracked resources"
    )
