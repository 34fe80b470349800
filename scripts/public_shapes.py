"""`python -m scripts.public_shapes api.github.com.json`: generates the public shapes.

The argument is GitHub's OpenAPI description, as in the npm package @octokit/openapi. The generated
file holds, for each GET operation that returns JSON, the keys that an anonymous client
sees: GitHub's schema, less what `public_shape_rules` withholds, plus what `public_shape_gaps` adds.

The file is `{"shapes": {NAME: SHAPE, ...}, "operations": {OPERATION_ID: SHAPE, ...}}`. A SHAPE is

- `"-"`: a scalar or null; an object or a list is dropped,
- `"*"`: anything,
- `"0"`: the key stays, and its value is always null,
- `"NAME"`: the named shape (shapes may refer to each other and to themselves),
- `{KEY: SHAPE, ...}`: an object of which only these keys pass; the key `"*"` has the shape of the
  values of all other keys, the key `"[]"` that of the items if the value may be a list,
- `[SHAPE]`: a list of items of that shape.

Its third member, `"withheld"`, names the keys that only some clients see (`*` stands for any text):
dropping them is not reported.

A scalar or null passes wherever an object or a list may stand.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.public_shape_gaps import EXTRA, FREE_FORM
from scripts.public_shape_rules import (
    ANYTHING,
    INSTEAD,
    ITEMS,
    OTHER_KEYS,
    SCALAR,
    Keys,
    Shape,
    public,
    withheld_names,
)
from scripts.running import ROOT

WRITTEN = ROOT / "shared" / "resources" / "operations" / "shapes.json"
JSON_TYPE = re.compile(r"application/(json|[\w.+-]*\+json|vnd\.github\.object)")
UNIONS = ("allOf", "oneOf", "anyOf")
OTHER_FORMATS = ("application/sarif+json",)  # JSON, but another body, and refused anyway


class ShapeError(Exception):
    """The description contains something that this script does not support."""


class Shapes:
    """The named shapes of a description, made when they are first referred to.

    A union of two named shapes is a named shape itself ("a|b"), made from both later: so unions
    of schemas that contain each other end.
    """

    def __init__(self, description: dict[str, Any]) -> None:
        self._schemas: dict[str, Any] = description["components"]["schemas"]
        self._made: dict[str, Shape] = {}
        self._begun: set[str] = set()

    def of(self, schema: dict[str, Any], place: str) -> Shape:
        """The shape of a schema at this place (`schema.key[]`)."""
        if "$ref" in schema:
            return self._reference(schema["$ref"].rpartition("/")[2])
        if place in FREE_FORM:
            return ANYTHING
        parts = [self.of(part, place) for union in UNIONS for part in schema.get(union, ())]
        parts += self._own(schema, place)
        shape: Shape = SCALAR
        for part in parts:
            shape = self.union(shape, part)
        return self._public(shape, place)

    def union(self, one: Shape, other: Shape) -> Shape:
        """A shape that passes what either shape passes."""
        if other in (one, SCALAR) or one == ANYTHING:
            return one
        if one == SCALAR or other == ANYTHING:
            return other
        if isinstance(one, str) and isinstance(other, str):
            return "|".join(sorted({*one.split("|"), *other.split("|")}))
        one, other = self.named(one), self.named(other)
        if isinstance(one, list) and isinstance(other, list):
            return [self.union(one[0], other[0])]
        return self._union_of_keys(_as_keys(one), _as_keys(other))

    def named(self, shape: Shape) -> Shape:
        """The shape that a reference refers to; any other shape is returned unchanged."""
        if not isinstance(shape, str):
            return shape
        if shape not in self._made:
            if "|" not in shape:
                raise ShapeError(f"{shape} is defined by itself")
            first, *others = (self.named(name) for name in shape.split("|"))
            for other in others:
                first = self.union(first, other)
            self._made[shape] = self._public(first, shape)
        return self._made[shape]

    def reached(self, shapes: dict[str, Shape]) -> dict[str, Shape]:
        """All named shapes that these refer to, directly or indirectly."""
        found: dict[str, Shape] = {}
        waiting = [name for shape in shapes.values() for name in references(shape)]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self.named(name)
                waiting += references(found[name])
        return found

    def _reference(self, name: str) -> Shape:
        name = self._canonical(name)
        if name not in self._begun:
            self._begun.add(name)
            self._made[name] = self.of(self._schemas[name], name)
        made = self._made.get(name, name)
        return made if isinstance(made, str) else name

    def _canonical(self, name: str) -> str:
        plain = name.removeprefix("nullable-")
        return INSTEAD.get(plain, plain) if plain in self._schemas else name

    def _own(self, schema: dict[str, Any], place: str) -> Iterator[Shape]:
        others = schema.get("additionalProperties")
        if "items" in schema:
            yield [self.of(schema["items"], f"{place}[]")]
        if schema.get("type") == "object" or "properties" in schema or place in EXTRA:
            keys: Keys = {
                key: self.of(value, f"{place}.{key}")
                for key, value in schema.get("properties", {}).items()
            }
            if isinstance(others, dict):
                keys[OTHER_KEYS] = self.of(others, f"{place}.{OTHER_KEYS}")
            for key, extra in EXTRA.get(place, {}).items():
                keys[key] = self.union(keys.get(key, SCALAR), self.of(extra, f"{place}.{key}"))
            yield keys

    def _union_of_keys(self, one: Keys, other: Keys) -> Keys:
        keys: Keys = {}
        for key in {**one, **other}:
            rest = SCALAR if key == ITEMS else None
            left = one.get(key, rest or one.get(OTHER_KEYS, SCALAR))
            right = other.get(key, rest or other.get(OTHER_KEYS, SCALAR))
            keys[key] = self.union(left, right)
        return keys

    def _public(self, shape: Shape, place: str) -> Shape:
        return public(shape, place) if isinstance(shape, dict) else shape


def _as_keys(shape: Shape) -> Keys:
    """The keys of an object; a list becomes an object without keys that may be a list."""
    if isinstance(shape, list):
        return {ITEMS: shape[0]}
    assert isinstance(shape, dict)
    return shape


def references(shape: Shape) -> Iterator[str]:
    """The names that a shape refers to directly."""
    if isinstance(shape, dict):
        for value in shape.values():
            yield from references(value)
    elif isinstance(shape, list):
        yield from references(shape[0])
    elif shape[0] not in "-*0":
        yield shape


def bodies(description: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each GET operation that responds 200 with JSON, with its bodies from the description: one
    object with a `schema` and perhaps `examples` for each media type."""
    for path in description["paths"].values():
        operation = path.get("get", {})
        response = operation.get("responses", {}).get("200", {})
        if "$ref" in response:
            response = description["components"]["responses"][response["$ref"].rpartition("/")[2]]
        found = [
            body
            for media_type, body in response.get("content", {}).items()
            if JSON_TYPE.fullmatch(media_type) and media_type not in OTHER_FORMATS
        ]
        if found:
            yield operation["operationId"], found


