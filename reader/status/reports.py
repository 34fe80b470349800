"""The rows of the page that are about refreshes, and how these ended in words."""

from reader.status.diagnosis import Level
from reader.status.formatting import clock, duration, iso, plural
from reader.status.page_input import Shown
from shared.outcomes import RefreshOutcome
from shared.refresh_report import RefreshReport

_OUTCOMES = {
    RefreshOutcome.UPDATED: "updated: new content was stored",
    RefreshOutcome.UNCHANGED: "unchanged at GitHub",
    RefreshOutcome.FAILED: "failed",
    RefreshOutcome.FENCED: "the lock was lost; nothing was stored",
    RefreshOutcome.NO_LOCK: "no lock was to be had: too few of REDLOCK_URLS answer",
    RefreshOutcome.BROKEN: "broke off by our own fault; see the refresher's log",
}

_GOOD = frozenset({RefreshOutcome.UPDATED, RefreshOutcome.UNCHANGED})


def report_words(report: RefreshReport) -> str:
    """How a refresh ended, and why."""
    words = _OUTCOMES.get(report.outcome, report.outcome)
    return f"{words}: {report.reason}" if report.reason else words


def timeline_row(report: RefreshReport, now: float) -> Shown:
    """What is shown of a refresh."""
    level = Level.GOOD if report.outcome in _GOOD else Level.WARN
    cost = plural(report.requests, "request")
    if report.not_modified:
        cost += f", {report.not_modified} unmodified"
    return {
        "key": f"{report.at} {report.resource} {report.job_id}",
        "at": iso(report.at),
        "time": clock(report.at, now),
        "name": report.resource,
        "level": level,
        "sign": "!" if level is Level.WARN else "✓",
        "outcome": report.outcome,
        "words": report_words(report),
        "took": duration(report.seconds),
        "cost": cost,
        "request_id": report.request_id,
    }
