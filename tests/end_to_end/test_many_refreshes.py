"""One refresher with twenty refreshes at work: signals, pauses, RQ's own tools, memory."""

import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from tests.end_to_end.crowd import Asked, Client
from tests.end_to_end.fleet import Fleet, Reader, Running
from tests.fakegithub.client import Controls, FakeGitHubProcess
from tests.waiting import eventually

MANY = 20
PLACES = 40  # of on-demand requests to GitHub, with the default settings
LATENCY = 3.0  # seconds of GitHub for each response, while many are at work
LOCK_TTL = 2.0
RQ_INFO = ["rq", "info", "--config", "refresher.rq_config", "--raw"]


@contextmanager
def waiting_clients(
    reader: Reader, *, label: str, number: int = MANY
) -> Iterator[list[Future[Asked]]]:
    """Clients that each wait for a new name."""
    client = Client(reader.url, "127.0.1.1")
    with ThreadPoolExecutor(number) as threads:
        yield [
            threads.submit(client.ask_once, f"/users/netflix?{label}={n}") for n in range(number)
        ]


def in_flight(github: Controls) -> int:
    return int(github.counters()["in_flight"])


def await_many(github: Controls, number: int = MANY) -> None:
    eventually(lambda: in_flight(github) == number, what=f"{number} refreshes are at work")


def statuses(clients: list[Future[Asked]]) -> list[int]:
    return [client.result().status for client in clients]


def rq_info(fleet: Fleet) -> str:
    """What RQ's own tool says of the queue and of the workers."""
    finished = fleet.run(*RQ_INFO)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def executing(info: str) -> int:
    # A reader may have asked again a moment before the content came: that job waits.
    found = re.search(r"queue refresh [01], (\d+) executing, 0 finished, 0 failed", info)
    assert found is not None, info
    return int(found[1])


def test_sigterm_lets_all_of_them_finish(tmp_path: Path, github: FakeGitHubProcess) -> None:
    with Fleet(tmp_path, github.url) as fleet:
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        github.configure(latency=LATENCY)
        with waiting_clients(reader, label="term") as clients:
            await_many(github)
            told_at = time.monotonic()
            worker.signal(signal.SIGTERM)
            assert worker.process.wait(10) == 0
            assert time.monotonic() - told_at < LATENCY + 2
        assert statuses(clients) == [200] * MANY
        assert github.counters()["max_concurrent"] == MANY
        info = rq_info(fleet)
        assert executing(info) == 0
        assert "worker " not in info
        with fleet.redis() as redis:
            assert len(cast(list[bytes], redis.keys("rq:job:*"))) == redis.llen("rq:queue:refresh")


def test_sigkill_loses_nothing_and_blocks_nobody(tmp_path: Path, github: FakeGitHubProcess) -> None:
    """It dies with all places of on-demand requests, and the other one needs them."""
    with Fleet(tmp_path, github.url, LOCK_TTL=LOCK_TTL) as fleet:
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        github.configure(latency=LATENCY)
        with waiting_clients(reader, label="kill", number=PLACES) as clients:
            await_many(github, PLACES)
            fleet.worker()
            time.sleep(1)  # it has started, and found nothing to do
            github.configure(latency=0)
            killed_at = time.monotonic()
            worker.kill()
        assert statuses(clients) == [200] * PLACES
        assert time.monotonic() - killed_at < LOCK_TTL + 4


