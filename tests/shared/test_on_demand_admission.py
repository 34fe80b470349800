"""Which refreshes are queued, and in which place."""

import pytest

from shared.on_demand_admission import SHORT_QUEUE, goes_to_the_front, is_admitted
from tests.builders import on_demand, tracked

TRACKED, ON_DEMAND = tracked("/orgs/Netflix"), on_demand("/users/mona")


@pytest.mark.parametrize(("queued", "admitted"), [(0, True), (9, True), (10, False), (11, False)])
def test_a_full_queue_admits_tracked_resources_only(queued: int, admitted: bool) -> None:
    assert is_admitted(ON_DEMAND, queued=queued, limit=10) is admitted
    assert is_admitted(TRACKED, queued=queued, limit=10)


@pytest.mark.parametrize(
    ("queued", "is_urgent", "front"),
    [(0, True, True), (0, False, False), (SHORT_QUEUE - 1, True, True), (SHORT_QUEUE, True, False)],
)
def test_only_a_short_queue_is_jumped(queued: int, is_urgent: bool, front: bool) -> None:
    assert goes_to_the_front(ON_DEMAND, queued=queued, is_urgent=is_urgent) is front
    assert goes_to_the_front(TRACKED, queued=queued, is_urgent=is_urgent)
