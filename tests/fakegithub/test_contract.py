"""The stand-in GitHub matches GitHub's published description and its recorded responses.

The recordings are those of the npm package `@octokit/fixtures` (MIT). With a token in
GITHUB_CONTRACT_TOKEN the same claims are tested against the real api.github.com.
"""

import gzip
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.fakegithub.api import ask
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.openapi_schemas import violations
from tests.http_client import Response

REAL = "https://api.github.com"
RECORDED = Path(__file__).with_name("recorded_responses.json")
PATHS = {
    "/": "/",
    "/orgs/Netflix": "/orgs/{org}",
    "/orgs/Netflix/members?per_page=50": "/orgs/{org}/members",
    "/orgs/Netflix/public_members?per_page=50": "/orgs/{org}/public_members",
    "/orgs/Netflix/repos?per_page=100": "/orgs/{org}/repos",
    "/orgs/Netflix/repos?per_page=100&page=2": "/orgs/{org}/repos",
    "/users/{member}": "/users/{username}",
    "/users/{member}/orgs": "/users/{username}/orgs",
    "/users/{member}/repos": "/users/{username}/repos",
    "/users/Netflix/repos?per_page=5": "/users/{username}/repos",
    "/repos/Netflix/Hystrix": "/repos/{owner}/{repo}",
    "/rate_limit": "/rate_limit",
}
# Fields that only members or viewers with push access see; an owner made the recordings.
OWNERS_ONLY = {
    "plan", "billing_email", "total_private_repos", "owned_private_repos", "private_gists",
    "disk_usage", "collaborators", "default_repository_permission",
    "two_factor_requirement_enabled", "web_commit_signoff_required", "members_.*", "allow_.*",
    "delete_branch_on_merge", "use_squash_pr_title_as_default",
}  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """The tested server, with a token; `member` is the login of a user who has repositories."""

    ask: Callable[[str], Response]
    member: str
    token: str = field(repr=False)  # pytest prints what a failing test was given

    def get(self, path: str) -> Response:
        """The response to a path of PATHS."""
        return self.ask(path.replace("{member}", self.member))


def recordings(scenario: str) -> list[dict[str, Any]]:
    """The recorded responses of a scenario, in order."""
    records = json.loads(RECORDED.read_text(encoding="utf-8"))["responses"]
    return [record for record in records if record["scenario"] == scenario]


def recorded(scenario: str, path: str) -> dict[str, Any]:
    """One recorded response."""
    return next(one for one in recordings(scenario) if one["path"].startswith(path))


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(anonymous_limit=10_000) as server:
        yield server


