"""What anybody may know of the fleet, and what only operators do."""

import json
from dataclasses import replace
from typing import Any

import pytest

from reader.fleet.disclosure import public_fleet
from reader.fleet.metrics import expose
from reader.fleet.view import Fleet, NodeView, OnDemandView, TrackedView
from reader.response.health import health
from reader.status.diagnosis import diagnose
from reader.status.page import page_of
from reader.status.states import State, state_of
from shared.measures import Measures
from shared.resources.catalogue import Catalogue
from shared.spending import Spent
from tests.builders import NOW, make_failure, make_metadata, on_demand
from tests.reader.status.fleets import (
    make_fleet,
    make_page_input,
    make_report,
    make_view,
    make_worker,
)

SECRET, SHOWN = "/repos/acme/secret/releases", "/repos/acme/shown/releases"
CATALOGUE = Catalogue(("Netflix",), track=(SECRET, SHOWN))
HIDDEN, VISIBLE = CATALOGUE.tracked[-2:]
GONE = make_metadata(status=404)
OF_TRACK = [
    TrackedView(HIDDEN, NOW, GONE),
    TrackedView(HIDDEN, NOW, None),
    TrackedView(HIDDEN, NOW, None, make_failure()),
    TrackedView(HIDDEN, NOW, replace(GONE, status=403), make_failure()),
]


def fleet_with(view: TrackedView) -> Fleet:
    """A fleet that names the path wherever a fleet names paths."""
    parent = on_demand("/repos/acme/secret")
    named = [make_report(resource=SECRET), make_report(resource=parent.name)]
    return make_fleet(
        make_view(),
        TrackedView(VISIBLE, NOW, make_metadata(fresh_until=NOW + 500)),
        view,
        timeline=[make_report(), *named],
        on_demand=[OnDemandView(parent.name, 3, TrackedView(parent, NOW, GONE))],
        spent=Spent(paths=((SECRET, 5), (SHOWN, 3)), total=8),
        workers=[make_worker(job=f"refresh {SECRET}"), make_worker(job=f"refresh {SHOWN}")],
    )


def page(shown: Fleet, **known: Any) -> dict[str, Any]:
    return page_of(replace(make_page_input(shown), **known))


@pytest.mark.parametrize("view", OF_TRACK)
def test_what_cannot_be_served_is_named_to_operators_only(view: TrackedView) -> None:
    fleet = fleet_with(view)
    public, operators = page(fleet), page(fleet, is_operator=True)
    assert "secret" not in json.dumps(public)
    assert json.dumps(public).count(SHOWN) >= 3
    assert json.dumps(operators).count(SECRET) >= 4
    titles = [one["title"] for one in public["statements"]]
    assert "1 path of TRACK withheld" in titles
    assert public_fleet(fleet).undisclosed == 1


@pytest.mark.parametrize("view", OF_TRACK)
def test_metrics_and_health_checks_do_not_name_it(view: TrackedView) -> None:
    fleet = fleet_with(view)
    text = expose(NodeView(Measures({}), {}, 1), fleet.tracked, fleet).decode()
    assert "secret" not in text
    assert SHOWN in text
    assert "api_read_cache_tracked_paths_withheld 1.0" in text
    found = health("/healthcheck", lambda: [HIDDEN, VISIBLE, CATALOGUE.tracked[0]])
    assert found is not None
    assert json.loads(bytes(found.body))["missing"] == ["/", "TRACK: 2"]


def test_what_is_held_while_redis_is_away_is_not_named_either() -> None:
    away: dict[str, Any] = {"fleet": None, "held": [TrackedView(HIDDEN, NOW, GONE)]}
    assert "secret" not in json.dumps(page(make_fleet(), **away))
    assert "secret" in json.dumps(page(make_fleet(), is_operator=True, **away))


def test_a_fleet_that_shows_all_that_it_tracks_is_left_as_it_is() -> None:
    fleet = make_fleet(make_view(), TrackedView(VISIBLE, NOW, make_metadata()))
    assert public_fleet(fleet) == fleet


def test_an_operator_is_told_which_paths_are_withheld_and_that_all_else_is_fresh() -> None:
    fleet = make_fleet(make_view(), TrackedView(HIDDEN, NOW, make_metadata(status=404)))
    said = {one.title: one.text for one in diagnose(fleet, [], now=NOW)}
    assert said["1 path of TRACK withheld"].startswith(f"{SECRET} (404). ")
    assert "Everything is fresh" in said
    assert state_of(fleet.tracked[1]) is State.WITHHELD
    row = page(fleet, is_operator=True)["resources"][1]
    assert (row["state"], row["outcome_words"]) == ("withheld", "withheld: clients get a 404")
