"""The output for people is true, and short if the terminal is narrow."""

from typing import Any

import pytest

from reader.cli import tables
from reader.fleet.view import Fleet, TrackedView
from reader.status.page_input import NOTHING
from shared.outcomes import RefreshOutcome
from shared.refresh_report import Record
from tests.builders import NOW, make_metadata, on_demand
from tests.reader.status.fleets import (
    failing_since,
    make_fleet,
    make_page_input,
    make_report,
    make_stale,
    make_view,
    recorded,
)

MONA = on_demand("/users/mona")


def row(view: TrackedView, fleet: Fleet | None = None) -> dict[str, str]:
    return tables.list_row(view, make_page_input(fleet or make_fleet(view)))


def facts(view: TrackedView, **known: Any) -> dict[str, str]:
    known = {"is_queued": False, **known}
    return dict(tables.facts(view, make_page_input(make_fleet(view)), **known))


@pytest.mark.parametrize(
    ("view", "fleet", "said"),
    [
        (make_view(), {}, "in 15 min"),
        (make_stale(), {}, "now"),
        (make_view(resource=MONA), {}, "on request"),
        (make_view(failure=failing_since(60)), {}, "try in 12 s"),
        (make_view(failure=failing_since(60, retry_at=NOW - 1)), {}, "try now"),
        (make_view(is_running=True), {}, "running"),
        (make_view(is_running=True, reading=(2, 3)), {}, "page 2 of 3"),
        (make_view(), {"suspended": True}, "paused"),
        (make_view(), {"workers": []}, "no refresher"),
    ],
)
def test_the_next_refresh_is_short(view: TrackedView, fleet: dict[str, Any], said: str) -> None:
    found = row(view, make_fleet(view, **fleet))["next"]
    assert found == said
    assert len(found) <= 12


def test_a_404_of_githubs_is_marked() -> None:
    metadata = make_metadata(status=404, validated_at=NOW - 1, fresh_until=NOW + 59)
    assert row(make_view(resource=MONA, metadata=metadata))["state"] == "fresh 404"


def test_a_missing_resource_has_no_facts_on_content() -> None:
    found = row(make_view(metadata=None))
    assert found["state"] == "missing"
    assert {found[name] for name in ("age", "items", "size", "encoded", "outcome")} == {NOTHING}


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"outcome": RefreshOutcome.UNCHANGED}, "unchanged"),
        ({"outcome": RefreshOutcome.FAILED, "attempts": 1}, "failed"),
        ({"outcome": RefreshOutcome.FAILED, "attempts": 7}, "failed 7 times"),
    ],
)
def test_how_the_last_refresh_ended(known: dict[str, Any], said: str) -> None:
    assert row(recorded(make_view(), last=make_report(**known)))["outcome"] == said


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (make_view(), "fresh for another 15 min"),
        (make_stale(), "stale for 3 min 20 s"),
        (make_view(invalidated_by=True), "stale: invalidated by a change"),
        (make_view(metadata=None), "missing: nothing is cached"),
        (
            make_stale(failure=failing_since(9)),
            "failing; the cached content is stale for 3 min 20 s",
        ),
    ],
)
def test_a_state_has_its_duration(view: TrackedView, said: str) -> None:
    assert facts(view)["State"] == said


def test_a_failure_says_why_how_often_and_when_it_is_tried_again() -> None:
    found = facts(make_view(failure=failing_since(60)))
    assert found["Held back"] == (
        "GitHub answered 502 (7 times in a row). Since 07:59:00 UTC (1 min), until 08:00:12 UTC "
        "(in 12 s). It ends when a refresh succeeds; the next one may begin at that time, or at "
        "once if an operator refreshes it or resumes refreshing."
    )
    assert found["Next refresh"] == "in 12 s"


def test_the_number_of_requests_is_shown() -> None:
    view = recorded(make_view(), refreshes=4, requests=10, not_modified=9)
    assert facts(view)["Refreshes"] == "4, with 10 requests, of which 90 % were not modified (304)"
    assert facts(make_view(record=Record()))["Refreshes"] == "none recorded yet"


def test_a_queued_refresh_is_shown() -> None:
    assert facts(make_stale(), is_queued=True)["Next refresh"] == "now, and one is queued"


def test_only_the_latest_reports_of_the_resource_itself_are_shown() -> None:
    reports = [make_report(resource="/"), *(make_report(job_id=str(n)) for n in range(20))]
    found = tables.latest(reports, "/orgs/Netflix")
    assert [report.job_id for report in found] == [str(n) for n in range(10)]
