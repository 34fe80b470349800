"""Statements on the content: what is missing, old, in doubt, withheld, or was wrong. Pure."""

from collections.abc import Iterator, Sequence

from reader.fleet.disclosure import is_withheld
from reader.fleet.view import Fleet, TrackedView
from reader.status.formatting import about, clock, listed, plural
from reader.status.statement import Level, Statement, Topic
from reader.status.states import State, state_of
from shared.holds import Hold, HoldKind
from shared.looks import LAST_S
from shared.outcomes import SUCCESSES, FailureKind
from shared.suspicion import SECOND_LOOK_S

_LATELY_S = 3600  # seconds for which second looks are shown,
_MOST_LOOKS = 3  # and how many of them


def content_statements(fleet: Fleet) -> Iterator[Statement]:
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


def looked_at_twice(fleet: Fleet) -> Iterator[Statement]:
    """What second looks at lists have shown lately."""
    shown = [
        f"{report.resource}, {clock(report.at, fleet.now)}: {report.reason}"
        for report in fleet.timeline
        if report.outcome in SUCCESSES and report.reason and report.at > fleet.now - _LATELY_S
    ]
    if shown:
        text = ". ".join(shown[:_MOST_LOOKS]) + "."
        yield Statement(Level.NOTE, Topic.CONTENT, "A list was looked at twice", text)


def drift_statements(fleet: Fleet) -> Iterator[Statement]:
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


def withheld_paths(fleet: Fleet) -> Iterator[Statement]:
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


def _under_way(number: int, fleet: Fleet) -> str:
    if number:
        return f"{plural(number, 'refresh', 'refreshes')} under way."

    if fleet.suspended or not fleet.workers:
        return "No refresh is under way."
    return "The refresh is queued, or about to be."
