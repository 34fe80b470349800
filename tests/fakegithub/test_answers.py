"""The stand-in GitHub refuses and hesitates on demand, as GitHub does, for chosen credentials."""

from collections.abc import Iterator

import pytest

from tests.fakegithub.api import all_pages, ask
from tests.fakegithub.client import FakeGitHub

REPO = "/repos/Netflix/Hystrix"
LIST = "/orgs/Netflix/repos?per_page=10"


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=25, members=5, anonymous_limit=10_000) as server:
        yield server


def test_statistics_may_be_computed_for_a_while_or_for_ever(github: FakeGitHub) -> None:
    path = f"{REPO}/stats/contributors"
    github.fault("accepted", path="/stats/", times=2)
    responses = [ask(github, path) for _ in range(3)]
    assert [one.status for one in responses] == [202, 202, 200]
    assert (responses[0].json, "etag" in responses[0].headers) == ({}, False)


def test_a_list_too_large_is_a_403_that_is_no_limit(github: FakeGitHub) -> None:
    github.fault("too_large", path="/contributors")
    response = ask(github, f"{REPO}/contributors")
    assert response.status == 403
    assert "too large to list contributors" in response.json["message"]
    assert "retry-after" not in response.headers
    assert int(response.headers["x-ratelimit-remaining"]) > 0
    left = {"X-RateLimit-Remaining": None, "X-RateLimit-Limit": None}
    github.clear_faults()
    github.fault("too_large", path="/contributors", headers=left)
    assert "x-ratelimit-remaining" not in ask(github, f"{REPO}/contributors").headers


def test_a_repository_may_be_blocked_with_all_below(github: FakeGitHub) -> None:
    github.fault("blocked", path=f"^{REPO}(/|$)")
    for path in (REPO, f"{REPO}/contents/README.md"):
        response = ask(github, path)
        assert (response.status, response.json["block"]["reason"]) == (451, "dmca")
        assert response.json["message"] == "Repository access blocked"
    assert ask(github, "/orgs/Netflix").status == 200


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("saml", "organization SAML enforcement"),
        ("ip_allow_list", "has an IP allow list enabled, and 127.0.0.1 is not permitted"),
        ("not_accessible", "Resource not accessible by integration"),
    ],
)
def test_a_credential_may_be_refused_what_anybody_gets(
    github: FakeGitHub, kind: str, words: str
) -> None:
    github.fault(kind)
    refused, served = ask(github, REPO, token="t"), ask(github, REPO)
    assert (refused.status, served.status) == (403, 200)
    assert words in refused.json["message"]
    sso = refused.headers.get("x-github-sso", "")
    assert sso.startswith("required; url=https://github.com/orgs/") == (kind == "saml")


def test_a_fault_may_concern_some_credentials_only(github: FakeGitHub) -> None:
    github.fault("saml", credentials=["one", "two"])
    statuses = [ask(github, REPO, token=token).status for token in ("one", "two", "three", None)]
    assert statuses == [403, 403, 200, 200]
    github.clear_faults()
    github.fault("status", credentials="anonymous")
    assert [ask(github, REPO, token=token).status for token in ("one", None)] == [200, 500]


@pytest.mark.parametrize("status", [400, 405, 413, 415, 422])
def test_any_refusal_can_be_ordered(github: FakeGitHub, status: int) -> None:
    github.fault("status", status=status, message="Because")
    response = ask(github, REPO)
    assert (response.status, response.json["message"]) == (status, "Because")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_may_lead_anywhere(github: FakeGitHub, status: int) -> None:
    github.fault("redirect", status=status, url="http://elsewhere.invalid/x")
    response = ask(github, REPO)
    assert (response.status, response.headers["location"]) == (status, "http://elsewhere.invalid/x")


def test_a_304_may_be_wrong(github: FakeGitHub) -> None:
    tag = ask(github, REPO).headers["etag"]
    github.mutate("star", repo="Hystrix")
    github.fault("wrong_304")
    stuck = ask(github, REPO, {"If-None-Match": tag})
    assert (stuck.status, stuck.headers["etag"]) == (304, tag)
    assert ask(github, REPO).json["stargazers_count"] > 0
    github.clear_faults()
    assert ask(github, REPO, {"If-None-Match": tag}).status == 200


def test_a_link_may_appear_on_the_304_of_a_full_last_page() -> None:
    with FakeGitHub(repos=1, members=10, link_on_304=True) as github:
        path = "/orgs/Netflix/members?per_page=10"
        before = ask(github, path)
        assert "link" not in before.headers
        github.mutate("add_member")
        after = ask(github, path, {"If-None-Match": before.headers["etag"]})
        assert (after.status, "next" in after.links) == (304, True)


def test_a_304_may_have_any_headers(github: FakeGitHub) -> None:
    tag = ask(github, LIST).headers["etag"]
    github.fault("headers", headers={"Link": '<http://x/?page=2>; rel="next"', "ETag": None})
    response = ask(github, LIST, {"If-None-Match": tag})
    assert (response.status, response.links) == (304, {"next": "http://x/?page=2"})
    assert "etag" not in response.headers


def test_a_list_may_be_empty_once(github: FakeGitHub) -> None:
    github.fault("empty_list", path="^/orgs/Netflix/repos", times=1)
    first, second = ask(github, LIST), ask(github, LIST)
    assert (first.status, first.json, "link" in first.headers) == (200, [], False)
    assert len(second.json) == 10
    assert first.headers["etag"] != second.headers["etag"]


def test_a_list_may_lose_half_of_its_items(github: FakeGitHub) -> None:
    whole = all_pages(github, LIST)
    github.fault("short_list", path="/repos")
    assert all_pages(github, LIST) == whole[:12]
    github.clear_faults()
    github.fault("short_list", path="/repos", share=0.2)
    assert all_pages(github, LIST) == whole[:5]


def test_a_list_may_lack_its_link_once(github: FakeGitHub) -> None:
    github.fault("no_link", path="/repos", times=1)
    tag = ask(github, LIST).headers["etag"]
    github.fault("no_link", path="/repos", times=1)
    cut = ask(github, LIST, {"If-None-Match": tag})
    assert (cut.status, len(cut.json), "link" in cut.headers) == (200, 10, False)
    assert "next" in ask(github, LIST).links


def test_a_link_may_have_another_base(github: FakeGitHub) -> None:
    github.fault("other_base", url="https://proxy.invalid:8443")
    links = ask(github, LIST).links
    assert {url.partition("/organizations/")[0] for url in links.values()} == {
        "https://proxy.invalid:8443"
    }
