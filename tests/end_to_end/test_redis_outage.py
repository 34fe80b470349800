"""Redis may go away and come back, with its data or without: readers serve, and recover alone."""

import time
from pathlib import Path

import pytest

from tests.end_to_end.fleet import Fleet
from tests.end_to_end.up_to_date import await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"
PATHS = ["/", "/orgs/Netflix", "/orgs/Netflix/members", REPOS, "/view/top/3/stars"]


@pytest.mark.parametrize("loses_data", [False, True], ids=["with its data", "empty"])
def test_readers_serve_while_redis_is_away_and_recover_when_it_is_back(
    loses_data: bool, tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, CACHE_TTL=2) as fleet:
        worker = fleet.worker()
        reader = fleet.healthy_reader(WEB_CONCURRENCY=2)
        # Both processes hold everything: neither has answered 503 twenty times in a row.
        eventually(lambda: all(reader.is_healthy() for _ in range(20)), every=0.2)
        fleet.redis_server.stop()
        served = {path: reader.get(path).content for path in PATHS}
        github.mutate("star", repo=7, by=1000)

        until = time.monotonic() + 4
        while time.monotonic() < until:
            for path in PATHS:
                answer = reader.get(path)
                assert (answer.status_code, answer.content) == (200, served[path])
                assert answer.elapsed.total_seconds() < 1
            assert reader.is_healthy()
            time.sleep(0.1)
        missing = reader.get("/users/somebody-new")
        assert missing.status_code == 503
        assert missing.headers["Retry-After"].isdigit()
        assert missing.json()["status"] == "503"

        if loses_data:
            fleet.forget_data()
        fleet.redis_server.start()
        await_up_to_date(github, reader, times=4)
        assert worker.process.poll() is None, "the worker came back by itself, too"
        assert reader.get("/users/somebody-new").status_code == 404


def test_a_redis_that_hangs_is_as_good_as_one_that_is_away(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, CACHE_TTL=1, LOCAL_TTL=1) as fleet:
        fleet.worker()
        reader = fleet.healthy_reader()
        served = reader.get(REPOS).content
        with fleet.redis_server.suspended():
            until = time.monotonic() + 5
            while time.monotonic() < until:
                answer = reader.get(REPOS)
                assert (answer.status_code, answer.content) == (200, served)
                assert answer.elapsed.total_seconds() < 1
                time.sleep(0.05)
        github.mutate("star", repo=7, by=1000)
        await_up_to_date(github, reader)
