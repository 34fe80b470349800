"""What the page says of deliveries of GitHub's webhooks that were lost. Pure."""

from collections.abc import Iterator

from reader.fleet.snapshot import Fleet
from reader.status.formatting import about, count, listed, plural
from reader.status.page_input import JsonObject
from reader.status.statement import Level, Statement, Topic
from shared.lost_deliveries import APP, Fate, LookReport, SourceReport
from shared.measures import Measure

NOT_DONE = (
    "Lost deliveries are not looked for: no refresher has GITHUB_HOOK_TOKEN, or a GitHub App with "
    "a webhook."
)
_SUBJECT = "Deliveries of GitHub's webhooks"
# A look is late if it comes so many intervals after the last one, and so many seconds more.
_LATE_INTERVALS, _LATE_S = 3, 300


def deliveries(fleet: Fleet) -> JsonObject:
    """A sentence, and a row for each source of webhooks; no row if nobody looks."""
    report = fleet.redelivery
    rows = [] if report is None else [_row(source) for source in report.sources]
    return {"deliveries": rows, "deliveries_words": delivery_words(fleet)}


def delivery_words(fleet: Fleet) -> str:
    """When refreshers looked last, and what became of lost deliveries so far, in a sentence."""
    report = fleet.redelivery
    if report is None:
        return NOT_DONE
    of = fate_counts(fleet)
    words = (
        f"Last look {about(fleet.now - report.at)} ago, one every {about(report.interval)}. So far "
        f"{count(of[Fate.LOST])} lost, asked for again {plural(of[Fate.ASKED], 'time')}, "
        f"{count(of[Fate.HEALED])} arrived later, {count(of[Fate.GIVEN_UP])} given up"
    )
    covered = of[Fate.COVERED]
    more = f"; for {count(covered)}, all content was refreshed instead" if covered else ""
    return f"{words}{more}."


def fate_counts(fleet: Fleet) -> dict[Fate, int]:
    """How many deliveries had each fate, since Redis has its data."""
    counts = fleet.measures.of(Measure.DELIVERIES)
    return {fate: int(counts.get((fate,), 0)) for fate in Fate}


def lost_deliveries(fleet: Fleet) -> Iterator[Statement]:
    """Statements on lost deliveries; none if nobody looks for them, which the table says."""
    report = fleet.redelivery
    if report is None:
        return
    if is_late(report, fleet.now) and fleet.workers and not fleet.suspended:
        text = f"The last look was {about(fleet.now - report.at)} ago. See the refreshers' logs."
        yield _statement(Level.WARN, "are not looked at", text)
    elif report.problems:
        named = listed([f"{one.name} ({one.problem})" for one in report.problems])
        text = f"What was lost is not noticed: {named}. Content is as old as its lifetime allows."
        yield _statement(Level.WARN, "cannot be listed", text)
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
        yield _statement(Level.WARN, "do not arrive", text)
    elif report.waiting:
        text = (
            f"{plural(report.waiting, 'delivery', 'deliveries')} did not arrive, and GitHub is "
            f"asked to send them again; {_codes(report)}"
        )
        yield _statement(Level.NOTE, "were lost", text)


def is_late(report: LookReport, now: float) -> bool:
    """Whether the next look should have come long ago."""
    return now - report.at > _LATE_INTERVALS * report.interval + _LATE_S


def _statement(level: Level, what: str, text: str) -> Statement:
    return Statement(level, Topic.DELIVERIES, f"{_SUBJECT} {what}", text)


def _row(source: SourceReport) -> JsonObject:
    level = Level.WARN if source.problem or source.given_up else Level.GOOD
    if not source.hooks or (source.waiting and level is Level.GOOD):
        level = Level.WARN if source.problem else Level.NOTE
    return {
        "name": source.name,
        "level": level,
        "state": source.problem or _state(source),
        "hooks": count(source.hooks),
        "waiting": count(source.waiting),
        "given_up": count(source.given_up),
    }


def _state(source: SourceReport) -> str:
    if not source.hooks:
        return "no webhook leads here"
    return "some were lost" if source.waiting or source.given_up else "all have arrived"


def _codes(report: LookReport) -> str:
    codes = sorted({code for one in report.sources for code in one.codes})
    shown = listed([str(code) for code in codes if code] or ["no status"])
    return f"GitHub shows {shown} for them."
