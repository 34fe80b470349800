"""What a refresher stores, every reader process serves at once, however long its LOCAL_TTL."""

from pathlib import Path

from tests.end_to_end.fleet import Fleet
from tests.end_to_end.up_to_date import await_up_to_date, lasts
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"


def test_an_update_reaches_every_process_without_anyone_asking(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, CACHE_TTL=3, LOCAL_TTL=300) as fleet:
        fleet.worker()
        reader = fleet.healthy_reader(WEB_CONCURRENCY=3)
        eventually(lambda: all(reader.is_healthy() for _ in range(30)), every=0.2)
        github.mutate("star", repo=7, by=1000)
        # Of thirty requests on new connections each of three processes gets some.
        await_up_to_date(github, reader, times=30)


def test_unchanged_content_keeps_its_version_and_its_etag(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, CACHE_TTL=1) as fleet:
        fleet.worker()
        reader = fleet.healthy_reader()
        eventually(lambda: lasts(reader.get(REPOS).headers))
        first = reader.get(REPOS)
        asked = github.page_requests("/orgs/Netflix/repos?per_page=100")
        eventually(lambda: github.page_requests("/orgs/Netflix/repos?per_page=100") > asked)
        eventually(lambda: int(reader.get(REPOS).headers["Age"]) <= 1)
        later = reader.get(REPOS, headers={"If-None-Match": first.headers["ETag"]})
        assert later.status_code == 304
        assert later.content == b""
        assert reader.get(REPOS).headers["Last-Modified"] == first.headers["Last-Modified"]


def test_tracked_content_is_kept_fresh_when_nobody_asks(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, CACHE_TTL=1) as fleet:
        fleet.worker()
        fleet.healthy_reader()
        asked = github.page_requests("/orgs/Netflix")
        eventually(lambda: github.page_requests("/orgs/Netflix") >= asked + 2)
