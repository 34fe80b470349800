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


def test_two_large_lists_leave_a_worker_for_what_a_client_waits_for(tmp_path: Path) -> None:
    catalogue = Catalogue(("one", "two"))
    with (
        FakeGitHubProcess(
            orgs=catalogue.orgs, repos=1210, members=1, anonymous_limit=1_000_000
        ) as github,
        Fleet(
            tmp_path,
            github.url,
            ORGS="one,two",
            CACHE_TTL=1,
            ORIGIN_POINTS_PER_MINUTE=100_000,
            ORIGIN_READ_TIMEOUT=200,
            ORIGIN_DEADLINE=200,
        ) as fleet,
        fleet.redis() as redis,
    ):
        for _ in range(2):
            fleet.worker()
        reader = fleet.healthy_reader()
        eventually(lambda: redis.scard(keys.LARGE) == len(catalogue.orgs), what="both are known")
        github.fault("hang", path="/repos.*page=")
        eventually(lambda: github.counters()["hanging"] > 0, what="a large list is at work")
        time.sleep(1)  # the other one would have begun, too
        for number in range(8):
            assert reader.get(f"/users/one?n={number}").ok
        # A large list was at work all the time, and nobody waited for its end.
        assert github.counters()["hanging"] > 0
        locks = [keys.running(catalogue.of_kind(REPOSITORIES, org)) for org in catalogue.orgs]
        assert redis.exists(*locks)
        # Neither of the two is left behind for good.
        github.clear_faults()
        store, seen = Store(redis), time.time()
        for org in catalogue.orgs:
            renewed = partial(_was_validated, store, catalogue.of_kind(REPOSITORIES, org), seen)
            eventually(renewed)


def _was_validated(store: Store, resource: Resource, since: float) -> bool:
    metadata = store.state(resource).metadata
    return metadata is not None and metadata.validated_at > since
