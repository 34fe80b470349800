"""The content of the page and of `/status.json`."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reader.fleet.queue_view import Queued
from reader.fleet.view import Fleet, OnDemandView, OriginView, TrackedView
from reader.status.budget_row import sparkline
from reader.status.page import page_of
from reader.status.page_input import NOTHING
from shared.budgets import SLOT_SECONDS, SLOTS, Point
from shared.credential_refusals import CredentialRefusal
from shared.lost_deliveries import LookReport, SourceReport
from shared.outcomes import FailureKind, RefreshOutcome, Refusal
from shared.point_buckets import Points
from shared.queue_order import Lane, Priority
from shared.spending import TRACKED, Spent
from tests.builders import NOW, make_metadata, make_settings, on_demand
from tests.reader.status.fleets import (
    failing_since,
    make_budget,
    make_fleet,
    make_page_input,
    make_reader,
    make_report,
    make_stale,
    make_view,
    make_worker,
    recorded,
)

TEMPLATES = Path(__file__).parents[3] / "reader" / "status" / "templates"
LIST = make_metadata(items=250, size=1_350_000, validated_at=NOW - 250, fresh_until=NOW + 750)


def rows(name: str, fleet: Fleet) -> list[dict[str, Any]]:
    """The rows of one list of the page."""
    found: list[dict[str, Any]] = page_of(make_page_input(fleet))[name]
    return found


def resource(view: TrackedView, **fleet: Any) -> dict[str, Any]:
    """The row of one tracked resource."""
    return rows("resources", make_fleet(view, **fleet))[0]


def test_the_page_is_serialisable_as_json() -> None:
    view = recorded(make_view(failure=failing_since(60), encoded={"br": 10}))
    fleet = make_fleet(view, budgets=[make_budget()], timeline=[make_report()])
    page = page_of(make_page_input(fleet))
    assert json.loads(json.dumps(page, allow_nan=False)) == page


def test_a_tracked_list_is_shown_with_all_columns() -> None:
    view = recorded(
        make_view("/orgs/Netflix/repos", metadata=LIST, encoded={"br": 66_900, "gzip": 83_700}),
        refreshes=10,
        requests=30,
        not_modified=27,
    )
    shown = resource(TrackedView(**{**vars(view), "pages": 3}))
    expected = {
        "name": "/orgs/Netflix/repos",
        "state": "fresh",
        "age_seconds": 250.0,
        "age": "4 min 10 s",
        "age_bar": 25,
        "age_words": "of 16 min 40 s",
        "next": "in 12 min 30 s",
        "next_at": "2027-01-15T08:12:30Z",
        "items_words": "250 items, 3 pages",
        "size": "1.35 MB",
        "encoded": "66.9 kB br, 83.7 kB gzip",
        "outcome_words": "unchanged at GitHub",
        "took": "took 250 ms",
        "unmodified": "90 %",
        "unmodified_words": "of 30 requests",
    }
    assert {name: shown[name] for name in expected} == expected


def test_the_bar_of_stale_content_is_full_and_no_longer() -> None:
    assert resource(make_stale(age=9000))["age_bar"] == 100


def test_a_failure_replaces_the_outcome_before_it() -> None:
    shown = resource(recorded(make_view(failure=failing_since(60))))
    assert shown["outcome_words"] == (
        "failed 7 times in a row since 07:59:00 UTC: GitHub answered 502"
    )
    assert shown["next"] == "next try in 12 s"
    assert shown["reason"] == "GitHub answered 502"


def test_the_next_refresh_is_shown_for_each_state() -> None:
    fresh, stale = make_view(), make_stale()
    assert resource(fresh)["next"] == "in 15 min"
    assert resource(stale)["next"] == "now"
    assert resource(stale, workers=[])["next"] == "when a refresher is running"
    assert resource(fresh, suspended=True)["next"] == "when refreshing is resumed"
    assert resource(make_view(is_running=True))["next"] == "running"
    reading = make_view(is_running=True, reading=(12, 70))
    assert resource(reading)["next"] == "reading page 12 of 70"
    assert resource(fresh, suspended=True)["next_at"] is None


def test_with_a_scheduler_the_next_refresh_comes_before_the_end_of_freshness() -> None:
    ahead = resource(make_view(), schedulers=1)["next_at"]
    assert "2027-01-15T08:13:20Z" <= ahead <= "2027-01-15T08:14:10Z"


def test_a_missing_resource_has_no_numbers() -> None:
    shown = resource(make_view(metadata=None))
    assert (shown["state"], shown["age"], shown["size"]) == ("missing", NOTHING, NOTHING)
    assert (shown["age_seconds"], shown["items"], shown["age_bar"]) == (None, None, 0)


def test_processes_of_one_node_are_one_row() -> None:
    readers = [make_reader(), make_reader(pid=12, content=100, hits=100, missing=1)]
    (shown,) = rows("readers", make_fleet(readers=readers))
    expected = {"name": "box:5000", "processes": 2, "rate": "40.0", "hits": "95 %"}
    assert {name: shown[name] for name in expected} == expected
    assert (shown["state"], shown["level"]) == ("1 missing", "bad")


def test_a_refresher_is_shown_with_its_job() -> None:
    worker = make_worker(slots=None, state="busy", job="refresh /orgs/Netflix/repos", failed=1)
    (shown,) = rows("workers", make_fleet(workers=[worker]))
    assert (shown["state"], shown["job"]) == ("busy", "refresh /orgs/Netflix/repos")
    assert shown["jobs"] == "5 done, 1 failed"
    assert shown["heard"] == "4 s ago"
    assert (shown["work"], shown["at_work"], shown["slots"]) == ("one after the other", 1, None)


def test_a_refresher_is_shown_with_its_refreshes_at_work() -> None:
    running = {Lane.TRACKED: 3, Lane.LARGE: 1, Lane.ON_DEMAND: 8}
    (shown,) = rows("workers", make_fleet(workers=[make_worker(slots=50, running=running)]))
    assert (shown["work"], shown["by_lane"]) == (
        "12 of 50 refreshes",
        "3 tracked, 1 large, 8 on demand",
    )


def test_the_queue_is_shown_by_lane_and_priority_with_its_longest_wait() -> None:
    queue = {
        (Lane.TRACKED, Priority.STALE): Queued(1, 70.4),
        (Lane.ON_DEMAND, Priority.WAITING): Queued(1200, 1.5),
    }
    shown = rows("queue", make_fleet(queue=queue))
    assert [(one["name"], one["why"], one["queued"], one["longest"]) for one in shown] == [
        ("tracked", "stale", "1 refresh", "1 min 10 s"),
        ("on demand", "a client waits", "1\u202f200 refreshes", "2 s"),
    ]


def test_every_lane_priority_and_refusal_has_words() -> None:
    queue = {(lane, priority): Queued(1, 0) for lane in Lane for priority in Priority}
    readers = [make_reader(refused=dict.fromkeys(Refusal, 1))]
    fleet = make_fleet(queue=queue, readers=readers)
    assert len(rows("queue", fleet)) == len(queue)
    assert {one["cause"] for one in rows("refusals", fleet)} == set(Refusal)


def test_refused_requests_of_all_readers_are_shown_by_cause_in_words() -> None:
    readers = [
        make_reader(refused={"too-late": 3}),
        make_reader(pid=12, refused={"client-waits": 7, "too-late": 2, "of-a-newer-release": 1}),
    ]
    shown = rows("refusals", make_fleet(readers=readers))
    assert [(one["status"], one["name"], one["times"]) for one in shown] == [
        (429, "one client waits for CLIENT_MAX_WAITING resources", "7"),
        (503, "the turn would come after MISS_WAIT", "5"),
    ]


def test_what_is_left_of_the_minute_is_shown_for_each_party() -> None:
    fleet = make_fleet(points=Points(66.9, 0.5), point_sizes=Points(80, 320))
    shown = rows("minute", fleet)
    assert [(one["name"], one["left"], one["bar"], one["level"]) for one in shown] == [
        ("tracked content", "66 of 80", 84, "good"),
        ("on-demand content", "0 of 320", 0, "warn"),
    ]
    assert rows("minute", make_fleet()) == []
    without = make_fleet(points=Points(0, 10), point_sizes=Points(0, 400))
    assert [one["party"] for one in rows("minute", without)] == ["on-demand"]


class TestWhoUsesTheBudget:
    FLEET = make_fleet(
        spent=Spent((("/users/mona", 60), ("/", 15)), (("192.0.2.7", 60), (TRACKED, 15)), 75)
    )

    def test_is_shown_to_an_operator(self) -> None:
        page = page_of(make_page_input(self.FLEET, is_operator=True))
        assert [(one["name"], one["times"], one["part"]) for one in page["clients"]] == [
            ("192.0.2.7", "60", "80 %"),
            ("tracked content", "15", "20 %"),
        ]

    def test_is_shown_to_others_without_addresses_of_clients(self) -> None:
        page = page_of(make_page_input(self.FLEET))
        assert [one["name"] for one in page["paths"]] == ["/users/mona", "/"]
        assert page["clients"] == []
        assert "192.0.2.7" not in json.dumps(page)


class TestBudgets:
    def test_show_what_is_left_and_until_when(self) -> None:
        (shown,) = rows("budgets", make_fleet(budgets=[make_budget()]))
        assert (shown["left"], shown["bar"]) == ("4\u202f000 of 5\u202f000", 80)
        assert shown["reset"] == "resets in 10 min"

    def test_that_are_nearly_spent_or_set_aside_are_marked(self) -> None:
        shown = rows(
            "budgets",
            make_fleet(budgets=[make_budget(remaining=400), make_budget(aside_until=NOW + 60)]),
        )
        assert [one["level"] for one in shown] == ["warn", "bad"]
        assert shown[1]["reset"] == "not used for 1 min: GitHub rejects it"

    @pytest.mark.parametrize("is_operator", [False, True])
    def test_show_where_a_credential_is_refused_to_operators(self, *, is_operator: bool) -> None:
        refused = [CredentialRefusal("acme", "SAML", NOW, NOW + 600)]
        (row,) = page_of(
            make_page_input(
                make_fleet(budgets=[make_budget(refused=refused)]), is_operator=is_operator
            )
        )["budgets"]
        assert [one["place"] for one in row["refused"]] == (["acme"] if is_operator else [])

    def test_show_the_signs_that_a_credential_sees_more_than_the_public(self) -> None:
        found = ["has the scope repo", "sees what is private"]
        one, other = rows(
            "budgets",
            make_fleet(budgets=[make_budget(privileges=found), make_budget(credential="b")]),
        )
        assert (one["privileges"], other["privileges"]) == (found, [])
        assert one["sees"] == (
            "sees more than the public: has the scope repo and sees what is private"
        )
        assert other["sees"] == ""

    def test_for_anonymous_requests_say_so_beside_those_of_a_credential(self) -> None:
        none = make_budget(credential="anonymous", limit=60, remaining=2)
        (alone,) = rows("budgets", make_fleet(budgets=[none]))
        assert (alone["used_for"], alone["level"]) == ("", "warn")
        shown, _ = rows("budgets", make_fleet(budgets=[none, make_budget()]))
        assert shown["used_for"] == "for requests without a credential"
        assert shown["level"] == "note"

    def test_have_a_sparkline_of_what_was_left(self) -> None:
        history = [Point(NOW - SLOTS * SLOT_SECONDS / 2, 5000), Point(NOW - 300, 2500)]
        line = sparkline(make_budget(history=history), NOW)
        assert line == "90.0,0.0 177.5,16.0 180.0,6.4"

    def test_without_a_history_have_no_sparkline(self) -> None:
        assert sparkline(make_budget(), NOW) == ""

    def test_have_a_sparkline_inside_its_picture(self) -> None:
        history = [Point(NOW - 2 * SLOTS * SLOT_SECONDS, 9000)]
        assert sparkline(make_budget(history=history), NOW).startswith("0.0,0.0 ")


def test_the_timeline_shows_failures_with_their_reason() -> None:
    failed = make_report(
        outcome=RefreshOutcome.FAILED, kind=FailureKind.STATUS, reason="GitHub answered 502"
    )
    shown = rows("timeline", make_fleet(timeline=[make_report(), failed]))
    assert [one["words"] for one in shown] == [
        "unchanged at GitHub",
        "failed: GitHub answered 502",
    ]
    assert [one["level"] for one in shown] == ["good", "warn"]
    assert shown[0]["cost"] == "1 request, 1 not modified"


def test_on_demand_content_is_shown_with_its_number_of_requests() -> None:
    mona, gone = on_demand("/users/mona"), on_demand("/users/gone")
    asked = [
        OnDemandView(mona.name, 1234, TrackedView(mona, NOW, make_metadata())),
        OnDemandView(gone.name, 2, TrackedView(gone, NOW, None)),
    ]
    shown = rows("on_demand", make_fleet(on_demand=asked))
    assert [(one["times"], one["state"]) for one in shown] == [
        ("1\u202f234", "fresh"),
        ("2", "not cached"),
    ]


def test_the_tiles_sum_up_the_fleet() -> None:
    fleet = make_fleet(
        readers=[make_reader(), make_reader(node="other:1", hits=100)],
        budgets=[make_budget(), make_budget(remaining=500)],
        queue={
            (Lane.TRACKED, Priority.STALE): Queued(1, 7.0),
            (Lane.ON_DEMAND, Priority.WAITING): Queued(2, 1.5),
        },
        origin=OriginView(NOW - 7, 304),
        workers=[
            make_worker(slots=50, running={Lane.LARGE: 1, Lane.ON_DEMAND: 30}),
            make_worker(slots=None, state="busy"),
        ],
    )
    tiles = {one["key"]: (one["value"], one["detail"]) for one in rows("tiles", fleet)}
    assert tiles == {
        "requests": ("40.0", "2 nodes"),
        "hits": ("95 %", "in the last minute"),
        "budget": ("10 %", "GitHub: 304, 7 s ago"),
        "queue": ("3", "for 7 s at most"),
        "workers": ("2", "32 of 51 refreshing"),
        "readers": ("2", "no scheduler"),
    }


def test_the_anonymous_budget_does_not_count_as_what_is_left_of_the_limit() -> None:
    spent = make_budget(credential="anonymous", limit=60, remaining=0)
    for budgets, value in (([spent, make_budget()], "80 %"), ([spent], "0 %")):
        tiles = rows("tiles", make_fleet(budgets=budgets))
        assert [one["value"] for one in tiles if one["key"] == "budget"] == [value]


def test_served_private_repositories_are_marked() -> None:
    assert page_of(make_page_input())["private"] is False
    page = page_of(make_page_input(settings=make_settings(include_private=True)))
    assert page["private"] is True
    assert "Private repositories are served to everybody" in [
        one["title"] for one in page["statements"]
    ]


def test_without_redis_the_readers_own_content_is_shown() -> None:
    page_input = make_page_input(held=[make_view("/"), make_view()], away_since=NOW - 5)
    page = page_of(type(page_input)(**{**vars(page_input), "fleet": None}))
    assert [one["name"] for one in page["resources"]] == ["/", "/orgs/Netflix"]
    assert page["resources"][0]["next"] == "when Redis is back"
    assert (page["redis"], page["tiles"], page["title"]) == (False, [], "! Redis is away")


def test_every_key_in_the_template_is_in_the_page() -> None:
    view = recorded(make_view(failure=failing_since(60), encoded={"br": 1}))
    mona = on_demand("/users/mona")
    fleet = make_fleet(
        view,
        budgets=[make_budget()],
        timeline=[make_report()],
        on_demand=[OnDemandView(mona.name, 1, TrackedView(mona, NOW, make_metadata()))],
        queue={(Lane.TRACKED, Priority.STALE): Queued(1, 7.0)},
        readers=[make_reader(refused={"too-late": 3})],
        points=Points(66.9, 0.5),
        point_sizes=Points(80, 320),
        spent=Spent((("/users/mona", 60),), (("192.0.2.7", 60),), 60),
        redelivery=LookReport(NOW, 300, (SourceReport("Netflix", hooks=1),)),
    )
    page = page_of(make_page_input(fleet, is_operator=True))
    known = {"running", *page}
    for value in page.values():
        if isinstance(value, list):
            known |= set(value[0])
    template = (TEMPLATES / "status.html").read_text()
    named = set(re.findall(r'data-(?:text|show)="(\w+)"', template))
    for pairs in re.findall(r'data-set="([^"{]+)"', template):
        named |= {pair.partition(":")[2] for pair in pairs.split()}
    assert named - known == set()
    assert len(named) > 30
