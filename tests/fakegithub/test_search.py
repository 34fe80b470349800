"""The stand-in GitHub searches its world, and finds for each viewer what that viewer sees."""

from collections.abc import Iterator

import pytest

from tests.fakegithub.api import ask
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.search import parsed, within
from tests.http_client import Response

VIEWERS = {"stranger": {"role": "stranger"}, "member": {"role": "member"}}
KINDS = ["repositories", "issues", "commits", "users", "topics"]


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(
        repos=25, private=2, members=12, anonymous_limit=10**6, token_limit=10**6, viewers=VIEWERS
    ) as server:
        yield server


def found(
    github: FakeGitHub, query: str, token: str | None = None, kind: str = "repositories"
) -> Response:
    """The response to a search."""
    return ask(github, f"/search/{kind}?q={query}", token=token)


def names(response: Response) -> list[str]:
    """The names of the repositories that were found."""
    return [repo["full_name"] for repo in response.json["items"]]


def test_a_query_is_words_and_qualifiers() -> None:
    query = parsed('Cache "two words" org:Netflix is:public stars:>5 a:')
    assert query.words == ("cache", "two words", "a:")
    assert query.qualifiers == (("org", "Netflix"), ("is", "public"), ("stars", ">5"))
    assert parsed('an "unclosed').words == ("an", '"unclosed')


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [(">5", [6, 7]), (">=5", [5, 6, 7]), ("<5", [4]), ("<=5", [4, 5]), ("5", [5]),
     ("4..6", [4, 5, 6]), ("*..5", [4, 5]), ("6..*", [6, 7]), ("x", [4, 5, 6, 7])],
)  # fmt: skip
def test_numbers_are_compared(condition: str, numbers: list[int]) -> None:
    assert [number for number in (4, 5, 6, 7) if within(number, condition)] == numbers


def test_repositories_are_found_by_words_qualifiers_and_order(github: FakeGitHub) -> None:
    repos = github.repos()
    sources = [repo for repo in repos if not repo["fork"]]
    response = found(github, "org:netflix&per_page=100")
    assert (response.json["total_count"], response.json["incomplete_results"]) == (
        len(sources),
        False,
    )
    assert names(response) == [repo["full_name"] for repo in sources]
    assert len(names(found(github, "org:netflix+fork:true&per_page=100"))) == len(repos)
    assert names(found(github, "hystrix+in:name")) == ["Netflix/Hystrix"]
    assert names(found(github, "repo:Netflix/Hystrix"))[0] == "Netflix/Hystrix"
    starred = found(github, "org:netflix+stars:>100&sort=stars").json["items"]
    stars = [repo["stargazers_count"] for repo in starred]
    assert stars == sorted(stars, reverse=True)
    assert min(stars) > 100
    java = found(github, "org:netflix+language:java").json["items"]
    assert {repo["language"] for repo in java} <= {"Java"}


def test_results_are_paged_with_links_by_name_up_to_a_thousand(github: FakeGitHub) -> None:
    response = found(github, "org:netflix&per_page=5")
    assert response.links["next"] == (
        f"{github.url}/search/repositories?q=org%3Anetflix&per_page=5&page=2"
    )
    assert ask(github, response.links["last"]).status == 200
    late = found(github, "org:netflix&per_page=100&page=11")
    assert (late.status, late.json["message"]) == (
        422,
        "Only the first 1000 search results are available",
    )


@pytest.mark.parametrize("kind", [*KINDS, "labels"])
@pytest.mark.parametrize("query", ["", "?q=", "?q=+"])
def test_a_search_needs_a_query(github: FakeGitHub, kind: str, query: str) -> None:
    response = ask(github, f"/search/{kind}{query}")
    assert (response.status, response.json["message"]) == (422, "Validation Failed")
    assert response.json["errors"] == [{"resource": "Search", "field": "q", "code": "missing"}]


def test_code_is_searched_for_those_with_a_credential_only(github: FakeGitHub) -> None:
    refused = found(github, "hystrix", kind="code")
    assert (refused.status, refused.json["message"]) == (401, "Requires authentication")
    (item,) = found(github, "hystrix", "stranger", "code").json["items"]
    assert (item["path"], item["repository"]["full_name"]) == ("README.md", "Netflix/Hystrix")


@pytest.mark.parametrize("kind", ["repositories", "issues", "commits"])
def test_private_results_are_for_those_who_see_them(github: FakeGitHub, kind: str) -> None:
    query = "org:netflix+fork:true&per_page=100"
    counts = {
        token: found(github, query, token, kind).json["total_count"]
        for token in (None, "stranger", "member", "owner")
    }
    assert counts[None] == counts["stranger"] < counts["member"] == counts["owner"]


@pytest.mark.parametrize("kind", KINDS)
def test_with_is_public_everybody_finds_the_same(github: FakeGitHub, kind: str) -> None:
    query = "org:netflix+is:public" if kind in ("repositories", "issues", "commits") else "a"
    ids = [
        [item.get("url") or item["name"] for item in found(github, query, t, kind).json["items"]]
        for t in (None, "stranger", "member", "owner")
    ]
    assert ids[0]
    assert ids == [ids[0]] * 4


def test_an_owner_that_is_not_there_for_the_viewer_cannot_be_searched(github: FakeGitHub) -> None:
    private = next(repo for repo in github.repos(private=True) if repo["private"])
    for query in ("org:nobody", f"repo:{private['full_name']}"):
        response = found(github, query)
        assert response.status == 422
        assert "do not have permission" in response.json["errors"][0]["message"]
    assert names(found(github, f"repo:{private['full_name']}+fork:true", "owner"))


def test_matches_are_told_to_those_who_ask(github: FakeGitHub) -> None:
    accept: dict[str, str | None] = {"Accept": "application/vnd.github.text-match+json"}
    (item,) = ask(github, "/search/repositories?q=hystrix+in:name", accept).json["items"]
    (match,) = item["text_matches"]
    assert match["matches"] == [{"text": "Hystrix", "indices": [0, 7]}]
    (plain,) = found(github, "hystrix+in:name").json["items"]
    assert "text_matches" not in plain


def test_searches_have_limits_of_their_own() -> None:
    with FakeGitHub(repos=1, members=1) as github:
        found(github, "a")
        anonymous = found(github, "a").headers
        authorised = found(github, "a", "t").headers
        code = found(github, "a", "t", "code").headers
        limits = ("x-ratelimit-resource", "x-ratelimit-limit", "x-ratelimit-remaining")
        assert [anonymous[name] for name in limits] == ["search", "10", "8"]
        assert [authorised[name] for name in limits] == ["search", "30", "29"]
        assert [code[name] for name in limits] == ["code_search", "10", "9"]
        known = ask(github, "/rate_limit").json["resources"]
        assert (known["search"]["remaining"], known["core"]["remaining"]) == (8, 60)
        assert known["search"]["reset"] - known["core"]["reset"] <= -3500
        for _ in range(8):
            found(github, "a")
        assert found(github, "a").status == 403
        assert ask(github, "/orgs/Netflix").status == 200
