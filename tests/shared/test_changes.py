"""The events of the change feed, as they are stored."""

import json

import pytest

from shared.changes import (
    MAX_BYTES,
    MAX_NAME,
    MAX_NAMED,
    EventId,
    ItemChanges,
    ItemName,
    event_id,
    event_text,
)

FIELDS = {"resource": "/orgs/Netflix/repos", "version": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12-3", EventId(12, 3)),
        ("12", EventId(12, 0)),
        ("0-0", EventId(0, 0)),
        *((text, None) for text in ("", "-", "1-", "-1", "1-2-3", "x", "1 ", "+1", "²", "9" * 19)),
    ],
)
def test_an_id_is_two_numbers(text: str, expected: EventId | None) -> None:
    assert event_id(text) == expected
    if expected is not None:
        assert event_id(str(expected)) == expected


def test_ids_are_ordered_by_both_numbers() -> None:
    assert EventId(2, 0) > EventId(1, 9) > EventId(1, 8)
    assert EventId(1, 9).next == EventId(1, 10)


def test_items_are_named() -> None:
    changes = ItemChanges([ItemName(1, "a")], [ItemName(2, None)], [ItemName("x", "y" * 201)])
    assert MAX_NAME == 200
    assert json.loads(event_text(FIELDS, changes, is_list=True)) == {
        **FIELDS,
        "items": {
            "added": [{"id": 1, "name": "a"}],
            "removed": [{"id": 2}],
            "changed": [{"id": "x"}],
        },
    }


def test_what_is_no_list_names_no_items() -> None:
    assert json.loads(event_text(FIELDS, None, is_list=False)) == FIELDS


@pytest.mark.parametrize(
    "changes",
    [
        None,
        ItemChanges([ItemName(number, None) for number in range(MAX_NAMED + 1)]),
        ItemChanges([ItemName(number, "é" * MAX_NAME) for number in range(MAX_NAMED)]),
    ],
    ids=["unknown", "too many", "too large"],
)
def test_more_than_fits_has_to_be_read_anew(changes: ItemChanges | None) -> None:
    text = event_text(FIELDS, changes, is_list=True)
    assert json.loads(text) == {**FIELDS, "read_anew": True}
    assert len(text) < MAX_BYTES
