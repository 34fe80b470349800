"""An invalidation refreshes an entry although it is fresh, and is handled once."""

from redis import Redis

from refresher.refresh import refresh
from shared.outcomes import RefreshOutcome
from shared.redis import keys
from shared.redis.store import Store
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import ORG, ManualClock


def test_what_was_told_is_refreshed_and_seen(
    github: FakeGitHub, context_for: MakeContext, redis: Redis, store: Store
) -> None:
    context = context_for(github.url)
    refresh(ORG, context)
    assert refresh(ORG, context) is RefreshOutcome.FRESH
    redis.set(keys.invalidated_by(ORG), "one")
    assert refresh(ORG, context) is RefreshOutcome.UNCHANGED
    assert store.state(ORG).invalidated_by is None
    assert refresh(ORG, context) is RefreshOutcome.FRESH


def test_what_is_told_while_github_is_being_asked_is_not_taken_for_seen(
    github: FakeGitHub, context_for: MakeContext, redis: Redis, store: Store, clock: ManualClock
) -> None:
    context = context_for(github.url, clock=clock)
    redis.set(keys.invalidated_by(ORG), "one")
    clock.at_call(2, lambda: redis.set(keys.invalidated_by(ORG), "two"))
    assert refresh(ORG, context) is RefreshOutcome.UPDATED
    assert store.state(ORG).invalidated_by == "two"
    assert refresh(ORG, context) is RefreshOutcome.UNCHANGED
    assert store.state(ORG).invalidated_by is None


def test_a_failure_leaves_the_telling_for_the_next_try(
    github: FakeGitHub, context_for: MakeContext, redis: Redis, store: Store
) -> None:
    context = context_for(github.url)
    refresh(ORG, context)
    redis.set(keys.invalidated_by(ORG), "one")
    github.fault("status", status=502)
    assert refresh(ORG, context) is RefreshOutcome.FAILED
    assert store.state(ORG).invalidated_by == "one"
