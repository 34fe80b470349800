"""A large list at work never holds up everything else."""

import time
from functools import partial
from pathlib import Path

from shared.redis import keys
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from shared.resources.resource import Resource
from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

LATENCY = 0.4  # seconds an answer: 13 pages take more than 5


def test_two_large_lists_leave_a_worker_for_what_a_client_waits_for(tmp_path: Path) -> None:
    catalogue = Catalogue(("one", "two"))
    with (
        FakeGitHubProcess(
            orgs=catalogue.orgs, repos=1210, members=1, anonymous_limit=1_000_000
        ) as github,
        Fleet(
            tmp_path, github.url, ORGS="one,two", CACHE_TTL=1, ORIGIN_POINTS_PER_MINUTE=100_000
        ) as fleet,
        fleet.redis() as redis,
    ):
        for _ in range(2):
            fleet.worker()
        reader = fleet.healthy_reader()
        eventually(lambda: redis.scard(keys.LARGE) == len(catalogue.orgs), what="both are known")
        github.configure(latency=LATENCY)
        time.sleep(1)
        waits: list[float] = []
        at_work: list[int] = []
        for number in range(8):
            locks = [keys.running(catalogue.of_kind(REPOSITORIES, org)) for org in catalogue.orgs]
            at_work.append(int(redis.exists(*locks)))
            begun = time.monotonic()
            assert reader.get(f"/users/one?n={number}").ok
            waits.append(time.monotonic() - begun)
            time.sleep(0.3)
        # A large list was at work most of the time, and nobody waited for its end.
        assert sum(at_work) > len(at_work) / 2
        assert max(waits) < 13 * LATENCY
        # Neither of the two is left behind for good.
        github.configure(latency=0)
        store, seen = Store(redis), time.time()
        for org in catalogue.orgs:
            renewed = partial(_was_validated, store, catalogue.of_kind(REPOSITORIES, org), seen)
            eventually(renewed, within=30)


def _was_validated(store: Store, resource: Resource, since: float) -> bool:
    metadata = store.state(resource).metadata
    return metadata is not None and metadata.validated_at > since
