"""A change that the origin told of is refreshed though the entry is fresh, and seen once."""

from redis import Redis

from refresher.refresh import refresh
from shared.outcomes import RefreshOutcome
from shared.redis import keys
from shared.redis.store import Store
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeTools
from tests.refresher.workbench import ORG, Clock


def test_what_was_told_is_refreshed_and_seen(
    github: FakeGitHub, tools_for: MakeTools, redis: Redis, store: Store
) -> None:
    tools = tools_for(github.url)
    refresh(ORG, tools)
    assert refresh(ORG, tools) is RefreshOutcome.FRESH
    redis.set(keys.told(ORG), "one")
    assert refresh(ORG, tools) is RefreshOutcome.UNCHANGED
    assert store.look(ORG).told is None
    assert refresh(ORG, tools) is RefreshOutcome.FRESH


def test_what_is_told_while_github_is_being_asked_is_not_taken_for_seen(
    github: FakeGitHub, tools_for: MakeTools, redis: Redis, store: Store, clock: Clock
) -> None:
    tools = tools_for(github.url, clock=clock)
    redis.set(keys.told(ORG), "one")
    clock.at_call(2, lambda: redis.set(keys.told(ORG), "two"))
    assert refresh(ORG, tools) is RefreshOutcome.UPDATED
    assert store.look(ORG).told == "two"
    assert refresh(ORG, tools) is RefreshOutcome.UNCHANGED
    assert store.look(ORG).told is None


def test_a_failure_leaves_the_telling_for_the_next_try(
    github: FakeGitHub, tools_for: MakeTools, redis: Redis, store: Store
) -> None:
    tools = tools_for(github.url)
    refresh(ORG, tools)
    redis.set(keys.told(ORG), "one")
    github.fault("status", status=502)
    assert refresh(ORG, tools) is RefreshOutcome.FAILED
    assert store.look(ORG).told == "one"
