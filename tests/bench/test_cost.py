"""What an hour costs, as `make bench-cost` measures it, is the least that it can cost."""

from bench import being_sure
from bench.cost import Hour, measure


def test_an_hour_costs_no_more_than_it_must() -> None:
    costs = measure(Hour())
    ours, lowest = costs["ours"], costs["least possible"]
    assert ours.requests == lowest.requests == 180
    assert ours.points == lowest.points == 3 + 5
    assert costs["naive"].points == 180
    # A rotated token costs a cache that keeps ETags by token all pages anew.
    assert costs["ETags by token"].points > ours.points


def test_being_sure_costs_few_points() -> None:
    looks, drift, lost = being_sure.measure().values()
    assert (looks.requests, looks.points) == (6 * 5, 0), "what has not changed is a 304"
    assert (drift.requests, drift.points) == (60, 60)
    assert lost.points <= lost.requests <= 12 * 2 + 6
