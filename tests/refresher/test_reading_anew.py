"""What an operator asks for is requested without conditions: so a wrong 304 can be healed."""

import json

import pytest
from redis import Redis

from refresher.refresh import refresh
from shared.outcomes import RefreshOutcome
from shared.queue_order import Priority
from shared.queueing import QueueLimits, RefreshQueue, RefreshRequest
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import REPOS, USER_VIEW, ManualClock


@pytest.fixture
def queue(redis: Redis) -> RefreshQueue:
    return RefreshQueue(redis, QueueLimits())


def conditional(github: FakeGitHub) -> list[bool]:
    """Whether each request carried a condition, in order."""
    return [bool(seen["if_none_match"]) for seen in github.recent()]


@pytest.mark.parametrize("resource", [REPOS, USER_VIEW])
def test_a_wrong_304_is_healed_by_an_operator_s_refresh(
    large_github: FakeGitHub,
    context_for: MakeContext,
    store: Store,
    queue: RefreshQueue,
    resource: Resource,
) -> None:
    clock = ManualClock()
    context = context_for(large_github.url, clock=clock)
    refresh(resource, context)
    large_github.mutate("edit_org", description="another")
    large_github.mutate("star", repo=3, by=1000)
    large_github.fault("wrong_304")
    clock.now += 2000
    assert refresh(resource, context) is RefreshOutcome.UNCHANGED, "the 304 is wrong"
    queue.force(resource)
    large_github.reset_counters()
    assert refresh(resource, context, force=True) is RefreshOutcome.UPDATED
    assert not any(conditional(large_github))
    assert store.state(resource).invalidated_by is None
    entry = store.read(resource)
    assert entry is not None
    if resource is REPOS:
        assert json.loads(bytes(entry.body)) == large_github.repos()


def test_unchanged_content_keeps_its_version_and_its_pages_are_replaced(
    large_github: FakeGitHub, context_for: MakeContext, store: Store, queue: RefreshQueue
) -> None:
    context = context_for(large_github.url)
    refresh(REPOS, context)
    before = store.state(REPOS).metadata
    queue.force(REPOS)
    large_github.reset_counters()
    assert refresh(REPOS, context, force=True) is RefreshOutcome.UNCHANGED
    assert conditional(large_github) == [False, False, False]
    after = store.state(REPOS).metadata
    assert before is not None
    assert after is not None
    assert (after.version, after.etag) == (before.version, before.etag)
    large_github.reset_counters()
    assert refresh(REPOS, context, force=True) is RefreshOutcome.UNCHANGED
    assert conditional(large_github) == [True, True, True], "the next one is as cheap as any"


def test_whichever_job_does_it_nothing_is_requested_conditionally(
    large_github: FakeGitHub, context_for: MakeContext, queue: RefreshQueue
) -> None:
    """The operator's own job may be lost, or meet a refresh that began before."""
    context = context_for(large_github.url)
    refresh(REPOS, context)
    queue.force(REPOS)
    queue.mark(REPOS)  # an event comes afterwards
    queue.ask(RefreshRequest(REPOS, Priority.INVALIDATED))
    large_github.reset_counters()
    refresh(REPOS, context)
    assert conditional(large_github) == [False, False, False]


def test_an_event_alone_leaves_the_conditions(
    large_github: FakeGitHub, context_for: MakeContext, queue: RefreshQueue
) -> None:
    context = context_for(large_github.url)
    refresh(REPOS, context)
    queue.mark(REPOS)
    large_github.reset_counters()
    refresh(REPOS, context)
    assert conditional(large_github) == [True, True, True]
