"""Statements on deliveries of GitHub's webhooks that were lost, in plain words. Pure."""

from collections.abc import Iterator

from reader.fleet.view import Fleet
from reader.status.formatting import about, listed, plural
from reader.status.statement import Level, Statement, Topic
from shared.lost_deliveries import APP, LookReport

_SUBJECT = "Deliveries of GitHub's webhooks"
# A look is late if it comes so many intervals after the last one, and so many seconds more.
_LATE_INTERVALS, _LATE_S = 3, 300


def lost_deliveries(fleet: Fleet) -> Iterator[Statement]:
    """Statements on lost deliveries; none if nobody looks for them, which the table says."""
    report = fleet.redelivery
    if report is None:
        return
    if is_late(report, fleet.now) and fleet.workers and not fleet.suspended:
        text = f"The last look was {about(fleet.now - report.at)} ago. See the refreshers' logs."
        yield _statement(Level.WARN, "are not looked at", text, "deliveries-not-looked-at")
    elif report.problems:
        named = listed([f"{one.name} ({one.problem})" for one in report.problems])
        text = f"What was lost is not noticed: {named}. Content is as old as its lifetime allows."
        yield _statement(Level.WARN, "cannot be listed", text, "deliveries-unlisted")
    elif not report.hooks and any(one.name != APP for one in report.sources):
        text = (
            "No webhook at GitHub has this cache's address, so nothing can be asked for again: set "
            "GITHUB_WEBHOOK_URL to its payload URL for the refreshers, or PUBLIC_URL."
        )
        yield _statement(Level.NOTE, "are not looked for", text)
    if report.given_up:
        text = (
            f"{plural(report.given_up, 'delivery', 'deliveries')} of the last three days did not "
            f"arrive, however often GitHub was asked; {_codes(report)} Content that they touch is "
            "as old as its lifetime allows."
        )
        yield _statement(Level.WARN, "do not arrive", text, "deliveries-given-up")
    elif report.waiting:
        text = (
            f"{plural(report.waiting, 'delivery', 'deliveries')} did not arrive, and GitHub is "
            f"asked to send them again; {_codes(report)}"
        )
        yield _statement(Level.NOTE, "were lost", text)


def is_late(report: LookReport, now: float) -> bool:
    """Whether the next look should have come long ago."""
    return now - report.at > _LATE_INTERVALS * report.interval + _LATE_S


def _statement(level: Level, what: str, text: str, runbook: str = "") -> Statement:
    return Statement(level, Topic.DELIVERIES, f"{_SUBJECT} {what}", text, runbook)


def _codes(report: LookReport) -> str:
    codes = sorted({code for one in report.sources for code in one.codes})
    shown = listed([str(code) for code in codes if code] or ["no status"])
    return f"GitHub shows {shown} for them."
