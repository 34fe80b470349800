"""The JSON documents of `--json`. Their keys are stable; times are Unix seconds."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from reader.fleet.holds import holds_of_resource
from reader.fleet.view import TrackedView
from reader.status import resource_rows
from reader.status.page_input import PageInput
from reader.status.states import state_of
from shared.holds import Hold
from shared.refresh_report import RefreshReport
from shared.spending import Spent

Document = dict[str, Any]


def of_resource(view: TrackedView, page_input: PageInput) -> Document:
    """A resource in `list`."""
    metadata, last = view.metadata, view.record.last
    return {
        "name": view.resource.name,
        "tracked": view.resource.tracked,
        "state": str(state_of(view)),
        "age_seconds": round(view.age, 1) if metadata else None,
        "fresh_until": metadata.fresh_until if metadata else None,
        "next_at": next_at(view, page_input),
        "refreshing": view.is_running,
        "page": view.reading[0] if view.reading else None,
        "of_pages": view.reading[1] if view.reading else None,
        "status": metadata.status if metadata else None,
        "items": metadata.items if metadata else None,
        "size_bytes": metadata.size if metadata else None,
        "encoded_bytes": dict(view.encoded or {}),
        "last_outcome": str(last.outcome) if last else None,
        "last_at": last.at if last else None,
        "failure": asdict(view.failure) if view.failure else None,
        "doubt": asdict(view.suspicion) if view.suspicion else None,
        "holds": [hold.to_document() for hold in holds_on(view, page_input)],
    }


def holds_on(view: TrackedView, page_input: PageInput) -> list[Hold]:
    """What holds a resource back."""
    assert page_input.fleet is not None
    return holds_of_resource(view, page_input.fleet, page_input.settings)


def of_resource_in_full(
    view: TrackedView, page_input: PageInput, *, is_queued: bool, reports: Sequence[RefreshReport]
) -> Document:
    """A resource in `show`."""
    record = view.record
    return {
        **of_resource(view, page_input),
        "metadata": asdict(view.metadata) if view.metadata else None,
        "pages": view.pages,
        "told": view.invalidated_by,
        "queued": is_queued,
        "refreshes": record.refreshes,
        "requests": record.requests,
        "not_modified": record.not_modified,
        "reports": [of_report(report) for report in reports],
    }


def of_spent(spent: Spent) -> Document:
    """The users of the budget in `usage`."""
    return {
        "requests": spent.total,
        "paths": [{"name": name, "requests": requests} for name, requests in spent.paths],
        "clients": [{"name": name, "requests": requests} for name, requests in spent.clients],
    }


def of_report(report: RefreshReport | None) -> Document | None:
    """The report of a refresh; None before the first refresh."""
    return None if report is None else asdict(report)


def next_at(view: TrackedView, page_input: PageInput) -> float | None:
    """Unix time of the next refresh, in whole seconds; None if it is not known."""
    at = resource_rows.next_at(view, page_input)
    return None if at is None else float(int(at))
