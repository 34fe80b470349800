"""Statements on the load: refused requests, used-up points, refreshers without order; pure."""

from collections.abc import Iterator

from reader.fleet.view import Fleet
from reader.status.formatting import about, count, listed, plural
from reader.status.statement import Level, Statement, Topic
from shared.outcomes import Refusal
from shared.queue_order import Lane

# Seconds after which a refresher that has reported nothing of itself counts as one of another kind.
_REPORTS_WITHIN = 5.0
_OF_ONE_CLIENT = (Refusal.CLIENT_WAITS, Refusal.CLIENT_THREADS)
_OF_LOAD = (Refusal.TOO_LATE, Refusal.TIMED_OUT, Refusal.THREADS, Refusal.QUEUE_FULL)


def demand(fleet: Fleet) -> Iterator[Statement]:
    """The statements on the load of a fleet."""
    yield from _turned_away(fleet)
    yield from _greedy_client(fleet)
    yield from _without_order(fleet)


def _turned_away(fleet: Fleet) -> Iterator[Statement]:
    """Clients get a 503 because there is too much to do, or refreshes wait for points."""
    refused = sum(fleet.refused.get(cause, 0) for cause in _OF_LOAD)
    jobs = sum(queued.jobs for (lane, _), queued in fleet.queue.items() if lane is Lane.ON_DEMAND)
    turned_away = (
        f"In the last minute, {plural(refused, 'request')} for content that is not held got a 503. "
        if refused
        else ""
    )
    if fleet.points is not None and fleet.points.on_demand < 1 and jobs:
        longest = max(
            queued.longest for (lane, _), queued in fleet.queue.items() if lane is Lane.ON_DEMAND
        )
        text = (
            f"{turned_away}On-demand content has used up its share of the requests that may be "
            "sent in a minute (ORIGIN_POINTS_PER_MINUTE); refreshes on demand that are queued: "
            f"{count(jobs)}, the oldest for {about(longest)}. Tracked content has a share of its "
            "own. Raise ON_DEMAND_TTL, or have clients request fewer different paths."
        )
        level = Level.WARN if refused else Level.NOTE
        title = "On-demand content has used up its requests to GitHub for now"
        runbook = "clients-turned-away" if refused else "clients-wait-long"
        yield Statement(level, Topic.POINTS, title, text, runbook)
    elif refused:
        text = (
            f"{turned_away}Content that is held is served. Refreshes on demand that are queued: "
            f"{count(jobs)}. Check whether GitHub is slow, run one more refresher, or raise "
            "MISS_WAIT."
        )
        title = "Requests are refused"
        yield Statement(Level.WARN, Topic.REFUSALS, title, text, "clients-turned-away")


def _greedy_client(fleet: Fleet) -> Iterator[Statement]:
    refused = sum(fleet.refused.get(cause, 0) for cause in _OF_ONE_CLIENT)
    if refused:
        text = (
            f"In the last minute, {plural(refused, 'request')} got a 429: one client waits for "
            "CLIENT_MAX_WAITING paths, or for three quarters of the threads of a reader process "
            "that may wait (READER_THREADS). Other clients are served in turn. `flask --app reader "
            "cache usage` names the clients that use the budget."
        )
        title = "A client asks for too much"
        yield Statement(Level.NOTE, Topic.REFUSALS, title, text, "client-refused")


def _without_order(fleet: Fleet) -> Iterator[Statement]:
    """Refreshers that take jobs in the order of RQ's list."""
    names = [
        f"{one.hostname}:{one.pid}"
        for one in fleet.workers
        if one.slots is None and fleet.now - (one.started_at or 0) > _REPORTS_WITHIN
    ]
    if names:
        text = (
            f"A plain `rq worker`, or a refresher of an older release: {listed(names)}. It "
            "refreshes one resource after the other, in the order of the requests; a client that "
            "waits has no precedence. Start refreshers as the Procfile does."
        )
        yield Statement(Level.NOTE, Topic.REFRESHERS, "Refreshes without order", text)
