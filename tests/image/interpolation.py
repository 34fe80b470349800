"""Compose's interpolation of variables: `${NAME:-default}`, `${NAME:?message}`, and `$$`."""

import re
from collections.abc import Mapping
from typing import Any

_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+):(?P<kind>[-?])(?P<rest>[^}]*)\})")


def interpolated(value: Any, given: Mapping[str, str]) -> Any:
    """A part of a Compose file with its variables replaced.

    Args:
        value: text, or lists and mappings of it.
        given: the environment's variables; an empty one counts as absent, as in Compose.

    Raises:
        ValueError: a required variable is absent; the text is the file's message.
    """
    if isinstance(value, dict):
        return {key: interpolated(each, given) for key, each in value.items()}
    if isinstance(value, list):
        return [interpolated(each, given) for each in value]
    if not isinstance(value, str):
        return value

    def replaced(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        known = given.get(found["name"], "")
        if not known and found["kind"] == "?":
            raise ValueError(found["rest"])
        return known or found["rest"]

    return _VARIABLE.sub(replaced, value)
