"""The simulation of how far a fleet scales keeps the rules that it simulates."""

from dataclasses import replace

import pytest

from bench.scaling import LARGE_ORGANISATION, ORGANISATION, Fleet, Kind, Simulation

SMALL = Fleet(tracked=30)
CROWDED = Fleet(tracked=300, cache_ttl=300, points_per_minute=40, points_per_hour=500)


def test_the_same_seed_gives_the_same_hour() -> None:
    assert Simulation(SMALL).run() == Simulation(SMALL).run()
    assert Simulation(SMALL).run() != Simulation(SMALL, seed=2).run()


def test_every_resource_is_requested_once_in_each_lifetime() -> None:
    pages = 10 * (1 + 2 + 3)
    found = Simulation(SMALL).run()
    lifetimes = 3600 / SMALL.cache_ttl
    assert pages * (lifetimes - 1) <= found.requests <= pages * (lifetimes / 0.9 + 1)


def test_what_does_not_change_costs_no_point() -> None:
    still = tuple(replace(kind, changes=1e-9) for kind in ORGANISATION)
    found = Simulation(replace(SMALL, organisation=still)).run()
    assert (found.points, found.lag) == (0, [])
    assert found.requests > 0


def test_no_change_is_seen_later_than_a_lifetime_without_a_bottleneck() -> None:
    found = Simulation(SMALL).run()
    assert found.bottlenecks == []
    assert len(found.lag) > 20
    assert max(found.lag) <= SMALL.cache_ttl + 10


def test_limits_are_kept_and_delay_what_exceeds_them() -> None:
    simulation = Simulation(CROWDED)
    found = simulation.run()
    assert max(simulation._limits._minute.values()) == CROWDED.points_per_minute
    assert max(simulation._limits._hour.values()) <= CROWDED.points_per_hour
    assert "GitHub's limits" in found.bottlenecks
    assert found.worst_lag > CROWDED.cache_ttl


def test_a_spent_hour_ends_with_the_hour() -> None:
    kinds = (Kind(pages=1, changes=20, body=1000, entry=1000),) * 3
    simulation = Simulation(replace(SMALL, points_per_hour=10, organisation=kinds))
    found = simulation.run()
    assert found.points == 10
    assert set(simulation._limits._hour) == {0, 1}


def test_with_webhooks_changes_are_seen_at_once() -> None:
    found = Simulation(replace(SMALL, webhooks=True)).run()
    assert found.worst_lag < 3
    assert Simulation(SMALL).run().median_lag > 100


def test_the_load_of_redis_grows_with_the_readers() -> None:
    one, ten = (Simulation(replace(SMALL, readers=number)).run() for number in (1, 10))
    assert ten.commands == pytest.approx(10 * one.commands)
    assert ten.transferred == pytest.approx(10 * one.transferred)
    assert (ten.requests, ten.lag) == (one.requests, one.lag)


def test_a_busy_refresher_is_a_bottleneck() -> None:
    found = Simulation(replace(SMALL, refreshers=1, origin_seconds=30)).run()
    assert "refreshers" in found.bottlenecks
    assert 0.9 < found.busy <= 1.05


def test_a_webhook_costs_a_page_and_not_the_list() -> None:
    large = replace(SMALL, tracked=3, cache_ttl=4000, organisation=LARGE_ORGANISATION)
    told = Simulation(replace(large, webhooks=True)).run()
    whole_looks = 2 * (1 + 30 + 70)
    assert told.requests < whole_looks + 1.3 * (1 + 4.6 + 336)
    assert told.worst_lag < 30
