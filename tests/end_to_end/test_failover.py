"""The master of a replicated Redis dies, or stands still and wakes up: no client sees it.

Bounds are for a busy machine. The sentinels' second (`DOWN_AFTER`) and their vote come first; a
worker that waits for a job on a connection that says nothing gives it up after 5 s; a lock ends
after LOCK_TTL.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.embedded_redis import EmbeddedRedis
from tests.end_to_end.fleet import Fleet, Reader, Running
from tests.end_to_end.left_of_jobs import left_of_jobs
from tests.end_to_end.load import Load
from tests.end_to_end.sentinels import Replicated
from tests.end_to_end.up_to_date import await_up_to_date
from tests.end_to_end.waiting_clients import waiting_clients
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"
PATHS = ["/", "/orgs/Netflix", "/orgs/Netflix/members", REPOS, "/view/top/3/stars"]
USERS = [f"/users/u{number}" for number in range(20)]
ANY_USER = "^/users/u"
SECOND_PAGE = "organizations/913567/repos.*page=2"
DOCTOR = ["flask", "--app", "reader", "cache", "doctor"]
RQ_INFO = ["rq", "info", "--config", "refresher.rq_config"]
RESUMED = 90.0  # seconds after which refreshing has resumed


@pytest.fixture
def replicated(tmp_path: Path) -> Replicated:
    return Replicated(tmp_path / "redis")


@pytest.fixture
def fleet(tmp_path: Path, github: FakeGitHubProcess, replicated: Replicated) -> Iterator[Fleet]:
    settings = {"CACHE_TTL": 2, "LOCK_TTL": 5, "ORIGIN_READ_TIMEOUT": 60}
    with Fleet(tmp_path, github.url, replicated, **settings) as made:
        yield made


@pytest.fixture
def workers(fleet: Fleet) -> list[Running]:
    return [fleet.worker(), fleet.worker()]


@pytest.fixture
def readers(fleet: Fleet, workers: list[Running]) -> list[Reader]:
    return [fleet.healthy_reader(), fleet.healthy_reader()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "stands still"])
def test_no_reader_fails_and_refreshing_resumes_when_the_master(
    number: signal.Signals,
    *,
    replicated: Replicated,
    readers: list[Reader],
    workers: list[Running],
    fleet: Fleet,
    github: FakeGitHubProcess,
) -> None:
    scheduler = fleet.scheduler()
    github.fault("hang", path=SECOND_PAGE)
    github.fault("slow", path=ANY_USER, delay=120)
    github.mutate("star", repo=120, by=5)
    eventually(lambda: github.counters()["hanging"] > 0)
    urls = [reader.url for reader in readers]
    with loads(readers) as given, waiting_clients(urls, USERS) as clients:
        # A worker is in the middle of a list, and twenty clients wait.
        eventually(lambda: github.counters()["in_flight"] > len(USERS))
        master = replicated.master()
        os.kill(master.pid, number)
        eventually(lambda: replicated.has_failed_over(master), what="there is a new master")
        began = time.monotonic()
        github.clear_faults()
        await_up_to_date(github, *readers, within=RESUMED)
        clients.responses(within=RESUMED)
        resumed = time.monotonic() - began
        if number is signal.SIGSTOP:
            wakes_up(master, replicated, readers, github)
        assert all(load.has_answered(50) for load in given)
    for load in given:
        assert load.outcome.failures == []
    assert resumed < RESUMED
    with fleet.redis() as redis:
        eventually(lambda: left_of_jobs(redis) == [], what="nothing is left of the jobs")
    for process in (*workers, scheduler):
        assert process.process.poll() is None, process.output
    for command in (DOCTOR, RQ_INFO):
        ran = fleet.run(*command)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 workers" in ran.stdout


def wakes_up(
    master: EmbeddedRedis, replicated: Replicated, readers: list[Reader], github: FakeGitHubProcess
) -> None:
    """A deposed master believes for a while that it is one; nothing that it says counts."""
    os.kill(master.pid, signal.SIGCONT)
    github.mutate("star", repo=7, by=1000)
    await_up_to_date(github, *readers, within=RESUMED)
    eventually(lambda: replicated.is_replica(master), what="the old master follows the new one")
    github.mutate("star", repo=8, by=1000)
    await_up_to_date(github, *readers, within=RESUMED)


def loads(readers: list[Reader]) -> "Loads":
    """Clients that ask each reader all the time for what it holds."""
    return Loads(
        [Load(reader.url, dict.fromkeys(PATHS), clients=2, pause=0.05) for reader in readers]
    )


class Loads(ExitStack):
    """Several loads inside one block."""

    def __init__(self, several: list[Load]) -> None:
        super().__init__()
        self._several = several

    def __enter__(self) -> list[Load]:  # type: ignore[override]
        super().__enter__()
        return [self.enter_context(load) for load in self._several]
