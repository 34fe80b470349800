"""What is special about PyGithub: its default page, `update()`, and its base URL without a mount.

Without `/api/v3`, URLs in bodies point at GitHub, as GitHub wrote them. PyGithub makes the
addresses of an object's lists of the object's own URL, and refuses to leave its base URL.
"""

import logging
import re
from collections.abc import Iterator

import pytest
from github import Auth, Github

from tests.clients.client import TOKEN
from tests.clients.scenarios.run import MOUNT
from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually


@pytest.fixture(scope="module")
def github_api() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(anonymous_limit=1_000_000) as server:
        yield server


@pytest.fixture(scope="module")
def url(github_api: FakeGitHubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a reader; what is on demand is stale soon."""
    with Fleet(tmp_path_factory.mktemp("fleet"), github_api.url, ON_DEMAND_TTL=1) as fleet:
        fleet.worker()
        yield fleet.healthy_reader().url


def client(base_url: str) -> Github:
    """A PyGithub that does not pause between requests."""
    return Github(base_url=base_url, auth=Auth.Token(TOKEN), seconds_between_requests=None)


class Asked(logging.Filter):
    """What PyGithub asked for, in the order of asking: its own log says it."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the path from a line that ends in the whole body, and let no line through."""
        if found := re.match(r"GET http://[^/]+(/\S*) ", record.getMessage()):
            self.paths.append(found[1])
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


def test_gets_the_whole_list_at_once_unless_it_asks_for_pages(url: str, asked: Asked) -> None:
    """It leaves `per_page` out when that is 30, GitHub's default."""
    with client(url + MOUNT) as github:
        assert len(list(github.get_organization("Netflix").get_repos())) == 250
    assert asked.paths == ["/api/v3/orgs/Netflix", "/api/v3/orgs/Netflix/repos"]


def test_update_is_false_while_nothing_changed_and_true_when_something_did(
    url: str, github_api: FakeGitHubProcess
) -> None:
    with client(url + MOUNT) as github:
        repo = github.get_repo("Netflix/Hystrix")
        stars = repo.stargazers_count
        assert repo.update() is False
        github_api.mutate("star", repo="Hystrix", by=5)
        eventually(repo.update, what="update() is true")
        assert repo.stargazers_count == stars + 5
        assert repo.update() is False


def test_without_the_mount_it_refuses_to_follow_a_body_to_github(url: str, asked: Asked) -> None:
    """It neither goes past the reader nor shows its token to another host."""
    with client(url) as github:
        org = github.get_organization("Netflix")
        with pytest.raises(AssertionError, match=r"api\.github\.com"):
            list(org.get_repos())
    assert asked.paths == ["/orgs/Netflix"]
