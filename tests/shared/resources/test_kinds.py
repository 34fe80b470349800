"""The table of kinds is sound: what no row may lack, whichever rows there are."""

from collections import Counter

import pytest

from shared.errors import SettingsError
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import ON_DEMAND, TRACKED, Kind, Visibility
from shared.resources.operations import Decision, operation_at
from shared.resources.resource_name import segments_of
from tests.builders import CATALOGUE, on_demand

KINDS = (*TRACKED, ON_DEMAND)


def test_names_and_routes_of_kinds_are_unique() -> None:
    for names in ([kind.name for kind in KINDS], [kind.route for kind in KINDS]):
        assert len(set(names)) == len(names)


def test_everything_on_demand_shares_one_route() -> None:
    for name in ("/orgs/github", "/users/a/repos", "/repos/a/b", "/orgs/Netflix/repos?type=forks"):
        assert on_demand(name).kind.route == "on-demand"


def test_the_name_of_a_ranking_belongs_to_one_kind() -> None:
    counted = Counter(ranking.name for kind in KINDS for ranking in kind.rankings)
    assert set(counted.values()) <= {1}


@pytest.mark.parametrize("kind", TRACKED, ids=lambda kind: kind.name)
def test_what_is_tracked_is_allowed(kind: Kind) -> None:
    operation = operation_at(segments_of(kind.template.replace("{org}", "netflix")) or [])
    assert operation is not None
    assert operation.decision is not Decision.REFUSED


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_only_lists_are_ranked_and_seen_item_by_item(kind: Kind) -> None:
    if not kind.is_expanded:
        assert kind.rankings == ()
        assert kind.visibility is Visibility.BY_OPERATION
    assert not kind.rankings or kind.named_by


@pytest.mark.parametrize("template", ["/orgs/{org}/hooks", "/user", "/orgs/{org}/nonsense"])
def test_tracking_is_no_way_around_what_is_refused(template: str) -> None:
    catalogue = Catalogue(("Netflix",), kinds=(Kind("odd", template, route="odd"),))
    with pytest.raises(SettingsError, match="cannot be tracked"):
        _ = catalogue.tracked


def test_every_row_has_its_resources() -> None:
    kinds = Counter(resource.kind.name for resource in CATALOGUE.tracked)
    assert kinds == {
        kind.name: len(CATALOGUE.orgs) if kind.is_of_an_organisation else 1 for kind in TRACKED
    }
