"""Tracked resources are refreshed before they become stale, each at a time of its own."""

from hypothesis import given
from hypothesis import strategies as st

from shared.failure import Failure
from shared.redis.entry_state import EntryState
from shared.refresh_ahead import Ahead
from shared.resources.kinds import ORGANISATION
from shared.resources.resource import Resource
from tests.builders import make_failure, make_metadata
from tests.refresher.workbench import REPOS, property_test

NOW = 1_800_000_000.0
AHEAD = Ahead(window=100.0)


def state(
    fresh_until: float, *, failure: Failure | None = None, invalidated_by: str | None = None
) -> EntryState:
    metadata = make_metadata(validated_at=NOW - 900, fresh_until=fresh_until)
    return EntryState(metadata, failure, invalidated_by)


def test_content_that_stays_fresh_for_long_is_not_due() -> None:
    assert not AHEAD.wants_refresh(REPOS, state(NOW + 101), NOW)


def test_content_that_ends_within_half_the_window_is_due() -> None:
    assert AHEAD.wants_refresh(REPOS, state(NOW + 50), NOW)


def test_stale_missing_and_invalidated_resources_are_due() -> None:
    assert AHEAD.wants_refresh(REPOS, state(NOW - 1), NOW)
    assert AHEAD.wants_refresh(REPOS, EntryState(None, None), NOW)
    assert AHEAD.wants_refresh(REPOS, state(NOW + 900, invalidated_by="x"), NOW)


def test_a_failed_resource_waits_for_its_next_try() -> None:
    failure = make_failure(at=NOW, retry_at=NOW + 5)
    assert not AHEAD.wants_refresh(REPOS, state(NOW + 1, failure=failure), NOW)
    assert AHEAD.wants_refresh(REPOS, state(NOW + 1, failure=failure), NOW + 6)


@property_test
@given(st.floats(1e9, 3e9), st.floats(0.1, 1e5))
def test_it_is_due_in_the_first_half_of_the_window(fresh_until: float, window: float) -> None:
    due_at = Ahead(window).due_at(REPOS, make_metadata(fresh_until=fresh_until))
    assert fresh_until - window <= due_at <= fresh_until - window / 2


def test_resources_fetched_together_are_due_at_different_times_each_round() -> None:
    resources = [Resource(f"/orgs/org{number}", kind=ORGANISATION) for number in range(100)]
    first, second = (
        [AHEAD.due_at(resource, make_metadata(fresh_until=until)) - until for resource in resources]
        for until in (NOW, NOW + 1000)
    )
    assert max(first) - min(first) > 40
    assert sorted(range(100), key=first.__getitem__) != sorted(range(100), key=second.__getitem__)
