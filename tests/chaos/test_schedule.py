"""A seed is a plan: the same faults, in the same order, at the same offsets."""

from itertools import combinations

from tests.chaos.faults import BEFORE, GITHUB
from tests.chaos.schedule import CALM, KINDS, plan
from tests.fakegithub.faults import fault_from_json


def test_a_seed_gives_the_same_plan_again_and_another_seed_another() -> None:
    assert plan(1, seconds=300) == plan(1, seconds=300)
    assert plan(1, seconds=300) != plan(2, seconds=300)


def test_a_shorter_plan_is_the_beginning_of_a_longer_one() -> None:
    short = plan(3, seconds=60)

    assert short == plan(3, seconds=300)[: len(short)]


def test_every_kind_comes_before_any_comes_twice() -> None:
    kinds = [fault.kind for episode in plan(4, seconds=600) for fault in episode.faults]

    assert set(kinds[: len(KINDS)]) == set(KINDS)


def test_each_episode_is_followed_by_a_calm_and_befalls_no_part_twice() -> None:
    now = 0.0
    for episode in plan(5, seconds=600):
        assert episode.faults[0].at >= now - 0.01
        assert episode.until >= max(fault.end for fault in episode.faults) + CALM - 0.01
        subjects = [fault.subject for fault in episode.faults]
        assert len(set(subjects)) == len(subjects)
        for one, other in combinations(subjects, 2):
            pair = {one, other}
            assert "refreshers" not in pair or not any(s.startswith("refresher-") for s in pair)
        now = episode.until


def test_the_stand_in_knows_every_fault_that_it_is_asked_for() -> None:
    for order in (one for orders in BEFORE.values() for one in orders):
        fault_from_json(order)
    for kind in KINDS:
        name = kind.removeprefix("github ")
        if name != kind:
            fault_from_json({"kind": name, **GITHUB.get(name, {})})
