"""`python -m tests.fakegithub.make_openapi_examples PATH`: keep parts of GitHub's description.

PATH is `api.github.com.json` of the npm package `@octokit/openapi` (23.0.2, MIT).
`openapi_schemas.json` has the schemas (see `openapi_schemas`). In `openapi_examples.json` there is
one line for each GET operation with an example of a JSON 200: see `openapi_examples.Operation`.
Objects that several examples share are in the first line; examples refer to them by their place
there. Examples that do not keep GitHub's own schemas are mended (see `mended_examples`).
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tests.fakegithub import openapi_schemas
from tests.fakegithub.access import access
from tests.fakegithub.make_openapi_schemas import compact, rendered
from tests.fakegithub.mended_examples import Mender

TARGET: Final = Path(__file__).with_name("openapi_examples.json")
MOST_ITEMS: Final = 2
SHORTEST_SHARED: Final = 150
REFERENCE: Final = "$shared"
VALUES: Final = {
    "owner": "{org}", "org": "{org}", "repo_owner": "{org}", "repo": "{repo}",
    "repo_name": "{repo}", "username": "{user}", "assignee": "{user}", "target_user": "{user}",
    "account_id": "{user_id}", "branch": "main", "ref": "main", "base": "main", "head": "next",
    "basehead": "main...next", "path": "README.md", "dir": "docs", "tag": "v1.0",
    "ghsa_id": "GHSA-abcd-1234-efgh", "subject_digest": "sha256:" + "0" * 64,
    "gist_id": "aa5a315d61ae9438b18d", "version": "1", "language": "python", "key": "mit",
    "license": "mit", "name": "bug", "enterprise": "acme", "actor_type": "installation",
    "package_type": "npm", "workflow_id": "1", "pages_deployment_id": "1", "user_id": "1",
    "uuid": "0" * 8 + "-0000-4000-8000-" + "0" * 12,
}  # fmt: skip
HASHES: Final = ("sha", "commit_sha", "file_sha", "tag_sha", "tree_sha")


class Description:
    """GitHub's description, with its references followed."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.mender = Mender(self.whole)

    def whole(self, node: Any) -> Any:
        """A node, or what it refers to."""
        while isinstance(node, dict) and "$ref" in node:
            found: Any = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step.replace("~1", "/").replace("~0", "~")]
            node = found
        return node

    def operations(self) -> list[dict[str, Any]]:
        """Every operation with an example, by path."""
        gets = [
            (path, item["get"]) for path, item in self.document["paths"].items() if "get" in item
        ]
        return [made for path, get in sorted(gets) if (made := self.operation(path, get))]

    def operation(self, template: str, get: dict[str, Any]) -> dict[str, Any] | None:
        """One operation as `openapi_examples.Operation` has it; None without an example."""
        ok = self.whole(get["responses"].get("200", {}))
        content = ok.get("content", {}).get("application/json", {})
        examples = content.get("examples") or {}
        if not examples and "example" not in content:
            return None
        value = (
            self.whole(next(iter(examples.values())))["value"] if examples else content["example"]
        )
        statuses = sorted(get["responses"])
        description = f"{get.get('summary', '')}. {get.get('description', '')}"
        return {
            "id": get["operationId"],
            "template": template,
            "target": self.target(template, get),
            "integers": sorted(name for name, kind in self.kinds(get).items() if kind == "integer"),
            "pages": "Link" in ok.get("headers", {}),
            "who": access(template, description, statuses),
            "statuses": [status for status in statuses if status in ("401", "403", "404")],
            "body": self.mender.mended(short(self.example(value)), content["schema"]),
        }

    def example(self, value: Any) -> Any:
        """An example with the examples in it that it refers to."""
        if isinstance(value, list):
            return [self.example(item) for item in value]
        if isinstance(value, dict):
            if "$ref" in value:
                return self.example(self.whole(value)["value"])
            return {key: self.example(item) for key, item in value.items()}
        return value

    def kinds(self, get: dict[str, Any]) -> dict[str, str]:
        """The type of each parameter of the path."""
        parameters = map(self.whole, get.get("parameters", []))
        return {
            one["name"]: self.whole(one["schema"]).get("type", "string")
            for one in parameters
            if one["in"] == "path"
        }

    def target(self, template: str, get: dict[str, Any]) -> str:
        """The path with values that match; names of the world's objects are in braces."""
        target = template
        for name, kind in self.kinds(get).items():
            usual = "1" if kind == "integer" else "a" * 40 if name in HASHES else f"some-{name}"
            target = target.replace("{%s}" % name, VALUES.get(name, usual))  # noqa: UP031
        return target


def short(value: Any) -> Any:
    """An example with no list of more than a few items, and no map of more than forty keys."""
    if isinstance(value, list):
        return [short(item) for item in value[:MOST_ITEMS]]
    if isinstance(value, dict):
        pairs = list(value.items())
        return {key: short(item) for key, item in (pairs if len(pairs) < 400 else pairs[:3])}
    return value


def with_references(operations: list[dict[str, Any]]) -> list[Any]:
    """The shared objects, and the operations with references to them."""
    counts: Counter[str] = Counter()

    def count(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                count(item)
        elif isinstance(value, dict):
            text = compact(value)
            counts[text] += 1
            if len(text) < SHORTEST_SHARED or counts[text] == 1:
                for item in value.values():
                    count(item)

    for one in operations:
        count(one["body"])
    shared: dict[str, int] = {}
    held: list[Any] = []

    def referring(value: Any) -> Any:
        if isinstance(value, list):
            return [referring(item) for item in value]
        if not isinstance(value, dict):
            return value
        text = compact(value)
        if counts[text] < 2 or len(text) < SHORTEST_SHARED:
            return {key: referring(item) for key, item in value.items()}
        if text not in shared:
            made = {key: referring(item) for key, item in value.items()}
            shared[text] = len(held)
            held.append(made)
        return {REFERENCE: shared[text]}

    made = [one | {"body": referring(one["body"])} for one in operations]
    return [held, *made]


def examples_text(document: dict[str, Any]) -> str:
    """The text of the file of examples."""
    lines = map(compact, with_references(Description(document).operations()))
    return "[\n" + ",\n".join(lines) + "\n]\n"


def main() -> None:
    """Write the files: first the schemas, by which examples are mended."""
    document = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for target, make in ((openapi_schemas.FILE, rendered), (TARGET, examples_text)):
        target.write_text(make(document), encoding="utf-8")
        print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
