"""A refresher may die or stand still at the worst moment: no client waits in vain."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.fleet import Fleet, Reader, Running
from tests.end_to_end.left_of_jobs import left_of_jobs
from tests.end_to_end.up_to_date import await_up_to_date
from tests.end_to_end.waiting_clients import waiting_clients
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"
SECOND_PAGE = "organizations/913567/repos.*page=2"
USERS = [f"/users/u{number}" for number in range(20)]
ANY_USER = "^/users/u"
LOCK_TTL = 3


@pytest.fixture
def fleet(tmp_path: Path, github: FakeGitHubProcess) -> Iterator[Fleet]:
    settings = {"CACHE_TTL": 600, "ORIGIN_READ_TIMEOUT": 60, "LOCK_TTL": LOCK_TTL}
    with Fleet(tmp_path, github.url, **settings) as made:
        yield made


@pytest.fixture
def worker(fleet: Fleet) -> Running:
    return fleet.worker()


@pytest.fixture
def reader(fleet: Fleet, worker: Running) -> Reader:
    return fleet.healthy_reader()


def all_hang(github: FakeGitHubProcess) -> bool:
    """Whether the refreshes of all users are in the middle of a request."""
    return bool(github.counters()["hanging"] == len(USERS))


def requests_for_users(github: FakeGitHubProcess) -> list[int]:
    """For each user, the number of requests at GitHub."""
    return [github.page_requests(path) for path in USERS]


def nothing_is_left(fleet: Fleet) -> None:
    with fleet.redis() as redis:
        eventually(lambda: left_of_jobs(redis) == [], what="nothing is left of the jobs")


def test_twenty_refreshes_whose_worker_is_killed_are_done_by_another(
    fleet: Fleet, worker: Running, reader: Reader, github: FakeGitHubProcess
) -> None:
    github.fault("hang", path=ANY_USER)
    with waiting_clients([reader.url], USERS) as clients:
        eventually(lambda: all_hang(github))
        worker.kill()
        github.clear_faults()
        fleet.worker()
        responses = clients.responses()
    assert {len(several) for several in responses.values()} == {1}, "no client was refused"
    nothing_is_left(fleet)


def test_twenty_refreshes_whose_worker_is_asked_to_end_are_finished(
    fleet: Fleet, worker: Running, reader: Reader, github: FakeGitHubProcess
) -> None:
    github.reset_counters()
    github.fault("slow", path=ANY_USER, delay=60)
    with waiting_clients([reader.url], USERS) as clients:
        eventually(lambda: github.counters()["in_flight"] == len(USERS))
        worker.signal(signal.SIGTERM)
        time.sleep(1)
        assert worker.process.poll() is None
        github.clear_faults()
        responses = clients.responses()
    assert {len(several) for several in responses.values()} == {1}, "no client was refused"
    assert requests_for_users(github) == [1] * len(USERS)
    assert worker.process.wait(60) == 0
    nothing_is_left(fleet)


def test_twenty_refreshes_whose_worker_stands_still_are_done_by_another_and_stored_once(
    fleet: Fleet, worker: Running, reader: Reader, github: FakeGitHubProcess
) -> None:
    github.fault("hang", path=ANY_USER)
    with waiting_clients([reader.url], USERS) as clients:
        eventually(lambda: all_hang(github))
        worker.signal(signal.SIGSTOP)
        github.clear_faults()  # its responses lie ready for it
        other = fleet.worker()
        clients.responses()
    worker.signal(signal.SIGCONT)
    eventually(lambda: all(f"refresh of {path}: fenced" in worker.output for path in USERS))
    assert all(f"refresh of {path}: updated" in other.output for path in USERS)
    assert not any(f"refresh of {path}: updated" in worker.output for path in USERS)
    nothing_is_left(fleet)


def test_a_list_whose_worker_is_killed_in_the_middle_is_read_by_another(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, CACHE_TTL=2, ORIGIN_READ_TIMEOUT=60, LOCK_TTL=10) as fleet:
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        before = reader.get(REPOS).content
        github.fault("hang", path=SECOND_PAGE)
        github.mutate("star", repo=120, by=5)
        eventually(lambda: github.counters()["hanging"] > 0)

        worker.kill()
        github.clear_faults()
        for _ in range(20):
            answer = reader.get(REPOS)
            assert (answer.status_code, answer.content) == (200, before)
            time.sleep(0.05)

        fleet.worker()
        await_up_to_date(github, reader)


def test_a_job_that_was_popped_and_lost_is_asked_for_again(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    """What a worker leaves that dies between the queue and the lock."""
    with Fleet(tmp_path, github.url) as fleet:
        reader = fleet.reader()
        with fleet.redis() as redis:
            eventually(lambda: redis.llen("rq:queue:refresh") == 4)
            redis.delete("rq:queue:refresh")
            eventually(lambda: redis.llen("rq:queue:refresh") == 4)
        fleet.worker()
        eventually(reader.is_healthy)
