"""Decides by GitHub's visibility fields whether an object is public. No other module does."""

from collections.abc import Iterator, Mapping
from enum import Flag, auto
from typing import Any

_PRIVATE_VISIBILITIES = frozenset({"private", "internal"})


class Mark(Flag):
    """Why an object is not public."""

    NONE = 0
    PRIVATE = auto()  # a private or internal repository, or an object that shares its visibility
    WITHHELD = auto()  # a draft, a secret gist, the token's own user: never public


def hidden_marks(*, include_private: bool) -> Mark:
    """The marks of objects that must not be shown.

    Args:
        include_private: private repositories are admitted.
    """
    return Mark.WITHHELD if include_private else Mark.PRIVATE | Mark.WITHHELD


def mark_of(value: Mapping[str, Any]) -> Mark:
    """The marks of one object, without the objects inside it.

    Repositories have `private` and `visibility`; events, gists and pages have `public`; the token's
    own user has `user_view_type`; releases have `draft`. A pull request may be a draft, too, but is
    public nevertheless: it is recognised by its `number`.
    """
    mark = Mark.NONE
    visibility = value.get("visibility")
    if value.get("private") is True or (
        isinstance(visibility, str) and visibility in _PRIVATE_VISIBILITIES
    ):
        mark |= Mark.PRIVATE
    if (
        value.get("public") is False
        or visibility == "secret"
        or value.get("user_view_type") == "private"
        or (value.get("draft") is True and "number" not in value)
    ):
        mark |= Mark.WITHHELD
    return mark


def marks_in(value: Any) -> Mark:
    """The marks of all objects in a JSON value, at any depth."""
    mark = Mark.NONE
    for one in _objects(value):
        mark |= mark_of(one)
    return mark


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            yield one
            pending.extend(one.values())
        elif isinstance(one, list):
            pending.extend(one)
