"""A list that changes while it is read is believed only when it is complete."""

from collections.abc import Callable, Hashable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refresher.content.list_consistency import MAX_READINGS, Reading, is_settled
from tests.refresher.workbench import property_test

PAGE = 3  # items of a full page in the model

Change = Callable[[list[int]], None]


def insert(item: int, place: int) -> Change:
    """A new item appears."""
    return lambda items: items.insert(place % (len(items) + 1), item)


def delete(place: int) -> Change:
    """An item disappears, if there is one."""

    def change(items: list[int]) -> None:
        if items:
            del items[place % len(items)]

    return change


def move(source: int, target: int) -> Change:
    """An item changes its place, if there is one."""

    def change(items: list[int]) -> None:
        if items:
            item = items.pop(source % len(items))
            items.insert(target % (len(items) + 1), item)

    return change


places = st.integers(0, 20)
moves = st.builds(move, places, places)
insertions = st.integers(1000, 1_000_000).flatmap(
    lambda item: st.builds(insert, st.just(item), places)
)
# What happens between one page and the next of a reading.
deletions = st.builds(delete, places)
growing = st.lists(st.lists(st.one_of(moves, insertions), max_size=3), max_size=6)
changing = st.lists(st.lists(st.one_of(moves, insertions, deletions), max_size=3), max_size=6)
lists = st.lists(st.integers(0, 100), unique=True, max_size=14)


def read(items: list[int], changes: Sequence[Sequence[Change]] = ()) -> Reading:
    """Read a list page by page, as GitHub gives it, while it changes after each page."""
    pages: list[list[int]] = []
    while True:
        start = len(pages) * PAGE
        page = items[start : start + PAGE]
        more = len(items) > start + PAGE
        pages.append(page)
        if not more:
            return Reading(pages)
        for change in changes[len(pages) - 1] if len(pages) <= len(changes) else ():
            change(items)


def unique(changes: Sequence[Sequence[Change]]) -> Sequence[Sequence[Change]]:
    """The same changes without those that would add an existing item: ids are unique."""

    def guarded(change: Change) -> Change:
        def apply(current: list[int]) -> None:
            trial = list(current)
            change(trial)
            if len(set(trial)) == len(trial):
                current[:] = trial

        return apply

    return [[guarded(change) for change in group] for group in changes]


def believed(reading: Reading, before: Sequence[Hashable]) -> bool:
    """Whether a reading of the model's list is believed."""
    return is_settled(reading, before=before, full_page=PAGE)


@property_test
@given(lists, growing, lists)
def test_while_nothing_is_deleted_a_believed_reading_is_the_true_list(
    items: list[int], changes: list[list[Change]], before: list[int]
) -> None:
    reading = read(items, unique(changes))
    if believed(reading, before):
        assert set(reading.ids) == set(items)
        assert len(reading.ids) == len(items)


@property_test
@given(lists, changing)
def test_with_the_ids_known_a_believed_reading_misses_nothing_that_was_there_all_the_time(
    items: list[int], changes: list[list[Change]]
) -> None:
    before = list(items)
    reading = read(items, unique(changes))
    if believed(reading, before):
        assert set(before) & set(items) <= set(reading.ids)


@property_test
@given(lists, changing, lists)
def test_doubles_are_never_believed(
    items: list[int], changes: list[list[Change]], before: list[int]
) -> None:
    reading = read(items, unique(changes))
    if len(set(reading.ids)) < len(reading.ids):
        assert not believed(reading, before)
        assert not believed(reading, reading.ids)


@property_test
@given(lists, st.lists(changing, max_size=MAX_READINGS - 2), lists)
def test_a_list_that_has_stopped_moving_is_believed_as_it_is_at_the_second_reading_at_the_latest(
    items: list[int], readings: list[list[list[Change]]], known: list[int]
) -> None:
    before: Sequence[Hashable] = known
    for changes in readings:
        before = read(items, unique(changes)).ids
    still = list(items)
    first = read(items)
    if not believed(first, before):
        assert believed(read(items), first.ids)
    assert first.ids == still


@property_test
@given(lists, lists)
def test_a_calm_list_whose_ids_were_all_known_is_read_once(
    items: list[int], extra: list[int]
) -> None:
    # New items since then cost no second reading; `known` is any part of what there is.
    known = [one for one in items if one not in extra]
    assert believed(read(items), known)


@pytest.mark.parametrize(
    ("pages", "before", "expected"),
    [
        ([[]], [], True),
        ([[1, 2]], [], True),
        ([[1, 2]], [1, 2, 3], True),  # one page is one moment: nothing can have slipped through
        ([[1, 1]], [], False),
        ([[1, 1]], [1, 1], False),
        ([[1, 2, 3], [4]], [], True),
        ([[1, 2, 3], [4]], [4, 2], True),
        ([[1, 2, 3], [4]], [1, 2, 3, 4, 5], False),  # 5 is gone, or slipped through
        ([[1, 2, 3], [4]], [1, 2, 3, 4], True),
        ([[1, 2, 3], [3]], [1, 2, 3, 3], False),
        ([[1, 2, 3], [3, 4]], [], False),
        ([[1, 2], [3]], [], False),  # a page came short
        ([[1, 2], [3]], [1, 2, 3], True),  # and does so again: that is how it is
        ([[1, 2], [3]], [3, 2, 1], False),
        ([[1, 2, 3], []], [], True),
        ([[1, 2, 3], [], [4]], [], False),
    ],
)
def test_the_rule_at_its_corners(
    pages: list[list[int]], before: list[int], *, expected: bool
) -> None:
    assert believed(Reading(pages), before) is expected