def test_sigstop_past_the_life_of_the_locks_and_sigcont(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    """What the stopped refresher has asked for meanwhile is older than what is stored."""
    with Fleet(tmp_path, github.url, LOCK_TTL=LOCK_TTL, ON_DEMAND_TTL=600) as fleet:
        sleeper = fleet.worker()
        reader = fleet.healthy_reader()
        github.configure(latency=LATENCY)
        with waiting_clients(reader, label="stop") as clients:
            await_many(github)
            sleeper.signal(signal.SIGSTOP)
            time.sleep(LATENCY)  # the responses lie ready for it
            github.configure(latency=0)
            github.mutate("edit_org", description="new")
            fleet.worker()
        assert statuses(clients) == [200] * MANY
        before = [client.result().response.body for client in clients]
        assert {client.result().response.json["bio"] for client in clients} == {"new"}
        sleeper.signal(signal.SIGCONT)
        eventually(lambda: sleeper.output.count(": fenced") == MANY, what="all are fenced")
        paths = [f"/users/netflix?stop={n}" for n in range(MANY)]
        assert [reader.get(path).content for path in paths] == before


def test_rq_s_own_tools_and_workers_go_with_it(tmp_path: Path, github: FakeGitHubProcess) -> None:
    with Fleet(tmp_path, github.url) as fleet:
        worker = fleet.worker(REFRESH_CONCURRENCY=MANY + 5)
        reader = fleet.healthy_reader()
        github.configure(latency=2 * LATENCY)
        with waiting_clients(reader, label="info") as clients:
            await_many(github)
            began = time.monotonic()
            eventually(lambda: executing(rq_info(fleet)) == MANY, what="RQ sees all of them")
            assert time.monotonic() - began < 3.5  # refreshes of a second and less are not shown
            assert re.search(r"worker .* busy refresh", rq_info(fleet))
        assert statuses(clients) == [200] * MANY
        eventually(lambda: executing(rq_info(fleet)) == 0, what="RQ sees that they have ended")

        github.configure(latency=0.3)
        plain = fleet.plain_worker()
        eventually(lambda: rq_info(fleet).count("worker ") == 2, what="the plain one is there")
        time.sleep(1)
        with waiting_clients(reader, label="plain", number=2 * MANY) as clients:
            pass
        assert statuses(clients) == [200] * (2 * MANY)
        worker.stop()
        assert reader.get("/users/netflix?plain=alone").status_code == 200
        done = "refresh of /users/netflix?plain=alone: updated"
        eventually(lambda: done in plain.output, what="the plain one has done it")


def test_a_pause_in_the_middle_loses_nothing(tmp_path: Path, github: FakeGitHubProcess) -> None:
    with Fleet(tmp_path, github.url, REFRESH_CONCURRENCY=25) as fleet, fleet.redis() as redis:
        fleet.worker()
        reader = fleet.healthy_reader()
        github.configure(latency=2 * LATENCY)  # the command that pauses needs a part of it
        with waiting_clients(reader, label="pause", number=2 * MANY) as clients:
            await_many(github)
            eventually(lambda: redis.llen("rq:queue:refresh") == MANY, what="as many are queued")
            assert fleet.cache("pause").returncode == 0
            eventually(lambda: in_flight(github) == 0, what="what had begun has ended")
        # Clients whose refreshes had not begun learn of the pause; the refreshes stay in the queue.
        assert sorted(statuses(clients)) == [200] * MANY + [503] * MANY
        assert in_flight(github) == 0
        assert redis.llen("rq:queue:refresh") == MANY
        github.configure(latency=0.1)
        assert fleet.cache("resume").returncode == 0
        eventually(lambda: redis.llen("rq:queue:refresh") == 0, what="all are taken")
        names = [f"/users/netflix?pause={n}" for n in range(2 * MANY)]
        eventually(lambda: all(map(github.page_requests, names)), what="all have begun")
        eventually(lambda: in_flight(github) == 0, what="all have ended")
        assert [github.page_requests(name) for name in names] == [1] * (2 * MANY)
        assert {reader.get(name).status_code for name in names} == {200}
        assert [github.page_requests(name) for name in names] == [1] * (2 * MANY)


def resident(running: Running) -> int:
    """Bytes of memory that a process and its descendants use for themselves."""
    return sum(process.memory_info().rss for process in running.family())


def test_many_refreshes_at_once_need_little_memory(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    """At most twice what an idle refresher needs, and the bodies, which are small here."""
    with Fleet(tmp_path, github.url, REFRESH_CONCURRENCY=50) as fleet:
        fleet.interpreters = True
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        time.sleep(1)
        idle = resident(worker)
        github.configure(latency=1)
        peak = 0
        with waiting_clients(reader, label="memory", number=120) as clients:
            await_many(github, 40)
            while not all(client.done() for client in clients):
                peak = max(peak, resident(worker))
                time.sleep(0.05)
        assert statuses(clients) == [200] * 120
        assert peak < 2 * idle
