"""The stand-in GitHub lists what is public on the server, issues with comments, and texts."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fakegithub.api import all_pages, ask
from tests.fakegithub.client import FakeGitHub

REPO = "/repos/Netflix/Hystrix"


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(
        repos=25, private=2, members=12, anonymous_limit=10**6, token_limit=10**6
    ) as server:
        server.mutate("edit_repo", repo="Hystrix", open_issues=40)
        yield server


def tail(url: str) -> str:
    """An address without scheme and host."""
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


@pytest.mark.parametrize("path", ["/users", "/organizations", "/repositories"])
def test_what_is_public_is_listed_by_ids(github: FakeGitHub, path: str) -> None:
    anonymous = all_pages(github, f"{path}?per_page=7")
    ids = [one["id"] for one in anonymous]
    assert ids == sorted(set(ids))
    assert {one["id"] for one in all_pages(github, f"{path}?per_page=7", token="owner")} == set(ids)
    assert all(not one.get("private") for one in anonymous)
    after = ask(github, f"{path}?since={ids[0]}").json
    assert [one["id"] for one in after] == ids[1:31]


def test_the_link_of_a_list_by_ids_has_no_pages(github: FakeGitHub) -> None:
    first = ask(github, "/users?per_page=3")
    last = first.json[-1]["id"]
    assert first.headers["link"] == (
        f'<{github.url}/users?per_page=3&since={last}>; rel="next", '
        f'<{github.url}/users{{?since}}>; rel="first"'
    )
    assert "next" not in ask(github, f"/users?since={10**17}").links


def test_issues_are_selected_by_state_and_time(github: FakeGitHub) -> None:
    def numbers(query: str) -> list[Any]:
        return [one["number"] for one in all_pages(github, f"{REPO}/issues?{query}")]

    assert numbers("") == list(range(40, 0, -1))
    assert numbers("state=closed") == [43, 42, 41]
    assert numbers("state=all") == list(range(43, 0, -1))
    assert numbers("direction=asc&per_page=7") == list(range(1, 41))
    one = ask(github, f"{REPO}/issues/35").json
    since = numbers(f"since={one['updated_at']}")
    assert 35 in since
    assert 34 not in since


def test_issues_lead_to_their_comments_and_back(github: FakeGitHub) -> None:
    for listed in ask(github, f"{REPO}/issues?per_page=10").json:
        single = ask(github, tail(listed["url"])).json
        assert {key: single[key] for key in listed} == listed
        comments = ask(github, tail(listed["comments_url"])).json
        assert len(comments) == listed["comments"]
        for comment in comments:
            assert ask(github, tail(comment["url"])).json == comment
            assert tail(comment["issue_url"]) == tail(listed["url"])
    assert ask(github, f"{REPO}/issues/44").status == 404
    assert ask(github, f"{REPO}/issues/44/comments").status == 404


def test_addresses_in_githubs_examples_lead_somewhere(github: FakeGitHub) -> None:
    for path in (f"{REPO}/pulls", f"{REPO}/labels", f"{REPO}/milestones"):
        (one, *_others) = ask(github, path).json
        assert ask(github, tail(one["url"])).status == 200
    assert ask(github, "/users/octocat").json["id"] == 1
    assert ask(github, "/repositories/1296269").json["full_name"] == "octocat/Hello-World"


def test_some_answers_are_text(github: FakeGitHub) -> None:
    zen = ask(github, "/zen")
    assert (zen.headers["content-type"], zen.body) == (
        "text/plain;charset=utf-8",
        b"Keep it logically awesome.",
    )
    assert ask(github, "/octocat").headers["content-type"] == "application/octocat-stream"
    assert ask(github, "/versions").json == ["2026-03-10", "2022-11-28"]


def test_a_star_has_its_time_for_those_who_ask(github: FakeGitHub) -> None:
    login = github.members()[0]["login"]
    accept: dict[str, str | None] = {"Accept": "application/vnd.github.star+json"}
    starred = ask(github, f"/users/{login}/starred").json
    timed = ask(github, f"/users/{login}/starred", accept)
    assert timed.headers["x-github-media-type"] == "github.v3; param=star; format=json"
    assert [one["repo"] for one in timed.json] == starred
    assert {one["starred_at"][:4] for one in timed.json} == {"2025"}
    people = ask(github, f"{REPO}/stargazers", accept, token="owner").json
    assert set(people[0]) == {"starred_at", "user"}


def test_an_enterprise_server_has_its_own_addresses() -> None:
    with FakeGitHub(
        repos=2,
        members=2,
        prefix="/api/v3",
        public_base="self",
        codeload="self",
        enterprise_version="3.19.0",
    ) as github:
        assert github.url.endswith("/api/v3")
        response = ask(github, f"{github.url}{REPO}")
        assert response.json["url"] == f"{github.url}{REPO}"
        assert response.headers["x-github-enterprise-version"] == "3.19.0"
        pages = ask(github, f"{github.url}/orgs/Netflix/repos?per_page=1")
        assert pages.links["next"].startswith(f"{github.url}/organizations/")
        example = ask(github, f"{github.url}{REPO}/pulls").json[0]
        assert example["url"].startswith(f"{github.url}/repos/")
        assert ask(github, example["url"]).status == 200
        place = ask(github, f"{github.url}{REPO}/tarball/main").headers["location"]
        assert place.startswith(f"{github.url.removesuffix('/api/v3')}/_codeload/")
        assert ask(github, place).headers["content-type"] == "application/x-gzip"
