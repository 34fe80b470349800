"""GitHub's fields that mark an object as not public."""

from typing import Any

import pytest

from refresher.content.privacy_marks import Mark, mark_of, marks_in


@pytest.mark.parametrize(
    ("value", "mark"),
    [
        ({"private": True}, Mark.PRIVATE),
        ({"private": False}, Mark.NONE),
        ({"private": "true"}, Mark.NONE),
        ({"visibility": "private"}, Mark.PRIVATE),
        ({"visibility": "internal"}, Mark.PRIVATE),
        ({"visibility": "public"}, Mark.NONE),
        ({"private": False, "visibility": "internal"}, Mark.PRIVATE),
        ({"visibility": "secret"}, Mark.WITHHELD),
        ({"public": False}, Mark.WITHHELD),
        ({"public": True}, Mark.NONE),
        ({"public": None}, Mark.NONE),
        ({"user_view_type": "private"}, Mark.WITHHELD),
        ({"user_view_type": "public"}, Mark.NONE),
        ({"draft": True, "tag_name": "v1"}, Mark.WITHHELD),
        ({"draft": False, "tag_name": "v1"}, Mark.NONE),
        ({"draft": True, "number": 7}, Mark.NONE),  # a pull request, which everybody sees
        ({"private": True, "draft": True}, Mark.PRIVATE | Mark.WITHHELD),
        ({}, Mark.NONE),
    ],
)
def test_github_marks_what_is_not_for_everyone(value: dict[str, Any], mark: Mark) -> None:
    assert mark_of(value) == mark


@pytest.mark.parametrize("visibility", [[], {"private": True}])
def test_a_mark_of_another_type_marks_nothing(visibility: Any) -> None:
    assert mark_of({"visibility": visibility}) == Mark.NONE


@pytest.mark.parametrize("value", [None, 5, "private", [], {}, [{"private": False}]])
def test_nothing_is_marked_where_there_is_no_mark(value: Any) -> None:
    assert marks_in(value) == Mark.NONE


def test_marks_are_found_at_any_depth() -> None:
    value = [{"payload": {"forkee": [{"private": True}]}}, {"release": {"draft": True}}]
    assert marks_in(value) == Mark.PRIVATE | Mark.WITHHELD
