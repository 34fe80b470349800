"""RQ's own `rq worker`, without our configuration and worker class: alone, and beside ours."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.queueing import QueueLimits, RefreshQueue
from shared.redis import keys
from tests.builders import on_demand, stale
from tests.end_to_end.fleet import Fleet, Running
from tests.end_to_end.left_of_jobs import left_of_jobs
from tests.end_to_end.waiting_clients import waiting_clients
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

USERS = [f"/users/u{number}" for number in range(24)]
Start = Callable[[Fleet], list[Running]]


def alone(fleet: Fleet) -> list[Running]:
    return [fleet.plain_worker(), fleet.plain_worker()]


def beside_ours(fleet: Fleet) -> list[Running]:
    return [fleet.plain_worker(), fleet.worker(REFRESH_CONCURRENCY=2)]


@pytest.mark.parametrize("start", [alone, beside_ours])
def test_all_that_clients_wait_for_arrives_and_nothing_is_left(
    tmp_path: Path, github: FakeGitHubProcess, start: Start
) -> None:
    with Fleet(tmp_path, github.url, CACHE_TTL=600, ON_DEMAND_TTL=600) as fleet:
        workers = start(fleet)
        reader = fleet.healthy_reader()
        with waiting_clients([reader.url], USERS) as clients:
            responses = clients.responses(within=40)
        assert {len(several) for several in responses.values()} == {1}, "no client was refused"
        reader.stop()
        with fleet.redis() as redis:
            eventually(lambda: not redis.exists("rq:queue:refresh"))
            assert redis.hlen(keys.PLACES) <= len(USERS)
            # A plain worker leaves the places of its jobs until the next request.
            RefreshQueue(redis, QueueLimits()).ask(stale(on_demand("/users/another")))
            assert redis.hlen(keys.PLACES) <= 1
            if start is beside_ours:
                eventually(lambda: left_of_jobs(redis) == [], what="nothing is left of the jobs")
            else:
                eventually(lambda: not list(redis.scan_iter("*:waits:*")), what="no wait is left")
        assert all("updated" in worker.output for worker in workers)
        assert not any("Traceback" in worker.output for worker in workers)
