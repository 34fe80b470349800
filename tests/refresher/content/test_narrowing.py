"""JSON is reduced to its public shape, which does not depend on the credential."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refresher.content.narrowing import Findings, UnfitError, narrowed
from refresher.content.privacy_marks import Mark
from shared.resources.operations.shapes import Shape, shapes_from
from tests.refresher.workbench import property_test

SHAPES = shapes_from(
    {
        "shapes": {
            "user": {"login": "-", "id": "-", "email": "0"},
            "repo": {
                "id": "-",
                "name": "-",
                "owner": "user",
                "topics": ["-"],
                "parent": "repo",
                "languages": {"*": "-"},
                "custom": "*",
            },
            "content": {"type": "-", "[]": {"type": "-"}},
        },
        "operations": {"repo": "repo", "repos": ["repo"], "content": "content"},
    }
)
REPO = SHAPES.operations["repo"]

names = st.text("abc", min_size=1, max_size=3)
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
users = st.fixed_dictionaries({"login": scalars, "id": st.integers()}, optional={"email": scalars})
repos: st.SearchStrategy[dict[str, Any]] = st.deferred(
    lambda: st.fixed_dictionaries(
        {"id": st.integers(), "owner": users},
        optional={
            "name": scalars,
            "topics": st.lists(scalars, max_size=2),
            "parent": st.none() | repos,
            "languages": st.dictionaries(names, st.integers(), max_size=2),
            "custom": anything,
        },
    )
)


def public(value: Any, shape: Shape = REPO) -> tuple[str, Findings]:
    """The public text of a value, and what was found."""
    findings = Findings()
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return narrowed(text, value, shape, findings)[0], findings


def widened(value: Any, data: st.DataObject) -> Any:
    """The value with additional members that no shape has, except in free-form parts."""
    if isinstance(value, list):
        return [widened(one, data) for one in value]
    if not isinstance(value, dict):
        return value
    parts = [
        (key, one if key in {"custom", "languages"} else widened(one, data))
        for key, one in value.items()
    ]
    if "id" in value:  # not a map, whose names are anybody's
        for name in data.draw(st.lists(st.sampled_from(["plan", "x_note", "secret"]), unique=True)):
            parts.insert(data.draw(st.integers(0, len(parts))), (name, data.draw(anything)))
    return dict(parts)


@property_test
@given(repos, st.data())
def test_whatever_a_credential_adds_the_public_text_is_the_same(
    repo: dict[str, Any], data: st.DataObject
) -> None:
    assert public(widened(repo, data))[0] == public(repo)[0]


@property_test
@given(repos)
def test_what_is_public_stays_what_it_was(repo: dict[str, Any]) -> None:
    once, findings = public(repo)
    again, _ = public(json.loads(once))
    assert again == once
    assert findings.dropped == set()


@property_test
@given(anything)
def test_nothing_gets_through_that_the_shape_lacks(value: Any) -> None:
    try:
        text, _ = public(value)
    except UnfitError:
        assert isinstance(value, list)
        return
    left = json.loads(text)
    assert not isinstance(left, list)
    assert not isinstance(left, dict) or left.keys() <= (REPO.members or {}).keys()


def test_what_is_only_told_to_those_who_are_known_becomes_null() -> None:
    assert public({"owner": {"login": "a", "email": "a@b.example"}})[0] == (
        '{"owner":{"login":"a","email":null}}'
    )


def test_an_object_where_a_scalar_should_be_is_dropped_and_reported() -> None:
    text, findings = public({"id": {"private": True}, "name": ["x"], "topics": ["a", {"b": 1}]})
    assert text == '{"topics":["a",null]}'
    assert findings.dropped == {"id", "name", "topics"}


def test_what_is_dropped_is_named_by_its_place() -> None:
    value = {"plan": 1, "owner": {"plan": {"name": "x"}}, "parent": {"owner": {"y": 2}}}
    assert public(value)[1].dropped == {"plan", "owner.plan", "parent.owner.y"}


@pytest.mark.parametrize(
    ("value", "marks", "free"),
    [
        ({"id": 1, "private": True}, Mark.PRIVATE, Mark.NONE),
        ({"id": 1, "parent": {"visibility": "internal"}}, Mark.PRIVATE, Mark.NONE),
        ({"id": 1, "custom": {"a": [{"private": True}]}}, Mark.NONE, Mark.PRIVATE),
        ({"id": 1, "x_note": {"private": True}}, Mark.NONE, Mark.NONE),  # it is dropped anyway
        ({"id": 1, "parent": {"draft": True}}, Mark.WITHHELD, Mark.NONE),
    ],
)
def test_marks_are_found_at_any_depth_of_what_is_left(value: Any, marks: Mark, free: Mark) -> None:
    findings = public(value)[1]
    assert (findings.marks, findings.free_marks) == (marks, free)


def test_who_may_push_is_noticed_though_it_is_not_shown() -> None:
    text, findings = public({"id": 1, "parent": {"permissions": {"push": True}}})
    assert (text, findings.may_push) == ('{"id":1,"parent":{}}', True)
    assert not public({"id": 1, "permissions": {"push": False}})[1].may_push


@pytest.mark.parametrize("value", [[{"type": "dir", "x": 1}], {"type": "file", "x": 1}])
def test_a_value_may_be_an_object_or_a_list_where_github_says_so(value: Any) -> None:
    text, findings = public(value, SHAPES.operations["content"])
    assert "x" not in text
    assert findings.dropped == {"x"}


@pytest.mark.parametrize(("value", "operation"), [([], "repo"), ({}, "repos")])
def test_a_value_of_another_shape_altogether_is_refused(value: Any, operation: str) -> None:
    with pytest.raises(UnfitError):
        public(value, SHAPES.operations[operation])


def test_private_repositories_may_be_let_in_and_drafts_never() -> None:
    private, draft = Findings(marks=Mark.PRIVATE), Findings(marks=Mark.WITHHELD)
    assert private.hides(include_private=False)
    assert not private.hides(include_private=True)
    assert draft.hides(include_private=True)
