"""A worker may die at the worst moment: readers go on, and refreshing heals by itself."""

import time
from pathlib import Path

import pytest

from tests.end_to_end.fleet import Fleet
from tests.end_to_end.up_to_date import await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"
SECOND_PAGE = "organizations/913567/repos.*page=2"


@pytest.mark.parametrize("has_horse", [True, False], ids=["all at once", "worker only"])
def test_a_worker_killed_in_the_middle_of_a_fetch_delays_a_refresh_by_seconds(
    has_horse: bool, tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, CACHE_TTL=2, ORIGIN_READ_TIMEOUT=60, LOCK_TTL=10) as fleet:
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        before = reader.get(REPOS).content
        github.fault("hang", path=SECOND_PAGE)
        github.mutate("star", repo=120, by=5)
        eventually(lambda: github.counters()["hanging"] > 0)

        if has_horse:
            worker.kill()
        else:
            worker.process.kill()
            # Its work horse notices that nobody watches it any more, and ends.
            eventually(lambda: github.counters()["in_flight"] == 0, within=10)
        github.clear_faults()
        for _ in range(20):
            answer = reader.get(REPOS)
            assert (answer.status_code, answer.content) == (200, before)
            time.sleep(0.05)

        fleet.worker()
        started = time.monotonic()
        await_up_to_date(github, reader)
        assert time.monotonic() - started < 30


def test_a_job_that_was_popped_and_lost_is_asked_for_again(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    """What a worker leaves that dies between the queue and the lock."""
    with Fleet(tmp_path, github.url) as fleet:
        reader = fleet.reader()
        with fleet.redis() as redis:
            eventually(lambda: redis.llen("rq:queue:refresh") == 4)
            redis.delete("rq:queue:refresh")
            eventually(lambda: redis.llen("rq:queue:refresh") == 4, within=10)
        fleet.worker()
        eventually(reader.is_healthy)
