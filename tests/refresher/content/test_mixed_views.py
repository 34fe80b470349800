"""A list is complete although credentials see different items, and so different pages."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from refresher.context import RefreshContext
from refresher.refresh import refresh
from shared.outcomes import FailureKind, RefreshOutcome
from shared.redis.store import Store
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import REPOS, ManualClock

OWNER, STRANGER = "ghp_owner0123456789", "ghp_stranger0123456789"
TTL = 600  # seconds
Fleet = Callable[..., RefreshContext]


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """A stranger sees four pages of repositories, an owner five."""
    viewers = {
        OWNER: {"role": "owner", "scopes": "repo, admin:org"},
        STRANGER: {"role": "stranger", "scopes": ""},
    }
    with FakeGitHub(repos=330, private=120, members=1, viewers=viewers) as github:
        yield github


def stored(redis: Redis) -> Any:
    """The items of the stored list."""
    entry = Store(redis).read(REPOS)
    return [] if entry is None else json.loads(bytes(entry.body))


@pytest.fixture
def fleet(github: FakeGitHub, context_for: MakeContext, clock: ManualClock) -> Fleet:
    """Contexts of a fleet with these tokens."""

    def make(tokens: str = f"{OWNER},{STRANGER}", *, concurrency: int = 1) -> RefreshContext:
        known = {"github_api_token": tokens, "github_concurrency": concurrency, "cache_ttl": TTL}
        return context_for(github.url, clock=clock, budgeted=True, **known)

    return make


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("tokens", [f"{OWNER},{STRANGER}", f"{STRANGER},{OWNER}"])
def test_one_credential_answers_all_pages_of_a_reading(
    github: FakeGitHub,
    redis: Redis,
    fleet: Fleet,
    clock: ManualClock,
    *,
    tokens: str,
    concurrency: int,
) -> None:
    context = fleet(tokens, concurrency=concurrency)
    for _ in range(4):
        refresh(REPOS, context)
        assert Store(redis).state(REPOS).failure is None
        assert stored(redis) == github.repos()
        clock.now += TTL + 1


@pytest.mark.parametrize("concurrency", [1, 4])
def test_whoever_was_given_the_pages_is_asked_whether_they_changed(
    github: FakeGitHub, fleet: Fleet, concurrency: int
) -> None:
    context = fleet(concurrency=concurrency)
    refresh(REPOS, context)
    github.reset_counters()
    for _ in range(3):
        assert refresh(REPOS, context, force=True) is RefreshOutcome.UNCHANGED
    assert {seen["status"] for seen in github.recent()} == {304}
    assert github.counters()["points"] == 0


@pytest.mark.parametrize("anonymous_limit", [0, 60])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_list_whose_credential_is_spent_in_the_middle_is_read_anew_by_another(
    github: FakeGitHub, redis: Redis, fleet: Fleet, concurrency: int, anonymous_limit: int
) -> None:
    github.configure(anonymous_limit=anonymous_limit)
    github.fault("ratelimited", path="page=3", times=1, reset_in=3600)
    refresh(REPOS, fleet(concurrency=concurrency))
    assert Store(redis).state(REPOS).failure is None
    assert stored(redis) == github.repos()
    # It was left at once, and not read on anonymously: these requests are few.
    assert sum(not one["authorised"] for one in github.recent()) <= concurrency


def test_a_list_is_not_read_when_every_credential_is_spent(
    github: FakeGitHub, redis: Redis, fleet: Fleet
) -> None:
    github.fault("ratelimited", path="page=", reset_in=600)
    refresh(REPOS, fleet())
    failure = Store(redis).state(REPOS).failure
    assert failure is not None
    assert failure.kind is FailureKind.RATE_LIMITED
    assert len(github.recent()) <= 6


def test_nothing_of_a_reading_that_was_left_gets_into_the_next_one(
    github: FakeGitHub, redis: Redis, fleet: Fleet, clock: ManualClock
) -> None:
    for tokens in (OWNER, f"{OWNER},{STRANGER}"):
        refresh(REPOS, fleet(tokens))
        assert Store(redis).state(REPOS).failure is None
        assert stored(redis) == github.repos()
        clock.now += TTL + 1
        # The next one is begun by the owner, who was given the pages, and ended by the stranger.
        github.fault("ratelimited", path="page=3", times=1, reset_in=3600)
    # Two of the reading that was left, and all four of the stranger's second, which confirms.
    assert [one["status"] for one in github.recent()].count(304) == 6
