"""The lock, honestly: what holds when its holder is stopped, and when the lock's servers go."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.embedded_redis import EmbeddedRedis, free_port
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from tests.end_to_end.fleet import Fleet, Running
from tests.end_to_end.up_to_date import await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = Catalogue(("Netflix",)).of_kind(REPOSITORIES, "Netflix")
SECOND_PAGE = "organizations/913567/repos.*page=2"
PASSWORD = "NotForAnyLog0123"


def test_a_refresher_that_is_stopped_past_its_lock_s_life_overwrites_nothing_when_it_wakes(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    """One has read an old first page, and is stopped; another stores what is newer; it wakes."""
    with Fleet(tmp_path, github.url, LOCK_TTL=1) as fleet, fleet.redis() as redis:
        sleeper = fleet.worker()
        reader = fleet.healthy_reader()
        github.mutate("star", repo=120, by=5)  # something for the sleeper to store
        github.fault("hang", path=SECOND_PAGE)
        queue = RefreshQueue(redis, QueueLimits(queued=10))
        queue.force(REPOS)
        eventually(lambda: github.counters()["hanging"] > 0)
        stopped = sleeper.family()
        for process in stopped:
            process.suspend()

        github.mutate("star", repo=3, by=1000)  # on the first page, which it has read
        github.clear_faults()  # its second page lies ready for it
        # The mark was set after the lock, and ends after it; until then nothing new is queued.
        held = (keys.lock(REPOS), keys.running(REPOS))
        eventually(lambda: not redis.exists(*held), what="the lock and its mark end")
        other = fleet.worker()
        queue.force(REPOS)
        await_up_to_date(github, reader)
        eventually(lambda: not redis.exists(keys.running(REPOS), keys.invalidated_by(REPOS)))
        newer = Store(redis).state(REPOS).metadata

        for process in stopped:
            process.resume()
        eventually(lambda: f"refresh of {REPOS.name}: fenced" in sleeper.output)
        assert f"refresh of {REPOS.name}: updated" in other.output
        assert Store(redis).state(REPOS).metadata == newer
        assert reader.get(REPOS.name).json() == github.repos()


@pytest.fixture
def masters(tmp_path: Path) -> Iterator[list[EmbeddedRedis]]:
    with ExitStack() as stack:
        yield [stack.enter_context(_server(tmp_path, at)) for at in range(3)]


def test_of_three_lock_masters_one_may_go_and_with_two_gone_readers_serve(
    tmp_path: Path, github: FakeGitHubProcess, masters: list[EmbeddedRedis]
) -> None:
    urls = ",".join(f"redis://default:{PASSWORD}@127.0.0.1:{server.port}" for server in masters)
    times = {"CACHE_TTL": 1, "LOCAL_TTL": 1, "LOCK_TTL": 2, "MISS_WAIT": 1}
    with Fleet(tmp_path, github.url, REDLOCK_URLS=urls, **times) as fleet:
        workers = [fleet.worker() for _ in range(2)]
        reader = fleet.healthy_reader()
        masters[0].stop()
        github.mutate("star", repo=3, by=1000)
        await_up_to_date(github, reader)  # refreshing goes on with two of three

        masters[1].stop()
        eventually(lambda: said(workers, "/orgs/Netflix: no-lock"), what="no lock is taken")
        # Whoever held one then has ended by now, or never will.
        time.sleep(2 * times["LOCK_TTL"])
        asked, served = github.counters()["total"], reader.get(REPOS.name)
        github.mutate("star", repo=4, by=1000)
        until = time.monotonic() + 3
        while time.monotonic() < until:
            answer = reader.get(REPOS.name)
            assert (answer.status_code, answer.content) == (200, served.content)
            assert reader.is_healthy()
            time.sleep(0.05)
        assert reader.get("/users/somebody-new").status_code == 503
        assert github.counters()["total"] == asked, "nobody asks without a lock"
        statements = reader.get("/status.json").json()["statements"]
        assert "No lock can be taken" in [one["title"] for one in statements]
        assert all(worker.process.poll() is None for worker in workers)

        masters[1].start()
        await_up_to_date(github, reader)  # refreshing goes on by itself
        eventually(
            lambda: "No lock" not in reader.get("/status.json").text, what="the page says so"
        )
        outputs = [running.output for running in (*workers, reader)]
        assert not any("Traceback" in output or PASSWORD in output for output in outputs)


def said(workers: list[Running], words: str) -> bool:
    return any(words in worker.output for worker in workers)


def _server(folder: Path, at: int) -> EmbeddedRedis:
    """It comes back on the port that it had."""
    return EmbeddedRedis(folder / f"lock-{at}", port=free_port())
