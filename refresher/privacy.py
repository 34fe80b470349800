"""The one judge of GitHub's own marks: is this object for everyone?"""

from collections.abc import Mapping
from typing import Any

_HIDDEN_VISIBILITIES = frozenset({"private", "internal", "secret"})


def is_hidden(value: Mapping[str, Any]) -> bool:
    """Whether GitHub marks an object as not for everyone.

    Repositories have `private` and `visibility`, events, gists and pages `public`, the token's own
    user `user_view_type`, releases `draft`. A pull request may be a draft, too, and is public all
    the same: it is known by its `number`.
    """
    return (
        value.get("private") is True
        or _is_hidden_visibility(value.get("visibility"))
        or value.get("public") is False
        or value.get("user_view_type") == "private"
        or (value.get("draft") is True and "number" not in value)
    )


def holds_hidden(value: Any) -> bool:
    """Whether there is such an object in a JSON value, at any depth."""
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            if is_hidden(one):
                return True
            pending.extend(one.values())
        elif isinstance(one, list):
            pending.extend(one)
    return False


def _is_hidden_visibility(visibility: object) -> bool:
    return isinstance(visibility, str) and visibility in _HIDDEN_VISIBILITIES
