"""A reader reads a manifest, and its segments are replaced before it has read those."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from refresher.refresh import refresh
from scripts.embedded_redis import EmbeddedRedis
from shared.outcomes import RefreshOutcome
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis.store import Store
from tests.fakegithub.client import FakeGitHub
from tests.pieces import HeldPieces
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import REPOS, ManualClock


class HookedRedis(Redis):
    """A client that calls `before_segments` each time before it reads segments."""

    before_segments: Callable[[], object]
    readings = 0

    def hmget(self, name: Any, keys: Any, *args: Any) -> Any:
        """Read fields; only segments are read by this method."""
        self.readings += 1
        self.before_segments()
        return super().hmget(name, keys, *args)


@pytest.fixture
def hooked(redis_server: EmbeddedRedis) -> Iterator[HookedRedis]:
    with HookedRedis.from_url(redis_server.url) as client:
        yield client


@pytest.fixture
def change(
    three_page_github: FakeGitHub, context_for: MakeContext, redis: Redis
) -> Callable[[], None]:
    """Changes repositories of all segments, and stores the list."""
    context, queue = (
        context_for(three_page_github.url, clock=ManualClock()),
        RefreshQueue(redis, QueueLimits()),
    )

    def made() -> None:
        for repo in range(0, 245, 9):
            three_page_github.mutate("star", repo=repo, by=3)
        queue.mark(REPOS)
        assert refresh(REPOS, context) is RefreshOutcome.UPDATED

    assert refresh(REPOS, context) is RefreshOutcome.UPDATED
    return made


def once(work: Callable[[], None]) -> Callable[[], None]:
    left = [work]
    return lambda: left.pop()() if left else None


@pytest.mark.parametrize("is_held", [False, True])
def test_it_reads_the_manifest_again(
    hooked: HookedRedis, three_page_github: FakeGitHub, change: Callable[[], None], is_held: bool
) -> None:
    before = Store(hooked)
    hooked.before_segments = lambda: None
    held = before.read(REPOS)
    change()
    hooked.readings, hooked.before_segments = 0, once(change)
    entry = Store(hooked, pieces=HeldPieces(held if is_held else None)).read(REPOS)
    assert entry is not None
    assert json.loads(bytes(entry.body)) == three_page_github.repos()
    assert hooked.readings == 2


def test_it_does_not_do_so_for_ever(hooked: HookedRedis, change: Callable[[], None]) -> None:
    hooked.before_segments = change
    assert Store(hooked).read(REPOS) is None
    assert hooked.readings == 3


def test_the_state_beside_it_is_not_read_again(
    hooked: HookedRedis, three_page_github: FakeGitHub, change: Callable[[], None]
) -> None:
    """So the entry may be newer than the state, which brings another check, and never older."""
    hooked.before_segments = once(change)
    entry, state = Store(hooked).read_with_state(REPOS)
    assert entry is not None
    assert state.metadata is not None
    assert json.loads(bytes(entry.body)) == three_page_github.repos()
    assert entry.metadata.version > state.metadata.version
