"""githubkit, unmodified, with the reader as its base URL."""

from collections.abc import Iterator

import httpx
import pytest
from githubkit import GitHub, TokenAuthStrategy
from githubkit.cache import MemCacheStrategy
from githubkit.exception import RequestFailed

from tests.clients.deployment import (
    ISSUES,
    MEMBERS,
    REPOS,
    TOKEN,
    Deployment,
    pages,
    path_of,
)
from tests.waiting import eventually


class Client:
    """A githubkit with an HTTP cache of its own, as it is by default, and what it asks for."""

    def __init__(self, url: str) -> None:
        self.asked: list[str] = []
        self.cache = MemCacheStrategy()
        self.github = GitHub(
            TOKEN,
            base_url=url,
            cache_strategy=self.cache,
            event_hooks={"request": [self._note]},
        )

    def _note(self, request: httpx.Request) -> None:
        self.asked.append(path_of(str(request.url)))


@pytest.fixture
def client(deployment: Deployment) -> Iterator[Client]:
    """A client on one connection."""
    client = Client(deployment.url)
    with client.github:
        yield client
    client.cache.cleanup()


@pytest.fixture
def github(client: Client) -> GitHub[TokenAuthStrategy]:
    """What a user of githubkit has in hand."""
    return client.github


def test_gets_the_organisation(deployment: Deployment, github: GitHub[TokenAuthStrategy]) -> None:
    org = github.rest.orgs.get("Netflix").parsed_data
    assert {
        "login": org.login,
        "id": org.id,
        "name": org.name,
        "description": org.description,
        "public_repos": org.public_repos,
        "followers": org.followers,
        "html_url": org.html_url,
        "created_at": org.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }.items() <= deployment.org.items()


def test_walks_the_members_page_by_page(deployment: Deployment, client: Client) -> None:
    rest = client.github.rest
    members = list(rest.paginate(rest.orgs.list_members, None, "Netflix", per_page=20))
    assert [(member.id, member.login) for member in members] == [
        (member["id"], member["login"]) for member in deployment.members
    ]
    assert client.asked == pages(MEMBERS, 130, per_page=20)


@pytest.mark.parametrize("per_page", [30, 100])
def test_walks_the_repositories_page_by_page(
    per_page: int, deployment: Deployment, client: Client
) -> None:
    rest = client.github.rest
    repos = list(rest.paginate(rest.repos.list_for_org, None, "Netflix", per_page=per_page))
    assert [(repo.id, repo.full_name, repo.stargazers_count) for repo in repos] == [
        (repo["id"], repo["full_name"], repo["stargazers_count"]) for repo in deployment.repos
    ]
    assert client.asked == pages(REPOS, 250, per_page=per_page)


def test_gets_the_whole_list_at_once_unless_it_asks_for_pages(
    deployment: Deployment, client: Client
) -> None:
    rest = client.github.rest
    repos = list(rest.paginate(rest.repos.list_for_org, None, "Netflix"))
    assert [repo.id for repo in repos] == [repo["id"] for repo in deployment.repos]
    assert client.asked == [REPOS]


def test_its_older_pagination_ends_at_the_first_empty_page(
    deployment: Deployment, client: Client
) -> None:
    with pytest.warns(DeprecationWarning, match="Legacy pagination"):
        walk = client.github.paginate(client.github.rest.orgs.list_members, org="Netflix")
    assert [member.id for member in walk] == [member["id"] for member in deployment.members]
    assert client.asked == [f"{MEMBERS}?page={page}&per_page=100" for page in (1, 2, 3)]


def test_its_cache_revalidates_for_a_304(
    deployment: Deployment, github: GitHub[TokenAuthStrategy]
) -> None:
    first = github.rest.orgs.get("Netflix")
    second = github.rest.orgs.get("Netflix")
    assert "hishel_revalidated" not in _flags(first.raw_response)
    assert {"hishel_from_cache", "hishel_revalidated"} <= _flags(second.raw_response)
    assert second.json() == first.json() == deployment.org


def _flags(response: httpx.Response) -> set[str]:
    """What the cache notes beside a response, as far as it is true."""
    return {name for name, value in response.extensions.items() if value is True}


def test_its_cache_gives_what_is_new_when_something_changed(
    deployment: Deployment, github: GitHub[TokenAuthStrategy]
) -> None:
    truth = deployment.repos[3]

    def stars() -> int:
        count: int = github.rest.repos.get("Netflix", truth["name"]).parsed_data.stargazers_count
        return count

    before = stars()
    deployment.github.mutate("star", repo=truth["name"], by=5)
    eventually(lambda: stars() == before + 5)


def test_without_its_cache_a_condition_is_answered_with_304(deployment: Deployment) -> None:
    with GitHub(TOKEN, base_url=deployment.url, http_cache=False) as github:
        first = github.rest.orgs.get("Netflix")
        again = github.rest.orgs.get("Netflix", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = github.rest.orgs.get("Netflix", headers={"If-None-Match": '"other"'})
        assert (other.status_code, other.json()) == (200, deployment.org)


def test_gets_a_repository_and_its_issues_on_demand(deployment: Deployment, client: Client) -> None:
    rest = client.github.rest
    repo = rest.repos.get("Netflix", "Hystrix").parsed_data
    assert repo.id == deployment.repo("Hystrix")["id"]
    walk = rest.paginate(rest.issues.list_for_repo, None, "Netflix", "Hystrix", per_page=10)
    assert [issue.number for issue in walk] == [issue["number"] for issue in deployment.issues]
    assert len([path for path in client.asked if path.startswith(ISSUES)]) == 5


def test_what_is_not_there_is_its_own_failed_request(github: GitHub[TokenAuthStrategy]) -> None:
    with pytest.raises(RequestFailed) as raised:
        github.rest.orgs.get("nobody-of-that-name")
    response = raised.value.response
    assert response.status_code == 404
    assert response.parsed_data.message == "Not Found"


def test_its_token_goes_no_further_than_the_reader(
    deployment: Deployment, github: GitHub[TokenAuthStrategy]
) -> None:
    name = deployment.repos[7]["name"]
    asked = github.rest.repos.get("Netflix", name).raw_request
    assert asked.headers["Authorization"] == f"token {TOKEN}"
    assert deployment.github.page_requests(f"/repos/netflix/{name.lower()}") > 0
    deployment.check_that_nothing_was_passed_on()
