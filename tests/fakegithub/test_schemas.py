"""Every body of the stand-in GitHub keeps GitHub's schema of its path, status and media type."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tests.fakegithub import openapi_schemas
from tests.fakegithub.api import ask
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.openapi_examples import operation_targets
from tests.fakegithub.openapi_schemas import JSON_TYPE, as_json_schema, document, violations
from tests.fakegithub.page import PAGE, SILENT_STATUSES, UNSERVED, page
from tests.http_client import Response

REPO = "/repos/Netflix/Hystrix"
TEMPLATE = "/repos/{owner}/{repo}"
VIEWERS = {"stranger": {"role": "stranger"}, "member": {"role": "member"}}
VND = "application/vnd.github"
# Paths of an operation beside that of `operation_targets`, by template.
MORE_PATHS = (
    (f"{REPO}/contents", f"{TEMPLATE}/contents/{{path}}"),
    (f"{REPO}/contents/docs/index.md", f"{TEMPLATE}/contents/{{path}}"),
    (f"{REPO}/contents/vendor/lib", f"{TEMPLATE}/contents/{{path}}"),
    (f"{REPO}/branches/feature%2Flogin", f"{TEMPLATE}/branches/{{branch}}"),
    (f"{REPO}/compare/topic...main", f"{TEMPLATE}/compare/{{basehead}}"),
    (f"{REPO}/git/matching-refs/tags", f"{TEMPLATE}/git/matching-refs/{{ref}}"),
    (f"{REPO}/git/trees/main?recursive=1", f"{TEMPLATE}/git/trees/{{tree_sha}}"),
    (f"{REPO}/issues?state=all", f"{TEMPLATE}/issues"),
    (f"{REPO}/issues/2", f"{TEMPLATE}/issues/{{issue_number}}"),
    ("/users?since=1", "/users"),
)
# What is asked wrongly, by the status that it gets.
WRONG = (
    (422, "/search/repositories", "/search/repositories"),
    (422, "/search/issues?q=repo:nobody/nothing", "/search/issues"),
    (422, f"{REPO}/commits/nothing", f"{TEMPLATE}/commits/{{ref}}"),
    (404, f"{REPO}/contents/nothing", f"{TEMPLATE}/contents/{{path}}"),
    (404, f"{REPO}/git/ref/heads/nothing", f"{TEMPLATE}/git/ref/{{ref}}"),
    (404, f"{REPO}/issues/999", f"{TEMPLATE}/issues/{{issue_number}}"),
    (404, "/orgs/nobody", "/orgs/{org}"),
)


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(
        repos=25, private=2, members=12, anonymous_limit=10**6, token_limit=10**6, viewers=VIEWERS
    ) as server:
        server.mutate("edit_repo", repo="Hystrix", open_issues=3)
        yield server


def found(template: str, response: Response, *, media: str | None = None) -> list[str]:
    """What of a response is against GitHub's description."""
    kind = response.headers.get("content-type", "").partition(";")[0]
    described = document()["paths"][template].get(str(response.status))
    if not response.content:
        is_wrong = described is None or (bool(described) and response.status != 302)
        return [f"no body with {response.status}"] if is_wrong else []
    is_json = kind == JSON_TYPE or kind.endswith("+json") or "github.object" in kind
    body = response.json if is_json else response.content.decode()
    return violations(template, body, response.status, media or kind)


@pytest.mark.parametrize(
    ("viewer", "least"), [(None, 180), ("stranger", 280), ("member", 300), ("owner", 590)]
)
def test_each_operation_keeps_githubs_schema_for_each_viewer(
    github: FakeGitHub, viewer: str | None, least: int
) -> None:
    wrong, statuses = [], Counter[int]()
    for name, template, target in operation_targets():
        response = ask(github, target, token=viewer)
        statuses[response.status] += 1
        wrong += [(name, response.status, one) for one in found(template, response)]
    assert wrong == []
    assert statuses[200] > least


@pytest.mark.parametrize(("path", "template"), MORE_PATHS)
def test_other_objects_of_an_operation_keep_it_too(
    github: FakeGitHub, path: str, template: str
) -> None:
    response = ask(github, path, token="owner")
    assert response.status == 200
    assert response.json
    assert found(template, response) == []


def test_what_a_renamed_repository_answers_keeps_it() -> None:
    with FakeGitHub(repos=3, members=12, anonymous_limit=10**6) as server:
        server.mutate("rename", repo="Hystrix", to="new-name")
        moved = [(t, path) for _, t, path in operation_targets() if path.startswith(f"{REPO}/")]
        answers = [(template, ask(server, path)) for template, path in moved]
    statuses = Counter(response.status for _, response in answers)
    assert statuses[301] > 170
    assert set(statuses) <= {301, 404}  # a path that the viewer may not see leads nowhere
    for template, response in answers:
        name = "moved_permanently" if response.status == 301 else template
        assert violations(name, response.json, response.status) == []


