"""The output of `list`, `show` and `usage` for people: pure functions."""

from collections.abc import Iterable, Sequence

from reader.cli.column_fitting import Column
from reader.cli.documents import holds_on, next_at
from reader.fleet.view import TrackedView
from reader.status.formatting import about, clock, count, duration, plural, share, size
from reader.status.page_input import NOTHING, PageInput
from reader.status.reports import describe
from reader.status.resource_rows import tracked_row
from reader.status.statement import Level
from reader.status.states import state_of
from shared.holds import Hold
from shared.outcomes import RefreshOutcome
from shared.refresh_report import RefreshReport

LIST = (
    Column("Resource", "name"),
    Column("State", "state"),
    Column("Age", "age", right_aligned=True),
    Column("Next", "next"),
    Column("Items", "items", right_aligned=True),
    Column("Size", "size", right_aligned=True),
    Column("Compressed", "encoded", right_aligned=True, drop_order=1),
    Column("Last refresh", "outcome", drop_order=2),
)
REPORTS = (
    Column("Ended", "at"),
    Column("Took", "took", right_aligned=True),
    Column("Requests", "requests", right_aligned=True),
    Column("Outcome", "how"),
)
# Rich styles for the status page's levels; the word beside a colour says the same.
STYLES = {Level.GOOD: "green", Level.NOTE: "blue", Level.WARN: "yellow", Level.BAD: "bold red"}
_LAST_REPORTS = 10


def list_row(view: TrackedView, page_input: PageInput) -> dict[str, str]:
    """The row of a resource in `list`."""
    metadata, last = view.metadata, view.record.last
    state = str(state_of(view))
    if metadata is not None and metadata.status != 200:
        state += f" {metadata.status}"
    smallest = min((view.encoded or {}).values(), default=0)
    return {
        "name": view.resource.name,
        "state": state,
        "age": _brief(view.age) if metadata else NOTHING,
        "next": _next(view, page_input),
        "items": str(metadata.items) if metadata and metadata.items is not None else NOTHING,
        "size": size(metadata.size) if metadata else NOTHING,
        "encoded": size(smallest) if smallest else NOTHING,
        "outcome": _outcome(last) if last else NOTHING,
    }


def held_back(holds: Iterable[Hold], now: float) -> list[tuple[str, str]]:
    """What is held back, and why, since when, until when, and what ends it; each once."""
    found = {hold.key: hold for hold in holds}
    return [(hold.about, f"{hold.reason}. {hold.when_words(now)}") for hold in found.values()]


def facts(view: TrackedView, page_input: PageInput, *, is_queued: bool) -> list[tuple[str, str]]:
    """Everything that is known about one resource, as (name, fact) pairs."""
    return [
        ("Resource", view.resource.name),
        ("Kept", "always: it is tracked" if view.resource.tracked else "while it is requested"),
        *_condition(view, page_input, is_queued=is_queued),
        *_content(view, page_input.now),
        ("Refreshes", _record(view)),
    ]


def usage_columns(title: str) -> Sequence[Column]:
    """The columns of a table of `usage`, by what its rows name."""
    return (
        Column(title, "name"),
        Column("Requests to GitHub", "requests", right_aligned=True),
        Column("Share", "share", right_aligned=True),
    )


def usage_rows(spenders: Sequence[tuple[str, int]], total: int) -> list[dict[str, str]]:
    """The rows of the largest users of the budget."""
    return [
        {"name": name, "requests": count(requests), "share": share(requests, total)}
        for name, requests in spenders
    ]


def report_row(report: RefreshReport, now: float) -> dict[str, str]:
    """The row of a refresh."""
    return {
        "at": clock(report.at, now),
        "took": duration(report.seconds),
        "requests": str(report.requests),
        "how": describe(report),
    }


def latest(reports: Sequence[RefreshReport], name: str) -> list[RefreshReport]:
    """The latest refreshes of a resource, newest first."""
    return [report for report in reports if report.resource == name][:_LAST_REPORTS]


def _condition(
    view: TrackedView, page_input: PageInput, *, is_queued: bool
) -> list[tuple[str, str]]:
    row, now = tracked_row(view, page_input), page_input.now
    next_refresh = str(row["next"]).removeprefix("next try ").removeprefix("second look ")
    return [
        ("State", _state(view, now)),
        *(("Held back", _hold(one, view, now)) for one in holds_on(view, page_input)),
        ("Age", f"{row['age']} {row['age_words']}" if view.metadata else ""),
        ("Next refresh", next_refresh + (", and one is queued" if is_queued else "")),
        ("Lock", "held by a refresher" if view.is_running else "free"),
    ]


def _hold(hold: Hold, view: TrackedView, now: float) -> str:
    """A hold in a sentence, without the name of its resource."""
    is_own = hold.about == view.resource.name
    return f"{hold.reason}. {hold.when_words(now)}" if is_own else hold.words(now)


def _state(view: TrackedView, now: float) -> str:
    state, metadata = state_of(view), view.metadata
    if metadata is None:
        return f"{state}: nothing is cached"
    left = metadata.fresh_until - now
    freshness = f"fresh for another {about(left)}" if left > 0 else f"stale for {about(-left)}"
    if view.invalidated_by:
        freshness = "stale: invalidated by a change"
    is_well = view.failure is None and view.suspicion is None
    return freshness if is_well else f"{state}; the cached content is {freshness}"


def _content(view: TrackedView, now: float) -> list[tuple[str, str]]:
    metadata = view.metadata
    if metadata is None:
        return []
    items = "one object"
    if metadata.items is not None:
        pages = f" of {plural(view.pages, 'page')}" if view.pages else ""
        items = plural(metadata.items, "item") + pages
    sizes = [size(metadata.size), *(f"{size(n)} as {name}" for name, n in _encoded(view))]
    return [
        ("Confirmed", clock(metadata.validated_at, now)),
        ("Changed", clock(metadata.changed_at, now)),
        ("Fresh until", clock(metadata.fresh_until, now)),
        ("Status", str(metadata.status)),
        ("Type", metadata.content_type),
        ("ETag", f'"{metadata.etag}"'),
        ("Version", str(metadata.version)),
        ("Contains", items),
        ("Size", ", ".join(sizes)),
    ]


def _encoded(view: TrackedView) -> list[tuple[str, int]]:
    return list((view.encoded or {}).items())


def _record(view: TrackedView) -> str:
    record = view.record
    if not record.refreshes:
        return "none recorded yet"
    unmodified = share(record.not_modified, record.requests)
    requests = plural(record.requests, "request")
    return f"{record.refreshes}, with {requests}, of which {unmodified} were not modified (304)"


def _next(view: TrackedView, page_input: PageInput) -> str:
    """The next refresh in a few words."""
    fleet = page_input.fleet
    assert fleet is not None
    if view.is_running:
        return "page {} of {}".format(*view.reading) if view.reading else "running"
    if fleet.suspended or not fleet.workers:
        return "paused" if fleet.suspended else "no refresher"
    at = next_at(view, page_input)
    if at is None:
        return "on request"
    wait = at - page_input.now
    when = f"in {_brief(wait)}" if wait >= 1 else "now"
    return when if view.failure is None else f"try {when}"


def _outcome(last: RefreshReport) -> str:
    if last.outcome is RefreshOutcome.FAILED and (last.attempts or 1) > 1:
        return f"failed {last.attempts} times"
    return str(last.outcome)


def _brief(seconds: float) -> str:
    """A duration in its largest unit."""
    return " ".join(about(seconds).split()[:2])