@pytest.fixture(scope="module", params=["stand-in", "real"])
def origin(request: pytest.FixtureRequest, github: FakeGitHub) -> Origin:
    """The stand-in, and the real GitHub if there is a token for it."""
    if request.param == "stand-in":
        logins = [member["login"] for member in github.members()]
        owner = next(login for login in logins if ask(github, f"/users/{login}/repos").json)
        return Origin(lambda path: ask(github, path, token="t"), owner, "t")
    token = os.environ.get("GITHUB_CONTRACT_TOKEN")
    if not token:
        pytest.skip("no GITHUB_CONTRACT_TOKEN in the environment")
    fields = {"User-Agent": "api-read-cache-tests", "Accept": "application/json"}
    fields |= {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"}
    return Origin(lambda path: ask_real(REAL + path, fields), "octocat", token)


def ask_real(url: str, fields: dict[str, str]) -> Response:
    """The real GitHub's response; no redirect is followed, so no other host gets the token."""
    got = requests.get(
        url,
        headers=fields,
        auth=lambda prepared: prepared,  # keeps ~/.netrc out
        allow_redirects=False,
        stream=True,
        timeout=30,
    )
    headers = {name.lower(): value for name, value in got.headers.items()}
    return Response(got.status_code, headers, got.raw.read(decode_content=False))


@pytest.mark.parametrize(("path", "template"), PATHS.items())
def test_bodies_keep_githubs_published_schemas(origin: Origin, path: str, template: str) -> None:
    response = origin.get(path)
    assert response.status == 200
    assert response.json
    assert violations(template, response.json) == []


def test_the_check_itself_finds_what_is_wrong(github: FakeGitHub) -> None:
    broken = github.org() | {"id": "913567", "created_at": "yesterday", "url": "x"}
    del broken["node_id"]
    assert len(violations("/orgs/{org}", broken)) == 4
    repo = github.repos()[0] | {"description": 5}
    assert len(violations("/orgs/{org}/repos", [repo])) == 1


def test_every_repository_keeps_the_schema_of_a_single_one(github: FakeGitHub) -> None:
    for repo in github.repos()[::25]:
        body = ask(github, f"/repos/{repo['full_name']}").json
        assert violations("/repos/{owner}/{repo}", body) == []


def test_a_404_has_the_same_words(origin: Origin) -> None:
    response = origin.get("/orgs/Netflix/there-is-no-such-thing")
    assert response.status == 404
    assert (response.json["message"], response.json["status"]) == ("Not Found", "404")
    assert response.json["documentation_url"].startswith("https://docs.github.com/rest")


def test_lists_are_paged_with_links_in_numeric_form_and_weak_etags(origin: Origin) -> None:
    response = origin.get("/orgs/Netflix/repos?per_page=50&page=2")
    assert list(response.links) == ["prev", "next", "last", "first"]
    for url in response.links.values():
        assert re.fullmatch(r"/organizations/913567/repos\?per_page=50&page=\d+", tail(url))
    assert re.fullmatch(r'W/"[0-9a-f]{64}"', response.headers["etag"])


def tail(url: str) -> str:
    """A URL's path with query."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_the_etag_is_computed_as_github_computes_it(origin: Origin) -> None:
    # Unofficial; it may be used as a hint only.
    response = origin.get("/orgs/Netflix")
    hashed = f"application/json:Bearer {origin.token}:".encode() + response.content
    assert response.headers["etag"] == f'W/"{hashlib.sha256(hashed).hexdigest()}"'
    assert response.headers["vary"].startswith("Accept, Authorization, Cookie,")
    assert response.headers["cache-control"] == "private, max-age=60, s-maxage=60"


@pytest.mark.parametrize(
    ("scenario", "recorded_path", "path"),
    [
        ("get-root", "/", "/"),
        ("get-organization", "/orgs/", "/orgs/Netflix"),
        ("get-repository", "/repos/", "/repos/Netflix/Hystrix"),
        ("paginate-issues", "/repos/", "/repos/Netflix/Hystrix/issues?per_page=3"),
    ],
)
def test_bodies_and_headers_have_what_the_recorded_ones_have(
    github: FakeGitHub, scenario: str, recorded_path: str, path: str
) -> None:
    github.mutate("edit_repo", repo="Hystrix", open_issues=13)
    record, response = recorded(scenario, recorded_path), ask(github, path, token="t")
    assert response.status == record["status"]
    assert set(record["headers"]) - {"connection"} <= set(response.headers)
    same = (
        "access-control-allow-origin", "access-control-expose-headers", "cache-control",
        "content-security-policy", "content-type", "referrer-policy",
        "strict-transport-security", "x-content-type-options", "x-frame-options",
        "x-github-media-type", "x-ratelimit-limit", "x-ratelimit-resource", "x-xss-protection",
    )  # fmt: skip
    assert {n: response.headers[n] for n in same} == {n: record["headers"][n] for n in same}
    extra = {"server", "vary", "x-github-api-version-selected"}
    assert set(response.headers) - set(record["headers"]) <= extra
    ours, theirs = response.json, record["body"]
    pairs = zip(ours, theirs, strict=True) if isinstance(ours, list) else [(ours, theirs)]
    for mine, recorded_one in pairs:
        lacking = set(recorded_one) - set(mine)
        assert not [key for key in lacking if not re.fullmatch("|".join(OWNERS_ONLY), key)]
        common = [key for key in recorded_one if key in mine]
        if scenario != "get-organization":
            assert common == [key for key in mine if key in recorded_one]


def test_a_recorded_list_has_links_of_the_same_form(github: FakeGitHub) -> None:
    number = github.mutate("edit_repo", repo="Hystrix", open_issues=13)["id"]
    pages = recordings("paginate-issues")
    assert len(pages) == 5
    url = f"/repositories/{number}/issues?per_page=3"
    for record in pages:
        page = record["path"].partition("&page=")[2]
        response = ask(github, f"{url}&page={page}" if page else url)
        expected = record["headers"]["link"].replace(REAL, github.url).replace("1000", str(number))
        assert response.headers["link"] == expected
        assert len(response.json) == len(record["body"])


def test_a_rename_responds_as_the_recorded_one() -> None:
    record = recorded("rename-repository", "/repos/")
    with FakeGitHub(repos=3, members=1) as github:
        github.mutate("rename", repo=0, to="new-name")
        old = next(iter(github.server.github.world.former_names))[1]
        response = ask(github, f"/repos/Netflix/{old}", token="t")
    assert response.status == record["status"] == 301
    assert set(record["headers"]) - {"connection"} <= set(response.headers)
    assert set(response.json) == set(record["body"])
    assert response.json["message"] == record["body"]["message"]
    assert not {"etag", "cache-control", "vary"} & set(response.headers)


def test_root_is_word_for_word_the_recorded_one(github: FakeGitHub) -> None:
    assert ask(github, "/").json == recorded("get-root", "/")["body"]
    assert json.loads(gzip.decompress(ask(github, "/", {"Accept-Encoding": "gzip"}).body))