def test_what_is_not_there_keeps_it(github: FakeGitHub) -> None:
    for _, template, target in operation_targets(org="nobody", repo="nothing", user="no-one"):
        response = ask(github, target)
        if response.status >= 400:
            assert found(template, response) == [], target


@pytest.mark.parametrize(("status", "path", "template"), WRONG)
def test_what_is_asked_wrongly_keeps_it(
    github: FakeGitHub, status: int, path: str, template: str
) -> None:
    response = ask(github, path)
    assert response.status == status
    assert found(template, response) == []


@pytest.mark.parametrize(
    ("options", "headers", "status"),
    [
        ({"revoked": ["bad"]}, {"Authorization": "Bearer bad"}, 401),
        ({"anonymous_limit": 1}, {}, 403),
        ({}, {"Accept": "text/html"}, 415),
        ({}, {"X-GitHub-Api-Version": "1999-01-01"}, 400),
    ],
)
def test_what_any_path_answers_to_the_wrong_client_keeps_it(
    options: dict[str, Any], headers: dict[str, str | None], status: int
) -> None:
    with FakeGitHub(repos=1, members=1, **options) as server:
        ask(server, "/")  # uses up a limit of 1
        for template, path in (("/", "/"), (TEMPLATE, REPO), ("/orgs/{org}", "/orgs/Netflix")):
            response = ask(server, path, headers)
            assert response.status == status
            assert found(template, response) == []


def test_nothing_follows_a_304(github: FakeGitHub) -> None:
    for _, _, target in operation_targets()[::10]:
        tag = ask(github, target).headers.get("etag")
        if tag is not None:
            response = ask(github, target, {"If-None-Match": tag})
            assert (response.status, response.content, response.headers["etag"]) == (304, b"", tag)


@pytest.mark.parametrize(
    ("path", "template", "accept"),
    [
        (f"{REPO}/commits/main", f"{TEMPLATE}/commits/{{ref}}", f"{VND}.diff"),
        (f"{REPO}/commits/main", f"{TEMPLATE}/commits/{{ref}}", f"{VND}.patch"),
        (f"{REPO}/commits/main", f"{TEMPLATE}/commits/{{ref}}", f"{VND}.sha"),
        (f"{REPO}/contents/docs", f"{TEMPLATE}/contents/{{path}}", f"{VND}.object"),
        ("/users/{user}/starred", "/users/{username}/starred", f"{VND}.v3.star+json"),
    ],
)
def test_other_media_types_keep_theirs(
    github: FakeGitHub, path: str, template: str, accept: str
) -> None:
    login = github.members()[0]["login"]
    response = ask(github, path.format(user=login), {"Accept": accept})
    assert response.status == 200
    described = document()["paths"][template]["200"]
    assert found(template, response, media=accept if accept in described else None) == []


def test_what_is_wrong_is_noticed(github: FakeGitHub) -> None:
    repo = ask(github, REPO).json
    assert violations(TEMPLATE, repo) == []
    assert len(violations(TEMPLATE, repo | {"id": "1", "created_at": "yesterday"})) == 2
    assert violations(TEMPLATE, repo, media="text/plain")
    assert violations(TEMPLATE, {"message": 5}, 404)
    del repo["owner"]["login"]
    assert len(violations(TEMPLATE, repo)) == 1
    nullable = as_json_schema({"properties": {"nullable": {"type": "string", "nullable": True}}})
    assert nullable["properties"]["nullable"]["anyOf"][1] == {"type": "null"}


@cache
def templates() -> set[str]:
    """The paths of the operations that the stand-in serves."""
    return {template for _, template, _ in operation_targets()}


def test_every_operation_is_served_or_named_with_the_reason() -> None:
    everything = set(document()["paths"])
    assert len(everything) == 639
    assert everything - templates() == set(UNSERVED)


def test_the_statuses_that_it_never_answers_are_named() -> None:
    described = {
        status for path in templates() for status in document()["paths"][path] if status >= "400"
    }
    assert described - {"400", "401", "403", "404", "422"} == set(SILENT_STATUSES)


def test_the_page_says_so() -> None:
    assert PAGE.read_text() == page(), "run `python -m tests.fakegithub.page`"


def test_the_file_has_its_source_and_licence_and_an_entry_a_line() -> None:
    text = openapi_schemas.FILE.read_text(encoding="utf-8")
    assert len(text) < 700_000
    assert document()["about"].startswith("Made from api.github.com.json of the npm package")
    assert "MIT License, Copyright (c) 2020 Octokit contributors" in document()["about"]
    entries = [len(document()[key]) for key in ("schemas", "responses", "operations", "paths")]
    assert len(text.splitlines()) == sum(entries) + 11
    assert json.loads(text) == document()
