"""Redis may go away and come back, with its data or without: readers serve, and recover alone."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.relay import Relay, RelayLoop
from tests.end_to_end.fleet import Fleet
from tests.end_to_end.left_of_jobs import left_of_jobs
from tests.end_to_end.up_to_date import await_up_to_date
from tests.end_to_end.waiting_clients import waiting_clients
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"
PATHS = ["/", "/orgs/Netflix", "/orgs/Netflix/members", REPOS, "/view/top/3/stars"]
USERS = [f"/users/u{number}" for number in range(20)]
ANY_USER = "^/users/u"


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


def flush(fleet: Fleet) -> None:
    with fleet.redis() as redis:
        redis.flushall()


def restart_empty(fleet: Fleet) -> None:
    fleet.redis_server.stop()
    fleet.forget_data()
    fleet.redis_server.start()


@pytest.mark.parametrize("lose_data", [flush, restart_empty])
def test_twenty_clients_that_wait_while_redis_loses_its_data_are_served(
    tmp_path: Path, github: FakeGitHubProcess, lose_data: Callable[[Fleet], None]
) -> None:
    with Fleet(tmp_path, github.url, CACHE_TTL=600, ON_DEMAND_TTL=600, LOCK_TTL=3) as fleet:
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        github.fault("slow", path=ANY_USER, delay=60)
        with waiting_clients([reader.url], USERS) as clients:
            eventually(lambda: github.counters()["in_flight"] == len(USERS))
            lose_data(fleet)
            # Refreshes that know of no other begin beside those that run.
            eventually(lambda: github.counters()["in_flight"] > len(USERS))
            github.clear_faults()
            clients.responses(within=20)
        stored = [f"refresh of {path}: updated" for path in USERS]
        eventually(lambda: all(line in worker.output for line in stored))
        assert [worker.output.count(line) for line in stored] == [1] * len(USERS), "stored once"
        with fleet.redis() as redis:
            eventually(lambda: left_of_jobs(redis) == [], what="nothing is left of the jobs")
        eventually(reader.is_healthy)
        assert "Traceback" not in worker.output


def test_locks_are_kept_and_nothing_is_fetched_twice_while_redis_responds_slowly(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    lock_ttl = 8
    settings = {"CACHE_TTL": 600, "ON_DEMAND_TTL": 600, "ORIGIN_READ_TIMEOUT": 90}
    settings |= {"ORIGIN_DEADLINE": 120, "LOCK_TTL": lock_ttl}
    with Fleet(tmp_path, github.url, **settings) as fleet:
        reader = fleet.reader()
        relays = RelayLoop()
        with closing(Relay(relays, fleet.redis_server.port, delay=0.25)) as relay:
            slow = fleet.worker(REDIS_URL=f"redis://127.0.0.1:{relay.port}/0")
            eventually(reader.is_healthy)
            github.reset_counters()
            github.fault("slow", path=ANY_USER, delay=60)
            relay.set("delay")
            with waiting_clients([reader.url], USERS) as clients:
                eventually(lambda: github.counters()["in_flight"] == len(USERS), within=60)
                quick = fleet.worker()  # it would take over what is not locked any more
                time.sleep(lock_ttl)
                github.clear_faults()
                clients.responses(within=20)
            assert [github.page_requests(path) for path in USERS] == [1] * len(USERS)
            stored = [f"refresh of {path}: updated" for path in USERS]
            eventually(lambda: all(line in slow.output for line in stored))
            assert not any(path in quick.output for path in USERS)
            slow.stop()
        relays.stop()
