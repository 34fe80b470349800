"""An event of GitHub's reaches on-demand content: the next client of any reader sees the change."""

from functools import partial
from pathlib import Path

import requests

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.fakegithub.webhooks import delivery
from tests.waiting import eventually

SECRET = "s3cret"
HYSTRIX, COMMITS = "/repos/Netflix/Hystrix", "/repos/netflix/HYSTRIX/commits"


def _tell(reader: Reader, event: str, repository: dict[str, object], **payload: object) -> None:
    body, headers = delivery(SECRET, event, {"repository": repository, **payload})
    url = f"{reader.url}/webhooks/github"
    assert requests.post(url, data=body, headers=headers, timeout=60).status_code == 202


def _stars(reader: Reader, path: str) -> int:
    number: int = reader.get(path).json()["stargazers_count"]
    return number


def _shows(reader: Reader, stars: int) -> bool:
    return _stars(reader, HYSTRIX) == stars


def test_the_next_client_of_any_reader_sees_the_change_and_nothing_else_is_fetched(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(
        tmp_path, github.url, GITHUB_WEBHOOK_SECRET=SECRET, LOCAL_TTL=500, ON_DEMAND_TTL=400
    ) as fleet:
        fleet.worker()
        readers = [fleet.healthy_reader(), fleet.healthy_reader(WEB_CONCURRENCY=2)]
        other = next(
            f"/repos/{repo['full_name']}"
            for repo in github.repos()
            if repo["full_name"] != "Netflix/Hystrix"
        )
        for reader in readers:
            for path in (HYSTRIX, COMMITS, other):
                for _ in range(5):  # all its processes hold it
                    assert reader.get(path).status_code == 200
        before = _stars(readers[0], HYSTRIX)
        changed = github.mutate("star", repo="Hystrix", by=5)
        assert _stars(readers[1], HYSTRIX) == before, "nobody has told of it"
        github.reset_counters()
        _tell(readers[0], "push", changed)
        for reader in (readers[1], readers[0]):
            # The announcement takes its milliseconds.
            eventually(partial(_shows, reader, before + 5), every=0.02)
        answered = readers[0].get(HYSTRIX)
        assert "hit" in answered.headers["Cache-Status"]
        assert github.page_requests(HYSTRIX.lower()) == 1
        assert github.page_requests("/repos/netflix/hystrix/commits") == 0, "nobody has read it"
        assert readers[0].get(other).status_code == 200
        assert github.page_requests(other.lower()) == 0
        renewed = readers[1].get(COMMITS)
        assert "detail=renewed" in renewed.headers["Cache-Status"]
        _check_what_is_gone(github, readers)


def _check_what_is_gone(github: FakeGitHubProcess, readers: list[Reader]) -> None:
    """What is private, deleted or renamed is so for the next client of another reader."""
    private, deleted, renamed = (repo["full_name"] for repo in github.repos()[3:6])
    for path in (f"/repos/{private}/commits", f"/repos/{deleted}", f"/repos/{renamed}"):
        for reader in readers:
            assert reader.get(path).status_code == 200
    gone = github.mutate("make_private", repo=private) | {"private": True}
    _tell(readers[0], "repository", gone, action="privatized")
    gone = github.mutate("delete", repo=deleted)
    _tell(readers[0], "repository", gone, action="deleted")
    new = github.mutate("rename", repo=renamed, to="a-new-name") | {"owner": {"login": "Netflix"}}
    former = {"repository": {"name": {"from": renamed.rpartition("/")[2]}}}
    _tell(readers[0], "repository", new, action="renamed", changes=former)
    for path in (f"/repos/{private}/commits", f"/repos/{deleted}"):
        eventually(partial(_is_gone, readers[1], path), every=0.02)
    eventually(partial(_is_called, readers[1], f"/repos/{renamed}"), every=0.02)


def _is_gone(reader: Reader, path: str) -> bool:
    return reader.get(path).status_code == 404


def _is_called(reader: Reader, path: str) -> bool:
    answered = reader.get(path)
    return answered.status_code == 200 and answered.json()["full_name"] == "Netflix/a-new-name"
