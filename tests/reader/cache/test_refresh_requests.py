"""When the refresh of a stale or missing entry is enqueued."""

import pytest

from reader.cache.refresh_requests import is_due
from shared.redis.store import EntryState
from tests.builders import NOW, make_failure, make_metadata

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
