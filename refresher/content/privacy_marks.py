"""The one judge of GitHub's own marks: is this object for everyone?"""

from collections.abc import Iterator, Mapping
from enum import Flag, auto
from typing import Any

_PRIVATE_VISIBILITIES = frozenset({"private", "internal"})


class Mark(Flag):
    """Why an object is not for everyone."""

    NONE = 0
    PRIVATE = auto()  # a private or internal repository, or what has its visibility
    WITHHELD = auto()  # a draft, a secret gist, the token's own user: never public


def hidden_marks(*, include_private: bool) -> Mark:
    """The marks of what is not to be shown.

    Args:
        include_private: private repositories are let in.
    """
    return Mark.WITHHELD if include_private else Mark.PRIVATE | Mark.WITHHELD


def mark_of(value: Mapping[str, Any]) -> Mark:
    """How GitHub marks an object as not for everyone.

    Repositories have `private` and `visibility`, events, gists and pages `public`, the token's own
    user `user_view_type`, releases `draft`. A pull request may be a draft, too, and is public all
    the same: it is known by its `number`.
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
    """How the objects in a JSON value are marked, at any depth."""
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
