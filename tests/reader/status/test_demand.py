"""Statements on the load: what is refused, and why."""

from typing import Any

import pytest

from reader.fleet.queue_view import Queued
from reader.status.demand import demand
from reader.status.diagnosis import diagnose
from reader.status.statement import Level, Statement
from shared.outcomes import Refusal
from shared.point_buckets import Points
from shared.queue_order import Lane, Priority
from tests.builders import NOW
from tests.reader.status.fleets import make_fleet, make_reader, make_worker

QUEUE = {
    (Lane.TRACKED, Priority.STALE): Queued(1, 300.0),
    (Lane.ON_DEMAND, Priority.WAITING): Queued(40, 2.0),
    (Lane.ON_DEMAND, Priority.STALE): Queued(260, 75.0),
}


def said(**known: Any) -> list[Statement]:
    return list(demand(make_fleet(**known)))


def refusing(**refused: int) -> dict[str, Any]:
    """Readers that have refused so many requests in the last minute, by cause."""
    causes = {cause.replace("_", "-"): number for cause, number in refused.items()}
    assert set(causes) <= set(Refusal)
    return {"readers": [make_reader(refused=causes)]}


def test_nothing_is_said_of_a_fleet_without_load() -> None:
    assert said() == []
    assert said(queue=QUEUE, points=Points(80, 320)) == []


class TestOnDemandContentThatUsesUpTheMinute:
    def test_is_noted(self) -> None:
        (one,) = said(queue=QUEUE, points=Points(80, 0.4))
        title = "On-demand content has used up its requests to GitHub for now"
        assert (one.level, one.title) == (Level.NOTE, title)
        assert one.text == (
            "On-demand content has used up its share of the requests that may be sent in a minute "
            "(ORIGIN_POINTS_PER_MINUTE); refreshes on demand that are queued: 300, the oldest for "
            "1 min 15 s. Tracked content has a share of its own. Raise ON_DEMAND_TTL, or have "
            "clients request fewer different paths."
        )

    def test_is_a_warning_if_clients_are_turned_away(self) -> None:
        (one,) = said(queue=QUEUE, points=Points(80, 0.4), **refusing(too_late=7))
        assert one.level is Level.WARN
        assert one.text.startswith(
            "In the last minute, 7 requests for content that is not held got a 503. On-demand"
        )

    def test_is_not_stated_if_nothing_on_demand_waits(self) -> None:
        tracked = {(Lane.TRACKED, Priority.STALE): Queued(1, 300.0)}
        assert said(queue=tracked, points=Points(80, 0.4)) == []


@pytest.mark.parametrize("cause", ["too_late", "timed_out", "threads", "queue_full"])
def test_requests_that_are_refused_because_of_the_load_are_a_warning(cause: str) -> None:
    (one,) = said(queue=QUEUE, points=Points(80, 200), **refusing(**{cause: 1}))
    assert (one.level, one.title) == (Level.WARN, "Requests are refused")
    assert one.text == (
        "In the last minute, 1 request for content that is not held got a 503. Content that is "
        "held is served. Refreshes on demand that are queued: 300. Check whether GitHub is slow, "
        "run one more refresher, or raise MISS_WAIT."
    )


@pytest.mark.parametrize("cause", ["suspended", "failing", "store_away"])
def test_causes_that_have_statements_of_their_own_are_not_repeated(cause: str) -> None:
    assert said(**refusing(**{cause: 5})) == []


def test_a_client_that_asks_for_too_much_is_noted_without_its_address() -> None:
    (one,) = said(**refusing(client_waits=3, client_threads=2))
    assert (one.level, one.title) == (Level.NOTE, "A client asks for too much")
    assert one.text == (
        "In the last minute, 5 requests got a 429: one client waits for "
        "CLIENT_MAX_WAITING paths, or for three quarters of the threads of a reader process that "
        "may wait (READER_THREADS). Other clients are served in turn. "
        "`flask --app reader cache usage` names the clients that use the budget."
    )


class TestRefreshersWithoutOrder:
    def test_are_named(self) -> None:
        (one,) = said(workers=[make_worker(), make_worker(pid=8, slots=None)])
        assert (one.level, one.title) == (Level.NOTE, "Refreshes without order")
        assert one.text.startswith(
            "A plain `rq worker`, or a refresher of an older release: box:8. It refreshes one"
        )

    def test_are_not_those_that_have_just_started(self) -> None:
        assert said(workers=[make_worker(started_at=NOW - 3, slots=None)]) == []


def test_the_load_is_stated_beside_what_is_well() -> None:
    fleet = make_fleet(**refusing(client_waits=1))
    assert [one.title for one in diagnose(fleet, [], now=NOW)] == [
        "A client asks for too much",
        "Everything is fresh",
    ]
