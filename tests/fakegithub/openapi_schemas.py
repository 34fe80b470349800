"""GitHub's schemas of all documented GET responses, and what of a body is against them.

`openapi_schemas.json` is made by `make_openapi_examples` from GitHub's OpenAPI description (npm
package `@octokit/openapi` 23.0.2, MIT; the file's "about" has the notice): `operations` (by
path: the id, and the parameters of the query), `paths` (path, status, media type, schema),
`responses` (those with a name), and the `schemas` that these refer to, without
descriptions and examples. A status without a media type has no body. OpenAPI 3.0's `nullable` is
read as a second type, and `oneOf` as `anyOf`: GitHub's alternatives overlap (an event that has only
an `action` is one of two kinds).
"""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jsonschema

FILE: Final = Path(__file__).with_name("openapi_schemas.json")
JSON_TYPE: Final = "application/json"
REFUSAL: Final = "basic-error"  # the schema of nearly all errors
NAMES: Final = ("properties",)  # whose members are names and no keywords


@cache
def document() -> dict[str, Any]:
    """The whole file."""
    made: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return made


def as_json_schema(node: Any, *, names: bool = False) -> Any:
    """An OpenAPI 3.0 schema as JSON Schema; `names`: its members are names of properties."""
    if isinstance(node, list):
        return [as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {key: as_json_schema(item, names=key in NAMES) for key, item in node.items()}
    if names:
        return schema
    if "oneOf" in schema:
        schema["anyOf"] = schema.pop("oneOf")
    if schema.pop("nullable", False) is True:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


@cache
def components() -> dict[str, Any]:
    """What the schemas refer to."""
    return {"schemas": as_json_schema(document()["schemas"], names=True)}


@cache
def formats() -> jsonschema.FormatChecker:
    """The formats that are checked: texts that are an address, a time or a URI."""
    checker = jsonschema.FormatChecker(formats=("email",))
    checker.checks("date-time", raises=(ValueError, TypeError))(_is_time)
    checker.checks("uri")(lambda text: not isinstance(text, str) or bool(urlsplit(text).scheme))
    return checker


def _is_time(text: object) -> bool:
    return not isinstance(text, str) or bool(datetime.fromisoformat(text))


def validator(schema: Mapping[str, Any]) -> jsonschema.Draft202012Validator:
    """A validator of one schema of the file."""
    whole = {**as_json_schema(dict(schema)), "components": components()}
    return jsonschema.Draft202012Validator(whole, format_checker=formats())


@cache
def validator_of(kind: str, name: str, status: str, media: str) -> Any:
    """The validator of a response: `kind` is "paths" or "responses"; None if it has no schema."""
    content = document()[kind][name]
    content = content[status] if kind == "paths" else content
    if not content and status >= "400":  # GitHub does send a body, whatever it describes
        return refusal_validator()
    return validator(content[media]) if media in content else None


def violations(template: str, value: Any, status: int = 200, media: str = JSON_TYPE) -> list[str]:
    """What of a body is against the schema of its path and status.

    Args:
        template: the path as GitHub's description has it, or the name of a response ("forbidden").
        status: one that is not described is held against the schema of all errors.
    """
    if template in document()["responses"]:
        found = validator_of("responses", template, "", media)
    elif str(status) in document()["paths"][template]:
        found = validator_of("paths", template, str(status), media)
    else:
        found = refusal_validator()
    if found is None:
        return [f"$: no schema of {media} for {status}"]
    return [f"{error.json_path}: {error.message[:200]}" for error in found.iter_errors(value)]


@cache
def refusal_validator() -> Any:
    """The validator of an error whose status GitHub does not describe for its path."""
    return validator({"$ref": f"#/components/schemas/{REFUSAL}"})
