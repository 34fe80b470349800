"""The status page as one JSON object: a pure function of the fleet.

Numbers, times and names are for programs; the texts beside them are what the page shows. A text's
key is the name of its place on the page, and the script knows nothing else.
"""

from dataclasses import replace

from reader.fleet.disclosure import public_fleet, public_views
from reader.fleet.view import Fleet
from reader.status.budget_row import budget_row
from reader.status.delivery_rows import deliveries
from reader.status.diagnosis import diagnose
from reader.status.formatting import about, clock, count, iso, plural, share
from reader.status.hold_rows import hold_rows, holds_for
from reader.status.page_input import NOTHING, JsonObject, PageInput
from reader.status.process_rows import node_rows, worker_row
from reader.status.queue_rows import (
    longest_wait,
    minute_rows,
    queue_rows,
    refusal_rows,
    spender_rows,
)
from reader.status.reports import timeline_row
from reader.status.resource_rows import on_demand_row, tracked_row
from reader.status.statement import LEVEL_SIGNS, Statement
from shared.budgets import is_beside
from shared.version import VERSION

_TIMELINE = 40  # reports on the page


def page_of(page_input: PageInput) -> JsonObject:
    """Everything on the page, as `/status.json` sends it to whoever looks at it."""
    return _page_of(page_input if page_input.is_operator else _for_everybody(page_input))


def _page_of(page_input: PageInput) -> JsonObject:
    now, fleet = page_input.now, page_input.fleet or Fleet(page_input.now)
    statements = diagnose(
        page_input.fleet,
        page_input.held,
        now=now,
        away_since=page_input.away_since,
        include_private=page_input.settings.include_private,
        is_operator=page_input.is_operator,
        refusing=page_input.refusing,
    )
    worst = statements[0]
    tracked = fleet.tracked if page_input.fleet else page_input.held
    return {
        "now": iso(now),
        "at": clock(now, now),
        "reader": page_input.reader,
        "version": VERSION,
        "redis": page_input.fleet is not None,
        "private": page_input.settings.include_private,
        "level": worst.level,
        "title": f"{LEVEL_SIGNS[worst.level]} {worst.title}",
        "statements": [_statement(one) for one in statements],
        "paused": fleet.suspended,
        "resumable": _is_resumable(fleet),
        "operator": page_input.is_operator,
        "tiles": _tiles(fleet) if page_input.fleet else [],
        "holds": hold_rows(holds_for(page_input), now),
        "resources": [tracked_row(view, page_input) for view in tracked],
        "budgets": [
            budget_row(
                budget if page_input.is_operator else replace(budget, refused=()),
                now,
                is_beside=is_beside(budget, fleet.budgets),
            )
            for budget in fleet.budgets
        ],
        **_load(fleet, is_operator=page_input.is_operator),
        **deliveries(fleet),
        "readers": node_rows(fleet.readers, now),
        "workers": [worker_row(worker, now) for worker in fleet.workers],
        "on_demand": [on_demand_row(view) for view in fleet.on_demand],
        "timeline": [timeline_row(report, now) for report in fleet.timeline[:_TIMELINE]],
    }


def _load(fleet: Fleet, *, is_operator: bool) -> JsonObject:
    """What is to be done, and by whom."""
    return {
        "minute": minute_rows(fleet.points, fleet.point_sizes),
        "queue": queue_rows(fleet.queue),
        "refusals": refusal_rows(fleet.refused),
        "paths": spender_rows(fleet.spent.paths, fleet.spent.total),
        # Addresses of clients are personal data.
        "clients": spender_rows(fleet.spent.clients if is_operator else (), fleet.spent.total),
    }


def _for_everybody(page_input: PageInput) -> PageInput:
    """The same without what only operators may know."""
    fleet = None if page_input.fleet is None else public_fleet(page_input.fleet)
    return replace(page_input, fleet=fleet, held=public_views(page_input.held))


def _is_resumable(fleet: Fleet) -> bool:
    """Whether something is held back that an operator's "resume" would end."""
    views = [*fleet.tracked, *(one.view for one in fleet.on_demand)]
    failures = [view.failure for view in views if view.failure is not None]
    return (
        fleet.suspended
        or fleet.origin_paused_until > fleet.now
        or any(failure.holds_back(fleet.now) for failure in failures)
        or any(
            max(one.aside_until, one.resets_at * (not one.remaining)) > fleet.now
            for one in fleet.budgets
        )
    )


def _statement(statement: Statement) -> JsonObject:
    return {
        "level": statement.level,
        "sign": LEVEL_SIGNS[statement.level],
        "title": statement.title,
        "text": statement.text,
        "runbook": statement.runbook and f"/status/runbooks/{statement.runbook}",
    }


def _tiles(fleet: Fleet) -> list[JsonObject]:
    content = sum(one.content for one in fleet.readers)
    hits = sum(one.hits for one in fleet.readers)
    busy = sum(one.at_work for one in fleet.workers)
    slots = sum(1 if one.slots is None else one.slots for one in fleet.workers)
    nodes = len({one.node for one in fleet.readers})
    rate = sum(one.per_second for one in fleet.readers)
    used = [one for one in fleet.budgets if not is_beside(one, fleet.budgets)]
    least = min(used, key=lambda one: one.remaining / max(one.limit, 1), default=None)
    origin = fleet.origin
    last_response = (
        "no recent request"
        if origin.answered_at is None
        else f"GitHub: {origin.status}, {about(fleet.now - origin.answered_at)} ago"
    )
    left = NOTHING if least is None else share(least.remaining, least.limit)
    return [
        _tile("requests", f"{rate:,.1f}", "requests per second", plural(nodes, "node")),
        _tile("hits", share(hits, content), "served from memory", "in the last minute"),
        _tile("budget", left, "rate limit left", last_response),
        _tile("queue", count(fleet.queue_length), "queued", _refreshing(fleet)),
        _tile(
            "workers",
            count(len(fleet.workers)),
            "refreshers",
            f"{count(busy)} of {count(slots)} refreshing",
        ),
        _tile(
            "readers", count(len(fleet.readers)), "reader processes", _schedulers(fleet.schedulers)
        ),
    ]


def _tile(key: str, value: str, label: str, detail: str) -> JsonObject:
    return {"key": key, "value": value, "label": label, "detail": detail}


def _refreshing(fleet: Fleet) -> str:
    if fleet.suspended:
        return "refreshing is paused"
    return f"for {about(longest_wait(fleet))} at most" if fleet.queue else "no refresh waits"


def _schedulers(number: int) -> str:
    return "no scheduler" if not number else plural(number, "scheduler")
