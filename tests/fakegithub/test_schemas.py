"""What the world answers keeps GitHub's schemas, beyond the endpoints of `test_contract`.

The whole description is too large to keep: GITHUB_OPENAPI names a file with it, which is
`api.github.com.json` of the npm package `@octokit/openapi`. Without it these tests are skipped.
"""

import json
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tests.fakegithub.api import ask
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.test_contract import without_nullable

REPO = "/repos/Netflix/Hystrix"
TEMPLATE = "/repos/{owner}/{repo}"
ISSUES = f"{TEMPLATE}/issues"
PATHS = {
    f"{REPO}/contents": f"{TEMPLATE}/contents/{{path}}",
    f"{REPO}/contents/docs/index.md": f"{TEMPLATE}/contents/{{path}}",
    f"{REPO}/contents/vendor/lib": f"{TEMPLATE}/contents/{{path}}",
    f"{REPO}/readme": f"{TEMPLATE}/readme",
    f"{REPO}/commits": f"{TEMPLATE}/commits",
    f"{REPO}/commits/main": f"{TEMPLATE}/commits/{{ref}}",
    f"{REPO}/compare/topic...main": f"{TEMPLATE}/compare/{{basehead}}",
    f"{REPO}/branches": f"{TEMPLATE}/branches",
    f"{REPO}/branches/feature%2Flogin": f"{TEMPLATE}/branches/{{branch}}",
    f"{REPO}/tags": f"{TEMPLATE}/tags",
    f"{REPO}/git/ref/heads%2Fmain": f"{TEMPLATE}/git/ref/{{ref}}",
    f"{REPO}/git/matching-refs/tags": f"{TEMPLATE}/git/matching-refs/{{ref}}",
    f"{REPO}/git/trees/main?recursive=1": f"{TEMPLATE}/git/trees/{{tree_sha}}",
    f"{REPO}/issues?state=all": ISSUES,
    f"{REPO}/issues/2": f"{ISSUES}/{{issue_number}}",
    f"{REPO}/issues/2/comments": f"{ISSUES}/{{issue_number}}/comments",
    f"{REPO}/releases": f"{TEMPLATE}/releases",
    f"{REPO}/contributors": f"{TEMPLATE}/contributors",
    "/search/repositories?q=org:Netflix": "/search/repositories",
    "/search/issues?q=org:Netflix+is:issue": "/search/issues",
    "/search/users?q=a": "/search/users",
    "/search/commits?q=org:Netflix": "/search/commits",
    "/search/topics?q=a": "/search/topics",
    "/search/labels?q=bug&repository_id=1296269": "/search/labels",
    "/search/code?q=org:Netflix": "/search/code",
    "/users?since=1": "/users",
    "/organizations": "/organizations",
    "/repositories": "/repositories",
    "/versions": "/versions",
    "/rate_limit": "/rate_limit",
}


@cache
def description() -> dict[str, Any]:
    """GitHub's description; skips the test without it."""
    path = os.environ.get("GITHUB_OPENAPI")
    if not path:
        pytest.skip("no GITHUB_OPENAPI in the environment")
    with open(path, encoding="utf-8") as stream:
        document: dict[str, Any] = without_nullable(json.load(stream))
    return document


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=5, members=5, token_limit=10**6) as server:
        server.mutate("edit_repo", repo="Hystrix", open_issues=3)
        yield server


@pytest.mark.parametrize(("path", "template"), PATHS.items())
def test_bodies_keep_githubs_published_schemas(
    github: FakeGitHub, path: str, template: str
) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    document = description()
    content = document["paths"][template]["get"]["responses"]["200"]["content"]
    schema = {**content["application/json"]["schema"], "components": document["components"]}
    response = ask(github, path, token="owner")
    assert response.json
    errors = jsonschema.Draft202012Validator(schema).iter_errors(response.json)
    assert [f"{error.json_path}: {error.message[:200]}" for error in errors] == []
