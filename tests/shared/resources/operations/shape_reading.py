"""What a public shape lets through, the long way round: for tests of shapes, and of their users."""

import json
from collections.abc import Iterator
from typing import Any

from tests.fakegithub.client import CHECKOUT

FILE = CHECKOUT / "shared" / "resources" / "operations" / "shapes.json"


def load() -> tuple[dict[str, Any], dict[str, Any]]:
    """The named shapes, and those of operations."""
    content = json.loads(FILE.read_text(encoding="utf-8"))
    return content["shapes"], content["operations"]


def kept_back(shape: Any, value: Any, named: dict[str, Any], path: str = "") -> Iterator[str]:
    """The paths of a body (`owner.login`, `[].id`) that the shape does not let through as they are:
    keys that it lacks, objects and lists where it has none, values that it makes null."""
    if isinstance(shape, str) and shape not in {"-", "*", "0"}:
        shape = named[shape]
    if shape == "*" or value is None:
        return
    if isinstance(value, dict) and isinstance(shape, dict):
        for key, item in value.items():
            below = f"{path}.{key}".removeprefix(".")
            if key in shape or "*" in shape:
                yield from kept_back(shape.get(key, shape.get("*")), item, named, below)
            else:
                yield below
    elif isinstance(value, list) and (isinstance(shape, list) or "[]" in shape):
        item_shape = shape[0] if isinstance(shape, list) else shape["[]"]
        for item in value:
            yield from kept_back(item_shape, item, named, f"{path}[]")
    elif isinstance(value, dict | list) or shape == "0":
        yield path


def objects(shape: Any) -> Iterator[dict[str, Any]]:
    """All objects that stand in a shape itself, not in those that it refers to."""
    if isinstance(shape, dict):
        yield shape
        for value in shape.values():
            yield from objects(value)
    elif isinstance(shape, list):
        yield from objects(shape[0])
