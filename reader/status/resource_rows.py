"""The page's rows about tracked and on-demand resources."""

from reader.fleet.disclosure import is_withheld
from reader.fleet.view import OnDemandView, TrackedView
from reader.status.formatting import about, clock, count, duration, iso, plural, share, size
from reader.status.page_input import NOTHING, JsonObject, PageInput
from reader.status.reports import describe
from reader.status.statement import Level
from reader.status.states import LEVELS, SIGNS, state_of
from shared.refresh_ahead import Ahead


def tracked_row(view: TrackedView, page_input: PageInput) -> JsonObject:
    """The row of a tracked resource."""
    now, metadata, record = page_input.now, view.metadata, view.record
    state, last = state_of(view), view.record.last
    due_at = next_at(view, page_input)
    row: JsonObject = {
        "key": view.resource.name,
        "name": view.resource.name,
        "state": state,
        "level": LEVELS[state],
        "sign": SIGNS[state],
        "version": metadata.version if metadata else None,
        "age_seconds": round(view.age, 1) if metadata else None,
        "age": about(view.age) if metadata else NOTHING,
        "age_bar": 0,
        "age_words": "nothing cached",
        "next_at": None if due_at is None else iso(due_at),
        "next": _next(view, due_at, page_input),
        "items": metadata.items if metadata else None,
        "items_words": _items(view),
        "size_bytes": metadata.size if metadata else None,
        "size": size(metadata.size) if metadata else NOTHING,
        "encoded_bytes": dict(view.encoded or {}),
        "encoded": ", ".join(f"{size(n)} {name}" for name, n in (view.encoded or {}).items()),
        "outcome": last.outcome if last else None,
        "outcome_words": _outcome(view, now),
        "reason": view.failure.reason if view.failure else None,
        "doubt": view.suspicion.reason if view.suspicion else None,
        "failing_since": iso(view.failure.since) if view.failure else None,
        "seconds": last.seconds if last else None,
        "took": f"took {duration(last.seconds)}" if last else "",
        "requests": record.requests,
        "not_modified": record.not_modified,
        "unmodified": share(record.not_modified, record.requests),
        "unmodified_words": f"of {plural(record.requests, 'request')}" if record.requests else "",
    }
    if metadata is not None:
        lifetime = max(metadata.fresh_until - metadata.validated_at, 1)
        row["ttl_seconds"] = round(lifetime, 1)
        row["age_bar"] = round(100 * min(view.age / lifetime, 1))
        row["age_words"] = f"of {about(lifetime)}"
    return row


def _items(view: TrackedView) -> str:
    metadata, pages = view.metadata, view.pages
    if metadata is None:
        return NOTHING
    if metadata.items is None:
        return "one object"
    of_pages = "" if pages is None else f", {plural(pages, 'page')}"
    return plural(metadata.items, "item") + of_pages


def next_at(view: TrackedView, page_input: PageInput) -> float | None:
    """Unix time in seconds of the next refresh; None if it is not known."""
    fleet, settings = page_input.fleet, page_input.settings
    if fleet is None or fleet.suspended or not fleet.workers or view.is_running:
        return None
    if view.held_back_until is not None:
        return max(view.held_back_until, page_input.now)
    if not view.resource.tracked:
        return None
    if view.metadata is None or not view.is_fresh:
        return page_input.now
    if fleet.schedulers:
        ahead = Ahead(settings.refresh_ahead * settings.cache_ttl)
        return max(ahead.due_at(view.resource, view.metadata), page_input.now)
    return view.metadata.fresh_until


def _next(view: TrackedView, at: float | None, page_input: PageInput) -> str:
    fleet = page_input.fleet
    if fleet is None:
        return "when Redis is back"
    if view.is_running:
        return "reading page {} of {}".format(*view.reading) if view.reading else "running"
    if at is None and not view.resource.tracked and fleet.workers and not fleet.suspended:
        return "on request"
    if at is None:
        return f"when {'refreshing is resumed' if fleet.suspended else 'a refresher is running'}"
    when = f"in {about(at - page_input.now)}" if at - page_input.now >= 1 else "now"
    if view.failure is not None:
        return f"next try {when}"
    return when if view.suspicion is None else f"second look {when}"


def _outcome(view: TrackedView, now: float) -> str:
    last, failure = view.record.last, view.failure
    if failure is not None:
        times = "once" if failure.attempts == 1 else f"{failure.attempts} times in a row"
        return f"failed {times} since {clock(failure.since, now)}: {failure.reason}"
    if view.metadata is not None and is_withheld(view):
        return f"withheld: clients get a {view.metadata.status}"
    return NOTHING if last is None else describe(last)


def on_demand_row(on_demand: OnDemandView) -> JsonObject:
    """The row of an on-demand resource."""
    view = on_demand.view
    metadata, state = view.metadata, state_of(view)
    is_held = metadata is not None
    return {
        "key": on_demand.name,
        "name": on_demand.name,
        "requests": on_demand.requests,
        "times": count(on_demand.requests),
        "state": state if is_held or view.failure else "not cached",
        "level": LEVELS[state] if is_held else Level.NOTE,
        "sign": SIGNS[state],
        "status": metadata.status if metadata else None,
        "age": about(view.age) if metadata else NOTHING,
        "size": size(metadata.size) if metadata else NOTHING,
        "reason": _reason(view),
        "held": is_held,
    }


def _reason(view: TrackedView) -> str:
    """Why a resource fails, or what is doubted; empty if it is well."""
    if view.failure is not None:
        return view.failure.reason
    return "" if view.suspicion is None else view.suspicion.reason
