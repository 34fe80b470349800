"""Neither party takes the whole refresher, whatever comes and ends in whatever order."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refresher.dispatch.slots import Slots
from refresher.lock.large_list_limit import large_at_once
from shared.queue_order import Lane
from tests.refresher.workbench import property_test

TRACKED = (Lane.TRACKED, Lane.LARGE)
totals = st.integers(1, 100)
reserves = st.floats(0, 0.9)
# Each number picks one of the things that may happen next.
choices = st.lists(st.integers(0, 1000), max_size=200)


def begin(slots: Slots, lane: Lane) -> bool:
    """Begin a job of a lane if it may; return whether it did."""
    if lane not in dict(slots.wanted()):
        return False
    slots.enter(lane)
    return True


def fill(slots: Slots, *lanes: Lane) -> None:
    """Begin jobs of these lanes, as many as may run."""
    while any(begin(slots, lane) for lane in lanes):
        pass


def play(slots: Slots, numbers: Sequence[int]) -> None:
    """Begin and end jobs, within what the slots want."""
    for number in numbers:
        busy = [lane for lane in Lane if slots.running[lane]]
        events = [*((slots.enter, lane) for lane, _ in slots.wanted())]
        events += [(slots.leave, lane) for lane in busy]
        event, lane = events[number % len(events)]
        event(lane)


def tracked(slots: Slots) -> int:
    return sum(slots.running[lane] for lane in TRACKED)


@property_test
@given(totals, reserves, choices)
def test_no_limit_is_ever_exceeded(total: int, reserve: float, numbers: Sequence[int]) -> None:
    slots = Slots(total, reserve=reserve)
    for number in numbers:
        play(slots, [number])
        assert 0 <= slots.free <= total
        assert all(0 <= slots.running[lane] <= slots.limits[lane] for lane in Lane)
        assert tracked(slots) <= slots.limits[Lane.TRACKED]
        assert slots.running[Lane.LARGE] <= large_at_once(total)


@property_test
@given(totals, reserves, choices)
def test_as_many_as_wanted_of_any_one_lane_may_begin(
    total: int, reserve: float, numbers: Sequence[int]
) -> None:
    slots = Slots(total, reserve=reserve)
    play(slots, numbers)
    for lane, count in slots.wanted():
        before = dict(slots.running)
        for _ in range(count):
            assert begin(slots, lane)
        assert lane not in dict(slots.wanted())
        for _ in range(count):
            slots.leave(lane)
        assert slots.running == before


@property_test
@given(st.integers(2, 100), st.floats(0.01, 0.9), choices)
def test_each_party_always_has_a_slot_that_the_other_cannot_take(
    total: int, reserve: float, numbers: Sequence[int]
) -> None:
    slots = Slots(total, reserve=reserve)
    play(slots, numbers)
    fill(slots, *TRACKED)
    assert slots.running[Lane.ON_DEMAND] or begin(slots, Lane.ON_DEMAND)

    slots = Slots(total, reserve=reserve)
    play(slots, numbers)
    fill(slots, Lane.ON_DEMAND)
    assert tracked(slots) or begin(slots, Lane.TRACKED)


@property_test
@given(totals, st.floats(0, 0.79), choices)
def test_no_slot_stays_empty_while_both_parties_have_jobs(
    total: int, reserve: float, numbers: Sequence[int]
) -> None:
    slots = Slots(total, reserve=reserve)
    play(slots, numbers)
    fill(slots, *Lane)
    assert slots.wanted() == []
    assert slots.free == 0


@property_test
@given(totals)
def test_without_a_reserve_the_next_free_slot_is_for_tracked_jobs(total: int) -> None:
    slots = Slots(total, reserve=0)
    fill(slots, Lane.ON_DEMAND)
    assert slots.free == 0
    slots.leave(Lane.ON_DEMAND)
    assert slots.wanted()[0][0] in TRACKED


@pytest.mark.parametrize("total", [2, 3, 4, 50])
def test_large_lists_leave_slots_to_small_tracked_resources(total: int) -> None:
    slots = Slots(total, reserve=0.2)
    fill(slots, Lane.LARGE)
    assert slots.running[Lane.LARGE] == (1 if total < 4 else 2)
    assert begin(slots, Lane.TRACKED) is (total > 2)


def test_the_shares_of_the_default_number_of_slots() -> None:
    slots = Slots(50, reserve=0.2)
    assert slots.limits == {Lane.TRACKED: 40, Lane.LARGE: 2, Lane.ON_DEMAND: 40}


def test_a_single_slot_goes_to_the_lanes_in_turns() -> None:
    slots = Slots(1, reserve=0.2)
    served = []
    for _ in range(300):
        lane, count = slots.wanted()[0]
        assert count == 1
        slots.enter(lane)
        served.append(lane)
        slots.leave(lane)
    assert Counter(served) == dict.fromkeys(Lane, 100)
    assert all(len(set(served[at : at + 3])) == 3 for at in range(298))


def test_a_lane_that_has_nothing_is_passed_over_without_a_loss() -> None:
    slots = Slots(1, reserve=0.2)
    served = []
    for _ in range(100):
        lane = next(lane for lane, _ in slots.wanted() if lane is not Lane.LARGE)
        slots.enter(lane)
        served.append(lane)
        slots.leave(lane)
    assert Counter(served) == {Lane.TRACKED: 50, Lane.ON_DEMAND: 50}


def test_the_lane_that_uses_least_of_its_limit_comes_first() -> None:
    slots = Slots(50, reserve=0.2)
    for lane, count in ((Lane.TRACKED, 10), (Lane.ON_DEMAND, 5), (Lane.LARGE, 1)):
        for _ in range(count):
            slots.enter(lane)
    assert slots.wanted() == [(Lane.ON_DEMAND, 34), (Lane.TRACKED, 29), (Lane.LARGE, 1)]
