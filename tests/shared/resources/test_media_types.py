"""The media types that GitHub documents besides plain JSON."""

import pytest

from shared.resources import media_types
from shared.resources.media_types import PLAIN, is_json, is_sent_as, media_type, media_types_of
from shared.resources.operations import Decision, operations
from shared.resources.operations.shapes import public_shapes

SERVED = [one for one in operations() if one.decision is not Decision.REFUSED]


def test_each_is_of_an_operation_that_is_served() -> None:
    assert set(media_types._BY_OPERATION) <= {one.id for one in SERVED}


def test_what_is_not_json_is_sent_in_githubs_own_type_only() -> None:
    (readme,) = (one for one in SERVED if one.id == "repos/get-readme")
    raw = media_type(readme, "raw")
    for sent in (
        "application/vnd.github.raw+json; charset=utf-8",
        "application/vnd.github.v3.raw; charset=utf-8",
        "Application/vnd.github.RAW",
    ):
        assert is_sent_as(sent, raw)
        assert not is_json(sent)
    for sent in ("text/html; charset=utf-8", "application/json", "", "application/octet-stream"):
        assert not is_sent_as(sent, raw)
    assert not is_sent_as("application/vnd.github+json", PLAIN)


@pytest.mark.parametrize("member", ["body_html", "body_text"])
def test_the_public_shapes_let_rendered_bodies_pass(member: str) -> None:
    shapes = public_shapes().operations
    for operation in SERVED:
        if (
            "full" in media_types_of(operation)
            and operation.id != "search/issues-and-pull-requests"
        ):
            shape = shapes[operation.id]
            item = shape.items or shape
            assert member in (item.members or {}), (operation.id, member)


def test_the_public_shapes_let_matches_and_dates_of_stars_pass() -> None:
    shapes = public_shapes().operations
    for operation in SERVED:
        if "text-match" in media_types_of(operation):
            items = (shapes[operation.id].members or {})["items"].items
            assert items is not None
            assert "text_matches" in (items.members or {}), operation.id
    starred = shapes["activity/list-repos-starred-by-user"].items
    assert starred is not None
    assert {"starred_at", "repo"} <= set(starred.members or {})
