"""When the refresh of a stale or missing entry is enqueued."""

import pytest
from redis import Redis

from reader.cache.refresh_requests import Checked, RefreshRequests, is_due
from reader.telemetry.counters import Counters
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis.entry_state import EntryState
from tests.builders import NOW, make_failure, make_metadata, on_demand, order_of

FRESH = make_metadata(fresh_until=NOW + 1)
STALE = make_metadata(fresh_until=NOW)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (EntryState(None, None), True),
        (EntryState(FRESH, None), False),
        (EntryState(STALE, None), True),
        (EntryState(None, make_failure(retry_at=NOW + 1)), False),
        (EntryState(STALE, make_failure(retry_at=NOW + 1)), False),
        (EntryState(None, make_failure(retry_at=NOW)), True),
        (EntryState(STALE, make_failure(retry_at=NOW)), True),
        (EntryState(FRESH, make_failure(retry_at=NOW)), False),
    ],
)
def test_the_origin_is_asked_for_what_is_missing_or_stale_unless_it_is_too_early(
    state: EntryState, expected: bool
) -> None:
    assert is_due(state, now=NOW, is_wanted=True) is expected


@pytest.mark.parametrize(
    ("state", "is_wanted", "expected"),
    [
        (EntryState(None, None, forgotten=2), True, True),
        (EntryState(None, None, forgotten=2), False, False),
        (EntryState(STALE, None, forgotten=2), False, True),  # stored since
        (EntryState(FRESH, None, invalidated_by="x"), False, True),
    ],
)
def test_what_was_forgotten_is_requested_only_if_it_is_wanted(
    state: EntryState, *, is_wanted: bool, expected: bool
) -> None:
    assert is_due(state, now=NOW, is_wanted=is_wanted) is expected


def test_only_stale_content_is_ordered_by_its_age(redis: Redis) -> None:
    states = {
        # Fresh until long after the second change was reported.
        "/users/changed-first": EntryState(
            make_metadata(fresh_until=4e9), None, invalidated_by="x"
        ),
        "/users/changed-second": EntryState(
            make_metadata(fresh_until=NOW), None, invalidated_by="y"
        ),
        "/users/stale": EntryState(make_metadata(fresh_until=NOW - 1), None),
        "/users/stale-for-longest": EntryState(make_metadata(fresh_until=NOW - 2), None),
    }
    requests = RefreshRequests(RefreshQueue(redis, QueueLimits()), Counters())
    for name, state in states.items():
        requests.request_all([Checked(on_demand(name), state, is_wanted=True)], now=NOW)
    assert order_of(redis) == [
        *("/users/changed-first", "/users/changed-second"),
        *("/users/stale-for-longest", "/users/stale"),
    ]
