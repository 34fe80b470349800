"""What GitHub's webhooks have told, and what became of those that were lost. Pure."""

from reader.fleet.view import Fleet
from reader.status.formatting import about, count, plural
from reader.status.page_input import JsonObject
from reader.status.statement import LEVEL_SIGNS, Level
from shared.lost_deliveries import Fate, SourceReport
from shared.measures import Measure

NOT_DONE = (
    "Lost deliveries are not looked for: no refresher has GITHUB_HOOK_TOKEN, or a GitHub App with "
    "a webhook."
)


def deliveries(fleet: Fleet) -> JsonObject:
    """Two sentences, and a row for each source of webhooks; no row if nobody looks."""
    report = fleet.redelivery
    rows = [] if report is None else [_row(source) for source in report.sources]
    words = f"{told_words(fleet)} {delivery_words(fleet)}"
    return {"deliveries": rows, "deliveries_words": words}


def told_words(fleet: Fleet) -> str:
    """When GitHub told of something last, and of what, in a sentence."""
    told = {event: at for event, at in fleet.told.items() if event != "ping"}
    if not told:
        return "No webhook has told of anything in the last 30 days."
    last = max(told, key=lambda event: told[event])
    ago, kinds = about(fleet.now - told[last]), plural(len(told), "kind")
    return f"The last webhook came {ago} ago ({last}), of {kinds} of event in the last 30 days."


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


def _row(source: SourceReport) -> JsonObject:
    level = Level.WARN if source.problem or source.given_up else Level.GOOD
    if not source.hooks or (source.waiting and level is Level.GOOD):
        level = Level.WARN if source.problem else Level.NOTE
    return {
        "name": source.name,
        "level": level,
        "sign": LEVEL_SIGNS[level],
        "state": source.problem or _state(source),
        "hooks": count(source.hooks),
        "waiting": count(source.waiting),
        "given_up": count(source.given_up),
    }


def _state(source: SourceReport) -> str:
    if not source.hooks:
        return "no webhook leads here"
    return "some were lost" if source.waiting or source.given_up else "all have arrived"
