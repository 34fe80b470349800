"""What the clients are pointed at: a reader with all behind it, and the truth to compare with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.end_to_end.fleet import Fleet
from tests.fakegithub.api import all_pages
from tests.fakegithub.client import FakeGitHubProcess

ORG = "/orgs/Netflix"
MEMBERS = "/orgs/Netflix/members"
REPOS = "/orgs/Netflix/repos"
ISSUES = "/repos/Netflix/Hystrix/issues"

# The clients' own. The fleet has none, so any that GitHub hears of is this one.
TOKEN = "ghp_ofTheClientAlone0123456789"


@dataclass(frozen=True)
class Deployment:
    """A warm fleet, and the world as it was then: tests may change it.

    Args:
        url: of the reader, the base URL of the clients.
        github: the origin.
        org: the organisation.
        members: its members, in GitHub's order.
        repos: its repositories, in GitHub's order.
        issues: of Netflix/Hystrix, in GitHub's order.
    """

    url: str
    github: FakeGitHubProcess
    org: dict[str, Any] = field(repr=False)
    members: list[dict[str, Any]] = field(repr=False)
    repos: list[dict[str, Any]] = field(repr=False)
    issues: list[dict[str, Any]] = field(repr=False)

    def repo(self, name: str) -> dict[str, Any]:
        """The repository of that name."""
        return next(repo for repo in self.repos if repo["name"] == name)

    def check_that_nothing_was_passed_on(self) -> None:
        """GitHub heard from refreshers, and from nobody else through them."""
        heard = self.github.recent()
        assert {request["user_agent"] for request in heard} == {"api-read-cache"}
        assert {request["api_version"] for request in heard} == {"2022-11-28"}
        assert not any(request["authorised"] for request in heard)
        names = {name.lower() for request in heard for name in request["headers"]}
        assert names.isdisjoint({"authorization", "cookie"})


@contextmanager
def deployed(folder: Path) -> Iterator[Deployment]:
    """A fleet for one module's tests. What is on demand is stale soon, what is tracked never."""
    with (
        FakeGitHubProcess(anonymous_limit=1_000_000) as github,
        Fleet(folder, github.url, ON_DEMAND_TTL=1) as fleet,
    ):
        issues = all_pages(github, f"{ISSUES}?per_page=100")
        github.reset_counters()
        fleet.worker()
        reader = fleet.healthy_reader()
        yield Deployment(reader.url, github, github.org(), github.members(), github.repos(), issues)


def pages(path: str, count: int, *, per_page: int) -> list[str]:
    """All pages of a list of `count` items, as a client asks for them that follows `Link`."""
    others = range(2, -(-count // per_page) + 1)
    size = f"per_page={per_page}"
    return [f"{path}?{size}", *(f"{path}?page={number}&{size}" for number in others)]


def path_of(url: str) -> str:
    """Path and query of a URL, the query sorted, since each client has an order of its own."""
    parts = urlsplit(url)
    query = "&".join(sorted(parts.query.split("&")))
    return f"{parts.path}?{query}" if query else parts.path
