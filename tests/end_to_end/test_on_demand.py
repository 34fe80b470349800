"""Anything else that is allowed is fetched when asked for, and forgotten when it no longer is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.redis_contents import held_in
from tests.waiting import eventually

ISSUES = "/repos/Netflix/Hystrix/issues"


def test_on_demand_content_lives_as_long_as_it_is_asked_for(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, ON_DEMAND_TTL=1, ON_DEMAND_KEEP=1.5) as fleet:
        fleet.worker()
        reader = fleet.healthy_reader()
        first = reader.get("/repos/Netflix/Hystrix")
        assert first.status_code == 200
        assert first.json()["full_name"] == "Netflix/Hystrix"
        assert "fwd=uri-miss" in first.headers["Cache-Status"]
        github.mutate("star", repo="Hystrix", by=3)
        stars = first.json()["stargazers_count"] + 3
        eventually(lambda: reader.get("/repos/netflix/hystrix").json()["stargazers_count"] == stars)
        with fleet.redis() as redis:
            assert len(redis.keys("api-read-cache:*:entry:*")) == 5
            eventually(lambda: len(redis.keys("api-read-cache:*:entry:*")) == 4)


class TestWithSettingsAsTheyAre:
    """One fleet for all: each test asks for something else."""

    @pytest.fixture(scope="class")
    @classmethod
    def origin(cls) -> Iterator[FakeGitHubProcess]:
        with FakeGitHubProcess(anonymous_limit=1_000_000) as server:
            yield server

    @pytest.fixture(scope="class")
    @classmethod
    def reader(
        cls, origin: FakeGitHubProcess, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Reader]:
        with Fleet(tmp_path_factory.mktemp("fleet"), origin.url) as fleet:
            fleet.worker()
            yield fleet.healthy_reader()

    def test_what_github_does_not_know_is_asked_for_once(
        self, reader: Reader, origin: FakeGitHubProcess
    ) -> None:
        for _ in range(5):
            answer = reader.get("/users/nobody-of-that-name")
            assert answer.status_code == 404
            assert answer.json()["message"] == "Not Found"
        assert origin.page_requests("/users/nobody-of-that-name") == 1

    def test_pages_on_demand_are_turned_at_the_reader(self, reader: Reader) -> None:
        numbers = []
        url: str | None = f"{ISSUES}?per_page=10"
        while url is not None:
            answer = reader.get(url)
            numbers += [issue["number"] for issue in answer.json()]
            following = answer.links.get("next", {}).get("url")
            url = following and following.removeprefix(reader.url)
            assert following is None or following.startswith(f"{reader.url}{ISSUES}?")
        assert len(numbers) == len(set(numbers)) > 10

    def test_paths_that_are_not_public_data_never_reach_github(
        self, reader: Reader, origin: FakeGitHubProcess
    ) -> None:
        asked = origin.counters()["total"]
        for path, status in {
            "/user": 401, "/user/repos": 401, "/orgs/Netflix/hooks": 403, "/nothing": 404,
        }.items():  # fmt: skip
            refused = reader.get(path)
            assert refused.status_code == status, path
            assert refused.json()["status"] == str(status)
        posted = reader.post("/orgs/Netflix/repos")
        assert posted.status_code == 405
        assert posted.headers["Allow"] == "GET, HEAD, OPTIONS"
        assert origin.counters()["total"] == asked


def test_nothing_private_is_served_though_the_token_may_see_it(tmp_path: Path) -> None:
    with (
        FakeGitHubProcess(private=5, repos=20) as github,
        Fleet(tmp_path, github.url, GITHUB_API_TOKEN="ghp_secret0123456789") as fleet,
    ):
        fleet.worker()
        reader = fleet.healthy_reader()
        everything = github.repos(private=True)
        hidden = [repo["full_name"] for repo in everything if repo["private"]]
        assert len(hidden) == 5
        assert reader.get("/orgs/Netflix/repos").json() == github.repos()
        assert len(reader.get("/view/top/100/stars").json()) == 20
        for path in (f"/repos/{hidden[0]}", f"/repos/{hidden[0]}/issues"):
            answer = reader.get(path)
            assert answer.status_code == 404
            assert answer.json()["message"] == "Not Found"
        with fleet.redis() as redis:
            # GitHub's pages are there as the token saw them; no reader may read them.
            held = held_in(redis, without=(":pages:", ":reading:"))
        assert github.repos()[0]["full_name"].encode() in held
        assert not [name for name in hidden if name.encode() in held]
