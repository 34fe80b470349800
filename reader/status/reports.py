"""The page's rows about refreshes, and a refresh's outcome as text."""

from reader.status.formatting import clock, duration, iso, plural
from reader.status.page_input import JsonObject
from reader.status.statement import Level
from shared.outcomes import SUCCESSES, RefreshOutcome
from shared.refresh_report import RefreshReport

_OUTCOMES = {
    RefreshOutcome.UPDATED: "updated: new content was stored",
    RefreshOutcome.UNCHANGED: "unchanged at GitHub",
    RefreshOutcome.NOT_READY: "GitHub is still computing it; what was stored stays",
    RefreshOutcome.FAILED: "failed",
    RefreshOutcome.DOUBTED: "in doubt; nothing was stored",
    RefreshOutcome.OLDER: "GitHub showed older content; nothing was stored",
    RefreshOutcome.FENCED: "the lock was lost; nothing was stored",
    RefreshOutcome.NO_LOCK: "no lock could be taken: too few of REDLOCK_URLS respond",
    RefreshOutcome.BROKEN: "stopped by an internal error; see the refresher's log",
}


def describe(report: RefreshReport) -> str:
    """A refresh's outcome and its reason."""
    outcome = _OUTCOMES.get(report.outcome, report.outcome)
    return f"{outcome}: {report.reason}" if report.reason else outcome


def timeline_row(report: RefreshReport, now: float) -> JsonObject:
    """The row of a refresh in the timeline."""
    level = Level.GOOD if report.outcome in SUCCESSES else Level.WARN
    cost = plural(report.requests, "request")
    if report.not_modified:
        cost += f", {report.not_modified} not modified"
    return {
        "key": f"{report.at} {report.resource} {report.job_id}",
        "at": iso(report.at),
        "time": clock(report.at, now),
        "name": report.resource,
        "level": level,
        "sign": "!" if level is Level.WARN else "✓",
        "outcome": report.outcome,
        "words": describe(report),
        "took": duration(report.seconds),
        "cost": cost,
        "request_id": report.request_id,
    }
