"""Changes examples of GitHub's description so that they keep its schemas, as little as possible.

Some of them do not: they lack members that became required, have a number where a text has to be,
or a list's one item in place of the list.
"""

import contextlib
from collections.abc import Callable
from typing import Any, Final

from tests.fakegithub import openapi_schemas
from tests.fakegithub.make_openapi_schemas import compact, stripped

TEXTS: Final = {
    "date-time": "2020-07-09T00:17:55Z",
    "uri": "https://api.github.com",
    "email": "octocat@example.com",
}
PLAIN: Final[dict[str, Any]] = {"integer": 1, "number": 1.0, "boolean": False, "array": []}
DEEPEST: Final = 12


class Mender:
    """Mends examples of one description.

    Args:
        whole: a part of the description, or what that part refers to.
    """

    def __init__(self, whole: Callable[[Any], Any]) -> None:
        self.whole = whole

    def mended(self, value: Any, schema: dict[str, Any], depth: int = 0) -> Any:
        """An example that keeps the schema if it can be made to; otherwise it may not."""
        if depth > DEEPEST or is_valid(value, schema):
            return value
        schema = self.whole(schema)
        for union in ("oneOf", "anyOf"):
            if union in schema:
                return self._best(value, schema[union], depth)
        for part in schema.get("allOf", ()):
            value = self.mended(value, part, depth + 1)
        if is_object(schema):
            return self._object(value, schema, depth)
        if schema.get("type") == "array":
            items = value if isinstance(value, list) else [value]
            return [self.mended(item, schema.get("items", {}), depth + 1) for item in items]
        return self._scalar(value, schema)

    def _best(self, value: Any, alternatives: list[dict[str, Any]], depth: int) -> Any:
        """The nearest of what an example becomes by the alternatives of a union."""
        tried = [(self.mended(value, one, depth + 1), one) for one in alternatives]
        kept = [made for made, one in tried if is_valid(made, one)]
        size = len(compact(value))
        return min(kept, key=lambda made: abs(len(compact(made)) - size), default=value)

    def _object(self, value: Any, schema: dict[str, Any], depth: int) -> Any:
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            value = {key: item for part in value for key, item in part.items()}
        if not isinstance(value, dict):
            return value
        known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        made = {
            key: self.mended(item, known.get(key, others or {}), depth + 1)
            for key, item in value.items()
            if key in known or others is not False
        }
        missing = [key for key in schema.get("required", ()) if key not in made]
        return made | {key: self.made(known.get(key, {}), depth + 1) for key in missing}

    def _scalar(self, value: Any, schema: dict[str, Any]) -> Any:
        if schema.get("enum") and value not in schema["enum"]:
            return self.made(schema)
        if schema.get("type") == "string" and isinstance(value, int | float):
            return str(value).lower()
        if schema.get("type") in ("number", "integer") and isinstance(value, str):
            with contextlib.suppress(ValueError):
                return float(value)
        return value if schema.get("type") is None else self.made(schema)

    def made(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """A value for a member that an example lacks."""
        schema = self.whole(schema)
        candidates = [schema[key] for key in ("example", "default") if key in schema]
        candidates += [None] if schema.get("nullable") else []
        for union in ("oneOf", "anyOf"):
            candidates += [self.made(one, depth + 1) for one in schema.get(union, ())]
        candidates += schema.get("enum", [])[:1]
        found = next((one for one in candidates if is_valid(one, schema)), None)
        if found is not None or None in candidates or depth > DEEPEST:
            return found
        parts = [self.made(one, depth + 1) for one in schema.get("allOf", ())]
        if is_object(schema) or parts:
            known, needed = schema.get("properties", {}), schema.get("required", ())
            own = {key: self.made(known.get(key, {}), depth + 1) for key in needed}
            return {key: item for part in [*parts, own] for key, item in part.items()}
        if schema.get("type", "string") == "string":
            return TEXTS.get(schema.get("format", ""), "text")
        return PLAIN[schema["type"]]


def is_object(schema: dict[str, Any]) -> bool:
    """Whether a schema is one of objects."""
    return schema.get("type") == "object" or "properties" in schema


def is_valid(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value keeps a schema of the description."""
    found: bool = openapi_schemas.validator(stripped(schema)).is_valid(value)
    return found
