"""The schemas of GitHub's description that are kept: see `openapi_schemas`."""

import json
from typing import Any, Final

PACKAGE: Final = "@octokit/openapi"
VERSION: Final = "23.0.2"
ABOUT: Final = (
    f"Made from api.github.com.json of the npm package {PACKAGE} {VERSION}. MIT License, "
    "Copyright (c) 2020 Octokit contributors. Permission is hereby granted, free of charge, to any "
    'person obtaining a copy of this software and associated documentation files (the "Software"), '
    "to deal in the Software without restriction, including without limitation the rights to use, "
    "copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and "
    "to permit persons to whom the Software is furnished to do so, subject to the following "
    "conditions: The above copyright notice and this permission notice (including the next "
    "paragraph) shall be included in all copies or substantial portions of the Software. THE "
    'SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT '
    "NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND "
    "NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, "
    "DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING "
    "FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."
)
SCHEMAS: Final = "#/components/schemas/"
UNUSED: Final = frozenset(
    ("description", "example", "examples", "summary", "externalDocs", "title", "default")
) | {"deprecated", "readOnly", "discriminator"}


def kept(document: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a description: members of `openapi_schemas.json`."""
    components = document["components"]
    named = {name: content(one) for name, one in sorted(components["responses"].items())}
    paths = {
        path: {
            status: content(resolved(document, one))
            for status, one in item["get"]["responses"].items()
        }
        for path, item in sorted(document["paths"].items())
        if "get" in item
    }
    operations = {
        path: [document["paths"][path]["get"]["operationId"], *query(document, path)]
        for path in paths
    }
    schemas: dict[str, Any] = {}
    begun = list(references([named, paths]))
    while begun:
        name = begun.pop()
        if name not in schemas:
            schemas[name] = stripped(components["schemas"][name])
            begun += references(schemas[name])
    return {
        "about": ABOUT,
        "schemas": dict(sorted(schemas.items())),
        "responses": named,
        "operations": operations,
        "paths": paths,
    }


def query(document: dict[str, Any], path: str) -> list[str]:
    """The names of the parameters of a path's query."""
    item = document["paths"][path]
    given = [*item.get("parameters", ()), *item["get"].get("parameters", ())]
    named = document["components"]["parameters"]
    known = [named[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in given]
    return [one["name"] for one in known if one["in"] == "query"]


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """A response, or the named one that it refers to."""
    while "$ref" in node:
        node = document["components"]["responses"][node["$ref"].rpartition("/")[2]]
    return node


def content(response: dict[str, Any]) -> dict[str, Any]:
    """The schemas of a response, by media type."""
    found = response.get("content", {})
    return {media: stripped(one.get("schema", {})) for media, one in found.items()}


def stripped(node: Any, *, names: bool = False) -> Any:
    """A schema without words for people; `names`: its members are names of properties."""
    if isinstance(node, list):
        return [stripped(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: stripped(item, names=key == "properties")
        for key, item in node.items()
        if names or not (key in UNUSED or key.startswith("x-"))
    }


def references(node: Any) -> list[str]:
    """The names of the schemas that a part refers to."""
    if isinstance(node, list):
        return [name for item in node for name in references(item)]
    if not isinstance(node, dict):
        return []
    own = node.get("$ref")
    here = [own.removeprefix(SCHEMAS)] if isinstance(own, str) else []
    return here + [name for item in node.values() for name in references(item)]


def rendered(document: dict[str, Any]) -> str:
    """The text of the file: a schema or a path a line."""
    parts = []
    for key, value in kept(document).items():
        if isinstance(value, str):
            parts.append(f"{json.dumps(key)}: {json.dumps(value)}")
            continue
        lines = [f"{json.dumps(name)}:{compact(one)}" for name, one in value.items()]
        parts.append(f"{json.dumps(key)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def compact(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
