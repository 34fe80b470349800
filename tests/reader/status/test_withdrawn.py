"""Everybody may see the status page: it names no withdrawn repository."""

from dataclasses import replace

from reader.fleet.view import OnDemandView
from reader.status.withdrawn import without_withdrawn
from shared.drift import Drift
from shared.spending import Spent
from shared.withdrawal import NOTHING, Withdrawals
from tests.builders import NOW
from tests.reader.status.fleets import make_fleet, make_report, make_view, make_worker

SECRET, OTHER = "/repos/netflix/secret/issues", "/repos/netflix/hystrix"
WITHDRAWN = Withdrawals({"netflix/secret": NOW})


def test_it_is_named_nowhere() -> None:
    names = (SECRET, OTHER)
    fleet = make_fleet(
        on_demand=[OnDemandView(name, 1, make_view()) for name in names],
        timeline=[make_report(resource=name) for name in names],
        drift=[Drift(NOW, name) for name in names],
        spent=Spent(paths=[(name, 1) for name in names], total=2),
        workers=[replace(make_worker(), job=f"refresh {name}") for name in names],
    )
    shown = without_withdrawn(fleet, WITHDRAWN)
    assert [one.name for one in shown.on_demand] == [OTHER]
    assert [one.resource for one in shown.timeline] == [OTHER]
    assert [one.resource for one in shown.drift] == [OTHER]
    assert shown.spent == Spent(paths=[(OTHER, 1)], total=2)
    assert [one.job for one in shown.workers] == [None, f"refresh {OTHER}"]
    assert without_withdrawn(fleet, NOTHING) is fleet