def public_shapes(description: dict[str, Any]) -> dict[str, dict[str, Shape]]:
    """The content of the file, from GitHub's description."""
    shapes = Shapes(description)
    operations: dict[str, Shape] = {}
    for operation, found in bodies(description):
        shape: Shape = SCALAR
        for body in found:
            shape = shapes.union(shape, shapes.of(body["schema"], operation))
        operations[operation] = shape
    return {"shapes": shapes.reached(operations), "operations": operations}


def rendered(content: dict[str, dict[str, Shape]]) -> str:
    """The text of the file: sorted, one shape per line."""
    parts = [f'"withheld":{json.dumps(withheld_names())}']
    for part, shapes in content.items():
        lines = [
            f"{json.dumps(name)}:{json.dumps(shape, separators=(',', ':'), sort_keys=True)}"
            for name, shape in sorted(shapes.items())
        ]
        parts.append(f'"{part}":{{\n' + ",\n".join(lines) + "\n}")
    return "{" + ",\n".join(parts) + "}\n"


def main(arguments: list[str]) -> int:
    """Write the file."""
    if len(arguments) != 1:
        print("usage: python -m scripts.public_shapes PATH/TO/api.github.com.json")
        return 2
    description = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    WRITTEN.parent.mkdir(exist_ok=True)
    WRITTEN.write_text(rendered(public_shapes(description)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
