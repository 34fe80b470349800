"""PyGithub, unmodified, with the reader as its base URL.

URLs inside bodies point at GitHub, as GitHub wrote them. PyGithub makes the addresses of an
object's lists of the object's own URL, and refuses to leave its base URL; told to be lazy, which
is an option of its own, it makes them of names.
"""

import logging
import re
from collections.abc import Callable, Iterator

import pytest
from github import Auth, Github, UnknownObjectException

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
from tests.waiting import eventually


def client(deployment: Deployment, *, per_page: int = 30, lazy: bool = True) -> Github:
    """A PyGithub that does not pause between requests."""
    return Github(
        base_url=deployment.url,
        auth=Auth.Token(TOKEN),
        per_page=per_page,
        lazy=lazy,
        seconds_between_requests=None,
    )


class Asked(logging.Filter):
    """What PyGithub asked for, in the order of asking: its own log says it."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the path from a line that ends in the whole body, and let no line through."""
        if found := re.match(r"GET (http://\S+) ", record.getMessage()):
            self.paths.append(path_of(found[1]))
        return False


@pytest.fixture
def asked() -> Iterator[Asked]:
    """What is asked for in the test."""
    log, asked = logging.getLogger("github.Requester"), Asked()
    log.addFilter(asked)
    log.setLevel(logging.DEBUG)
    yield asked
    log.setLevel(logging.NOTSET)
    log.removeFilter(asked)


def test_gets_the_organisation(deployment: Deployment) -> None:
    with client(deployment, lazy=False) as github:
        org = github.get_organization("Netflix")
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


def test_walks_the_members_page_by_page(deployment: Deployment, asked: Asked) -> None:
    with client(deployment, per_page=20) as github:
        members = list(github.get_organization("Netflix").get_members())
    assert [(member.id, member.login) for member in members] == [
        (member["id"], member["login"]) for member in deployment.members
    ]
    assert asked.paths == pages(MEMBERS, 130, per_page=20)


@pytest.mark.parametrize("per_page", [29, 100])
def test_walks_the_repositories_page_by_page(
    per_page: int, deployment: Deployment, asked: Asked
) -> None:
    with client(deployment, per_page=per_page) as github:
        repos = list(github.get_organization("Netflix").get_repos())
    assert [(repo.id, repo.full_name, repo.stargazers_count) for repo in repos] == [
        (repo["id"], repo["full_name"], repo["stargazers_count"]) for repo in deployment.repos
    ]
    assert asked.paths == pages(REPOS, 250, per_page=per_page)


def test_gets_the_whole_list_at_once_unless_it_asks_for_pages(
    deployment: Deployment, asked: Asked
) -> None:
    """It leaves `per_page` out when that is 30, GitHub's default."""
    with client(deployment) as github:
        repos = list(github.get_organization("Netflix").get_repos())
    assert [repo.id for repo in repos] == [repo["id"] for repo in deployment.repos]
    assert asked.paths == [REPOS]


def test_counts_a_list_and_walks_it_backwards(deployment: Deployment) -> None:
    with client(deployment, per_page=100) as github:
        repos = github.get_organization("Netflix").get_repos()
        assert repos.totalCount == 250
        backwards = [repo.id for repo in repos.reversed]
    assert backwards == [repo["id"] for repo in reversed(deployment.repos)]


def test_update_is_false_while_nothing_changed_and_true_when_something_did(
    deployment: Deployment,
) -> None:
    truth = deployment.repos[3]
    with client(deployment, lazy=False) as github:
        org = github.get_organization("Netflix")
        assert org.update() is False
        repo = github.get_repo(truth["full_name"])
        assert repo.stargazers_count == truth["stargazers_count"]
        assert repo.update() is False
        deployment.github.mutate("star", repo=truth["name"], by=5)
        eventually(repo.update, what="update() is true")
        assert repo.stargazers_count == truth["stargazers_count"] + 5
        assert repo.update() is False


def test_gets_a_repository_and_its_issues_on_demand(deployment: Deployment, asked: Asked) -> None:
    with client(deployment, per_page=10) as github:
        issues = list(github.get_repo("Netflix/Hystrix").get_issues())
        repo = github.get_repo("Netflix/Hystrix")
        assert repo.id == deployment.repo("Hystrix")["id"]
        assert repo.subscribers_count > 0  # which the lists do not have
    assert [issue.number for issue in issues] == [issue["number"] for issue in deployment.issues]
    assert len([path for path in asked.paths if path.startswith(ISSUES)]) == 5


@pytest.mark.parametrize(
    "get",
    [
        lambda github: github.get_organization("nobody-of-that-name"),
        lambda github: github.get_repo("Netflix/nothing"),
    ],
    ids=["organisation", "repository"],
)
def test_what_is_not_there_is_its_own_unknown_object(
    get: Callable[[Github], object], deployment: Deployment
) -> None:
    with client(deployment, lazy=False) as github, pytest.raises(UnknownObjectException) as raised:
        get(github)
    assert raised.value.status == 404
    assert raised.value.data["message"] == "Not Found"


def test_its_token_goes_no_further_than_the_reader(deployment: Deployment) -> None:
    with client(deployment, lazy=False) as github:
        name = deployment.repos[7]["full_name"]
        assert github.get_repo(name).full_name == name
    assert deployment.github.page_requests(f"/repos/{name.lower()}") > 0
    deployment.check_that_nothing_was_passed_on()


def test_unless_lazy_it_refuses_to_follow_a_body_to_github(
    deployment: Deployment, asked: Asked
) -> None:
    """It neither goes past the reader nor shows its token to another host."""
    with client(deployment, lazy=False) as github:
        org = github.get_organization("Netflix")
        with pytest.raises(AssertionError, match=r"api\.github\.com"):
            list(org.get_repos())
    assert asked.paths == [ORG]
