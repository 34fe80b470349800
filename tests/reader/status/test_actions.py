"""Operator actions take effect at once, also on the page."""

from types import SimpleNamespace
from typing import cast

import pytest
from redis import Redis

from reader.fleet.snapshot import FleetWatch
from reader.process import ReaderProcess
from reader.status.actions import Action, perform
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from tests.builders import NOW, make_failure, store_failure, tracked

ORG = tracked("/orgs/Netflix")


@pytest.fixture
def fleet(redis: Redis) -> FleetWatch:
    """Its clock stands still, so a snapshot lasts until it is discarded."""
    return FleetWatch(redis, Catalogue(("Netflix",)), clock=lambda: NOW)


@pytest.fixture
def process(redis: Redis, fleet: FleetWatch) -> ReaderProcess:
    parts = SimpleNamespace(
        fleet=fleet, redis=redis, queue=RefreshQueue(redis, QueueLimits(queued=10))
    )
    process = SimpleNamespace(catalogue=Catalogue(("Netflix",)), start=lambda: parts)
    return cast(ReaderProcess, process)


def test_the_next_snapshot_shows_a_queued_refresh(
    process: ReaderProcess, fleet: FleetWatch
) -> None:
    assert fleet.snapshot().queue_length == 0
    perform(Action.REFRESH, ORG.name, process=process, now=NOW, request_id="r1")
    assert fleet.snapshot().queue_length == 1


def test_a_pause_lasts_since_the_first_of_two(process: ReaderProcess, fleet: FleetWatch) -> None:
    perform(Action.PAUSE, "", process=process, now=NOW - 60, request_id="r1")
    perform(Action.PAUSE, "", process=process, now=NOW, request_id="r2")
    assert fleet.snapshot().suspended_since == NOW - 60
    perform(Action.RESUME, "", process=process, now=NOW, request_id="r3")
    assert fleet.snapshot().suspended_since is None


def test_resuming_ends_failures_from_before(process: ReaderProcess, redis: Redis) -> None:
    store, now = Store(redis), float(redis.time()[0])
    store_failure(redis, ORG, make_failure(at=now - 1, retry_at=now + 3599))
    before = store.state(ORG).failure
    assert before is not None
    assert before.holds_back(now)
    perform(Action.RESUME, "", process=process, now=NOW, request_id="r1")
    after = store.state(ORG).failure
    assert after is not None
    assert not after.holds_back(now + 1)
    assert 3600 < redis.ttl(keys.RESUMED) <= 7200
