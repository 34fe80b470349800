"""A fleet whose parts can be measured: a refresher, and a node of four reader processes."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import requests
from redis import Redis

from bench.change import probes
from bench.cores import Cores, on, stand_back
from bench.servers import CACHE_TTL
from tests.end_to_end.fleet import Fleet, Reader, Running
from tests.fakegithub.client import FakeGitHubProcess
from tests.fakegithub.webhooks import star
from tests.waiting import eventually

PROCESSES = 4
SECRET = os.urandom(16).hex()
# Else a refresher would rest for seconds after each look at 70 pages.
SETTINGS = {
    "ORIGIN_POINTS_PER_MINUTE": 1_000_000,
    "CACHE_TTL": CACHE_TTL,
    "LOCK_TTL": 60,
    "LIST_MAX_PAGES": 300,
}
_QUIET_FOR = 0.6  # seconds without work, after which a process has nothing to do
_QUIET = 0.03  # share of a core that waiting for work may take
_PATIENCE = 300.0  # seconds until a large list is held


def github_of(repositories: int) -> FakeGitHubProcess:
    """A stand-in GitHub with one large list; our token sees what everybody sees."""
    viewers = {"*": {"role": "stranger", "scopes": ""}}
    github = FakeGitHubProcess(
        repos=repositories, members=1, viewers=viewers, token_limit=1_000_000
    )
    stand_back(github.process.pid)
    return github


def fleet_of(folder: Path, github: FakeGitHubProcess, checkout: Path) -> Fleet:
    """A fleet that runs the code in a checkout."""
    known = {"GITHUB_API_TOKEN": "ghp_bench", "GITHUB_WEBHOOK_SECRET": SECRET, **SETTINGS}
    fleet = Fleet(folder, github.url, **known)
    fleet.checkout = checkout
    return fleet


class Refresher:
    """A refresher that has just started, and waits for work.

    It stands back, or it would disturb the load, which has the same core.
    """

    def __init__(self, fleet: Fleet, redis: Redis) -> None:
        self._running: Running = fleet.worker()
        self._pid = self._running.process.pid
        eventually(lambda: redis.scard("rq:workers"), what="the refresher is registered")
        self.wait_until_quiet()
        for thread in Path(f"/proc/{self._pid}/task").iterdir():
            stand_back(int(thread.name))
        probes.forget_peak(self._pid)
        self._idle, _ = probes.memory(self._pid)

    def cpu(self) -> float:
        """CPU seconds so far."""
        return probes.cpu_seconds(self._pid)

    def peak(self) -> int:
        """Most bytes of memory so far, above those of its beginning."""
        return probes.memory(self._pid)[1] - self._idle

    def wait_until_quiet(self) -> None:
        """Wait until it has nothing to do."""
        eventually(self._is_quiet, within=_PATIENCE, every=0.0, what="the refresher is quiet")

    def stop(self) -> None:
        """End it."""
        self._running.stop()

    def _is_quiet(self) -> bool:
        before = self.cpu()
        time.sleep(_QUIET_FOR)
        return self.cpu() - before < _QUIET * _QUIET_FOR


class ReaderNode:
    """A gunicorn with four processes on one core; the constructor waits until all respond."""

    def __init__(self, fleet: Fleet, cores: Cores) -> None:
        with on({cores.server}):
            self.reader: Reader = fleet.reader(WEB_CONCURRENCY=PROCESSES)
        eventually(lambda: len(self.pids()) == PROCESSES, what="all processes have started")
        self._session = requests.Session()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.reader.url.rpartition(":")[2])

    def pids(self) -> list[int]:
        """Its reader processes."""
        return [process.pid for process in self.reader.processes()]

    def memory(self) -> int:
        """Bytes of all its processes."""
        return probes.proportional([process.pid for process in self.reader.family()])

    def wait_until_complete(self) -> None:
        """Wait until it serves everything that is tracked."""
        eventually(self.reader.is_healthy, within=_PATIENCE, every=0.02, what="the list is held")

    def deliver(self, repositories: Sequence[int]) -> None:
        """Send it a webhook for each of these repositories, by id."""
        for repository in repositories:
            body, headers = star(SECRET, repo=repository)
            url = f"{self.reader.url}/webhooks/github"
            self._session.post(url, data=body, headers=headers, timeout=60).raise_for_status()


def idle_memory(fleet: Fleet, redis: Redis, cores: Cores) -> int:
    """Bytes of a node that has started, and holds nothing as there is no refresher."""
    node = ReaderNode(fleet, cores)
    eventually(lambda: all(node.reader.get("/livez").ok for _ in range(40)), what="all respond")
    time.sleep(1.0)
    idle = node.memory()
    node.reader.stop()
    redis.flushall()
    return idle
