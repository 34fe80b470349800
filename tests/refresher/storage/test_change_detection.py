"""When a refresh writes an entry, and when only its freshness moves on."""

from dataclasses import replace

import pytest

from refresher.content.content import Content
from refresher.content.page import Unchanged
from refresher.storage.change_detection import changed_at, is_new, is_rebuilt, is_same
from refresher.storage.page_store import KnownPages
from shared.redis.entry_state import EntryState
from tests.builders import NOW, make_metadata

CONTENT = Content(200, b"{}")
SAME = EntryState(make_metadata(etag=CONTENT.etag), None)
OTHER = EntryState(make_metadata(etag="other"), None)
NOTHING = EntryState(None, None)


@pytest.mark.parametrize(
    ("state", "new", "same"),
    [
        (NOTHING, True, False),
        (OTHER, True, False),
        (SAME, False, True),
        (replace(SAME, is_complete=False), True, True),
    ],
)
def test_an_entry_is_written_if_its_content_or_its_derived_data_is_new(
    state: EntryState, new: bool, same: bool
) -> None:
    assert is_new(state, CONTENT) is new
    assert is_same(state, CONTENT) is same


@pytest.mark.parametrize("state", [NOTHING, OTHER, SAME])
def test_pages_that_did_not_change_bring_nothing_new(state: EntryState) -> None:
    assert not is_new(state, Unchanged([]))


def test_an_entry_is_rebuilt_if_it_is_incomplete_or_its_pages_are_outdated() -> None:
    assert not is_rebuilt(SAME, KnownPages())
    assert is_rebuilt(SAME, KnownPages(is_outdated=True))
    assert is_rebuilt(replace(SAME, is_complete=False), KnownPages())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (NOW - 60, NOW),
        (NOW - 0.5, NOW),
        (NOW, NOW + 1),
        (NOW + 0.75, NOW + 1),
        (NOW + 3600, NOW + 3601),  # Redis's clock was set back
        (253402300799.0, NOW),  # damaged
    ],
)
def test_last_modified_grows_by_a_second_with_each_change(before: float, after: float) -> None:
    state = EntryState(make_metadata(etag="other", changed_at=before), None)
    assert changed_at(state, CONTENT, NOW) == after


def test_last_modified_stays_while_the_content_does() -> None:
    state = EntryState(make_metadata(etag=CONTENT.etag, changed_at=NOW - 60), None)
    assert changed_at(state, CONTENT, NOW) == NOW - 60
    assert changed_at(NOTHING, CONTENT, NOW) == NOW
