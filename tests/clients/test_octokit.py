"""Octokit.js, unmodified, with the reader as its base URL. Skipped where Node.js is missing."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.clients import node
from tests.clients.deployment import (
    ISSUES,
    MEMBERS,
    ORG,
    REPOS,
    TOKEN,
    Deployment,
    pages,
    path_of,
)
from tests.npm import NodeMissing, check_lock
from tests.waiting import eventually

# Sent from a page without the server's leave (fetch.spec.whatwg.org, CORS-safelisted).
SAFELISTED = {"accept", "accept-language", "content-language"}


@dataclass(frozen=True)
class Octokit:
    """An Octokit.js per question, each in a process of its own.

    Args:
        url: of the reader.
    """

    url: str

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """`octokit.rest.{method}({parameters})`: status, headers, data; or error."""
        return node.ask("call", self.url, TOKEN, method, json.dumps(parameters))

    def paginate(self, method: str, **parameters: Any) -> dict[str, Any]:
        """`octokit.paginate(octokit.rest.{method}, {parameters})`: data."""
        return node.ask("paginate", self.url, TOKEN, method, json.dumps(parameters))


@pytest.fixture(scope="module")
def octokit(deployment: Deployment) -> Octokit:
    """Octokit.js, installed."""
    try:
        node.install()
    except NodeMissing as missing:
        pytest.skip(f"OCTOKIT.JS IS NOT TESTED HERE: {missing}")
    return Octokit(deployment.url)


def asked_paths(answer: dict[str, Any]) -> list[str]:
    """What was asked for, in order."""
    return [path_of(asked["url"]) for asked in answer["asked"]]


def test_gets_the_organisation(deployment: Deployment, octokit: Octokit) -> None:
    answer = octokit.call("orgs.get", org="Netflix")
    assert (answer["status"], answer["data"]) == (200, deployment.org)
    assert asked_paths(answer) == [ORG]


def test_walks_the_members_page_by_page(deployment: Deployment, octokit: Octokit) -> None:
    answer = octokit.paginate("orgs.listMembers", org="Netflix", per_page=20)
    assert answer["data"] == deployment.members
    assert asked_paths(answer) == pages(MEMBERS, 130, per_page=20)


@pytest.mark.parametrize("per_page", [30, 100])
def test_walks_the_repositories_page_by_page(
    per_page: int, deployment: Deployment, octokit: Octokit
) -> None:
    answer = octokit.paginate("repos.listForOrg", org="Netflix", per_page=per_page)
    assert answer["data"] == deployment.repos
    assert asked_paths(answer) == pages(REPOS, 250, per_page=per_page)


def test_gets_the_whole_list_at_once_unless_it_asks_for_pages(
    deployment: Deployment, octokit: Octokit
) -> None:
    answer = octokit.paginate("repos.listForOrg", org="Netflix")
    assert answer["data"] == deployment.repos
    assert asked_paths(answer) == [REPOS]


def test_a_condition_that_holds_is_its_own_error_with_status_304(
    deployment: Deployment, octokit: Octokit
) -> None:
    etag = octokit.call("orgs.get", org="Netflix")["headers"]["etag"]
    answer = octokit.call("orgs.get", org="Netflix", headers={"if-none-match": etag})
    assert answer["error"]["status"] == 304
    other = octokit.call("orgs.get", org="Netflix", headers={"if-none-match": '"other"'})
    assert (other["status"], other["data"]) == (200, deployment.org)


def test_a_condition_no_longer_holds_when_something_changed(
    deployment: Deployment, octokit: Octokit
) -> None:
    truth = deployment.repos[3]
    repo = {"owner": "Netflix", "repo": truth["name"]}
    before = octokit.call("repos.get", **repo)
    condition = {"if-none-match": before["headers"]["etag"]}
    assert octokit.call("repos.get", **repo, headers=condition)["error"]["status"] == 304
    deployment.github.mutate("star", repo=truth["name"], by=5)
    after = eventually(lambda: octokit.call("repos.get", **repo, headers=condition).get("data"))
    assert after["stargazers_count"] == before["data"]["stargazers_count"] + 5


def test_gets_a_repository_and_its_issues_on_demand(
    deployment: Deployment, octokit: Octokit
) -> None:
    hystrix = {"owner": "Netflix", "repo": "Hystrix"}
    repo = octokit.call("repos.get", **hystrix)
    assert repo["data"]["id"] == deployment.repo("Hystrix")["id"]
    issues = octokit.paginate("issues.listForRepo", **hystrix, per_page=10)
    assert issues["data"] == deployment.issues
    assert asked_paths(issues) == pages(ISSUES, 45, per_page=10)


def test_what_is_not_there_is_its_own_request_error(octokit: Octokit) -> None:
    answer = octokit.call("orgs.get", org="nobody-of-that-name")
    assert answer["error"]["status"] == 404
    assert answer["error"]["data"]["message"] == "Not Found"
    assert answer["error"]["message"].startswith("Not Found")
    assert len(answer["asked"]) == 1, "it does not try again"


def test_its_token_goes_no_further_than_the_reader(
    deployment: Deployment, octokit: Octokit
) -> None:
    name = deployment.repos[7]["name"]
    (asked,) = octokit.call("repos.get", owner="Netflix", repo=name)["asked"]
    assert "authorization" in asked["headers"]
    assert deployment.github.page_requests(f"/repos/netflix/{name.lower()}") > 0
    deployment.check_that_nothing_was_passed_on()


def test_a_browser_lets_it_send_all_that_it_sends(deployment: Deployment, octokit: Octokit) -> None:
    condition = {"if-none-match": '"other"'}
    (asked,) = octokit.call("orgs.get", org="Netflix", headers=condition)["asked"]
    wanted = {name.lower() for name in asked["headers"]} - SAFELISTED
    assert {"authorization", "if-none-match", "user-agent"} <= wanted
    preflight = requests.options(
        asked["url"],
        headers={
            "Origin": "https://pages.example.com",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": ",".join(sorted(wanted)),
        },
        timeout=30,
    )
    assert preflight.ok
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in preflight.headers["Access-Control-Allow-Methods"].split(", ")
    allowed = preflight.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert wanted <= set(allowed)


def test_its_lock_holds_for_every_registry() -> None:
    check_lock(node.FOLDER)
