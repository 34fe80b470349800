"""A list whose reading was interrupted goes on where it ended, and is judged as a whole."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from refresher.context import RefreshContext
from refresher.refresh import refresh
from shared.entry import Entry
from shared.outcomes import FailureKind, RefreshOutcome
from shared.redis import keys
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import REPOS, TOKEN, ManualClock, property_test

FIRST = "/orgs/Netflix/repos?per_page=100"
NUMERIC = "/organizations/913567/repos?per_page=100&page="
PAGES = [FIRST, NUMERIC + "2", NUMERIC + "3"]
TTL = 600  # seconds; much longer than the pause after a failure


@dataclass
class Refresher:
    """A refresher of one list, and the GitHub that it reads."""

    github: FakeGitHub
    context: RefreshContext
    redis: Redis
    clock: ManualClock

    def refresh(self, *, after: float = 0, force: bool = False) -> RefreshOutcome:
        """Refresh the list, that many seconds after the pause of the last failure."""
        failure = self.context.storage.store.state(REPOS).failure
        self.clock.now = (failure.retry_at if failure else self.clock.now) + after
        self.github.reset_counters()
        return refresh(REPOS, self.context, force=force)

    def fail_at(self, page: int, **options: Any) -> float:
        """Refresh the list, which fails at a page; return the time of that."""
        self.github.fault("status", path=PAGES[page - 1][-6:] + "$", status=500)
        assert self.refresh(**options) is RefreshOutcome.FAILED
        self.github.clear_faults()
        return self.clock.now

    def invalidate(self, event: str) -> None:
        self.redis.set(keys.invalidated_by(REPOS), event)

    @property
    def asked(self) -> list[str]:
        """The paths of the last refresh's requests, in order."""
        return [seen["path"] for seen in self.github.recent()]

    @property
    def entry(self) -> Entry:
        entry = self.context.storage.store.read(REPOS)
        assert entry is not None
        return entry

    @property
    def stored(self) -> Any:
        return json.loads(bytes(self.entry.body))

    @property
    def is_kept(self) -> bool:
        return bool(self.redis.exists(keys.reading(REPOS)))


Start = Callable[..., Refresher]


@pytest.fixture
def start(
    large_github: FakeGitHub, context_for: MakeContext, redis: Redis, clock: ManualClock
) -> Start:
    """Start a refresher: `start(**settings)`."""

    def make(**settings: Any) -> Refresher:
        options = {"cache_ttl": TTL, "github_api_token": TOKEN, **settings}
        context = context_for(large_github.url, clock=clock, **options)
        return Refresher(large_github, context, redis, clock)

    return make


def warm(refresher: Refresher) -> Refresher:
    """The same refresher, with the list stored, and stale."""
    assert refresher.refresh() is RefreshOutcome.UPDATED
    refresher.clock.now += TTL
    return refresher


@pytest.mark.parametrize("concurrency", [1, 4])
def test_pages_that_were_read_are_not_requested_again(start: Start, concurrency: int) -> None:
    refresher = start(github_concurrency=concurrency)
    began = refresher.fail_at(3)
    assert start(github_concurrency=concurrency).refresh(after=1) is RefreshOutcome.UPDATED
    assert refresher.asked == PAGES[2:]
    assert refresher.stored == refresher.github.repos()
    metadata = refresher.entry.metadata
    assert (metadata.validated_at, metadata.fresh_until) == (began, began + TTL)
    assert not refresher.is_kept


def test_a_changed_page_and_confirmed_ones_are_kept(start: Start) -> None:
    refresher = warm(start())
    refresher.github.mutate("star", repo=20)
    refresher.fail_at(3)
    assert refresher.refresh() is RefreshOutcome.UPDATED
    assert refresher.asked == PAGES[2:]
    assert refresher.stored == refresher.github.repos()


def test_pages_that_were_only_confirmed_confirm_the_list(start: Start) -> None:
    refresher = warm(start())
    began = refresher.fail_at(3)
    assert refresher.refresh() is RefreshOutcome.UNCHANGED
    assert refresher.asked == PAGES[2:]
    assert refresher.entry.metadata.validated_at == began
    assert not refresher.is_kept


def test_pages_that_are_older_than_the_lifetime_are_requested_again(start: Start) -> None:
    refresher = start()
    refresher.fail_at(3)
    refresher.github.mutate("star", repo=20)
    assert refresher.refresh(after=TTL) is RefreshOutcome.UPDATED
    assert refresher.asked == PAGES
    assert refresher.github.counters()["points"] == 2  # page 2 is confirmed
    assert refresher.stored == refresher.github.repos()
    assert refresher.entry.metadata.validated_at == refresher.clock.now


def test_a_page_that_was_kept_and_is_confirmed_later_replaces_the_stored_one(start: Start) -> None:
    refresher = warm(start())
    refresher.github.mutate("star", repo=20)
    refresher.fail_at(3)
    assert refresher.refresh(after=TTL) is RefreshOutcome.UPDATED
    assert refresher.github.counters()["points"] == 0
    assert refresher.stored == refresher.github.repos()


def test_an_event_during_the_interruption_leads_to_another_refresh(start: Start) -> None:
    refresher = start()
    refresher.invalidate("before")
    refresher.fail_at(3)
    refresher.github.mutate("star", repo=20)
    refresher.invalidate("between")
    assert refresher.refresh() is RefreshOutcome.UPDATED
    assert refresher.redis.get(keys.invalidated_by(REPOS)) == b"between"
    assert refresher.refresh() is RefreshOutcome.UPDATED
    assert refresher.asked == PAGES
    assert refresher.stored == refresher.github.repos()
    assert refresher.redis.get(keys.invalidated_by(REPOS)) is None


def test_the_event_that_caused_the_reading_is_handled_by_its_end(start: Start) -> None:
    refresher = start()
    refresher.invalidate("before")
    refresher.fail_at(3)
    assert refresher.refresh() is RefreshOutcome.UPDATED
    assert refresher.redis.get(keys.invalidated_by(REPOS)) is None


def test_an_operator_s_refresh_requests_every_page(start: Start) -> None:
    refresher = start()
    refresher.fail_at(3)
    assert refresher.refresh(force=True) is RefreshOutcome.UPDATED
    assert refresher.asked == PAGES
    assert refresher.entry.metadata.validated_at == refresher.clock.now


def test_what_one_credential_read_is_not_continued_by_another(start: Start) -> None:
    start().fail_at(3)
    other = start(github_api_token="ghp_another")
    assert other.refresh() is RefreshOutcome.UPDATED
    assert other.asked == PAGES


@pytest.mark.parametrize(
    "about", [b"", b"null", b"{}", b"[]", b'{"shapes": "other"}'], ids=lambda about: about.decode()
)
def test_what_was_kept_under_other_rules_or_is_damaged_is_not_used(
    start: Start, about: bytes
) -> None:
    refresher = start()
    refresher.fail_at(3)
    refresher.redis.hset(keys.reading(REPOS), "about", about)
    assert refresher.refresh() is RefreshOutcome.UPDATED
    assert refresher.asked == PAGES


def test_an_item_that_slipped_through_the_interruption_is_found(start: Start) -> None:
    refresher = warm(start())
    refresher.fail_at(3)
    refresher.github.mutate("delete", repo=10)  # page 3 begins one item later now
    assert refresher.refresh() is RefreshOutcome.UPDATED
    assert refresher.asked == [PAGES[2], *PAGES, *PAGES]
    assert refresher.stored == refresher.github.repos()
    assert refresher.entry.metadata.validated_at == refresher.clock.now


def test_the_second_reading_is_kept_instead_of_the_first(start: Start) -> None:
    refresher = warm(start())
    refresher.fail_at(3)
    refresher.github.mutate("delete", repo=10)
    refresher.github.fault("status", path="page=3$", status=500, after=1)
    refresher.refresh()
    refresher.github.clear_faults()
    assert refresher.refresh() in {RefreshOutcome.UPDATED, RefreshOutcome.FRESH}
    assert refresher.stored == refresher.github.repos()


def test_a_list_that_never_settles_leaves_nothing_behind(start: Start) -> None:
    refresher = start()
    refresher.github.script(REPOS.path, 1, "move", repo=220, to=0, times=None)
    assert refresher.refresh() is RefreshOutcome.FAILED
    failure = refresher.context.storage.store.state(REPOS).failure
    assert failure is not None
    assert failure.kind is FailureKind.UNSETTLED
    assert not refresher.is_kept


def test_a_list_that_leads_back_to_its_beginning_leaves_nothing_behind(start: Start) -> None:
    refresher = start()
    refresher.github.fault("link_loop", path="page=2$")
    assert refresher.refresh() is RefreshOutcome.FAILED
    assert not refresher.is_kept


def test_a_stored_page_that_is_gone_is_read_anew(start: Start) -> None:
    refresher = warm(start())
    refresher.github.mutate("star", repo=220)
    refresher.fail_at(3)
    refresher.redis.hdel(keys.pages(REPOS), "1")
    assert refresher.refresh() is RefreshOutcome.UPDATED
    assert refresher.stored == refresher.github.repos()


def test_a_list_of_one_page_keeps_nothing(
    github: FakeGitHub, context_for: MakeContext, redis: Redis, clock: ManualClock
) -> None:
    refresher = Refresher(github, context_for(github.url, clock=clock), redis, clock)
    github.script(REPOS.path, 1, "star", repo=0)
    redis.config_resetstat()
    refresher.refresh()
    assert "cmdstat_hstrlen" not in redis.info("commandstats")


# What happens before a refresh: a change that GitHub reports, and the page at which it fails.
CHANGES = st.lists(
    st.one_of(
        st.builds(lambda repo: ("star", {"repo": repo}), st.integers(0, 200)),
        st.builds(
            lambda repo, to: ("move", {"repo": repo, "to": to}),
            st.integers(0, 200),
            st.integers(0, 200),
        ),
        st.builds(lambda repo: ("delete", {"repo": repo}), st.integers(0, 200)),
        st.just(("add", {})),
    ),
    max_size=2,
)
ROUNDS = st.lists(
    st.tuples(CHANGES, CHANGES, st.sampled_from([None, 1, 2, 3]), st.sampled_from([1, 400])),
    min_size=1,
    max_size=4,
)


@settings(
    property_test,
    max_examples=30,  # each reads lists of three pages several times
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(ROUNDS)
def test_whatever_interrupts_it_what_is_stored_last_is_github_s_list(
    make_clean: Callable[[], Refresher],
    rounds: list[tuple[list[Any], list[Any], int | None, float]],
) -> None:
    refresher = make_clean()
    number = 0

    def change(changes: list[Any]) -> None:
        nonlocal number
        for kind, options in changes:
            refresher.github.mutate(kind, **options)
            number += 1
            refresher.invalidate(f"event {number}")

    for before, between, page, seconds in rounds:
        change(before)
        if page is None:
            refresher.refresh(after=seconds)
        else:
            refresher.github.fault("status", path=PAGES[page - 1][-6:] + "$", status=500)
            refresher.refresh(after=seconds)
            refresher.github.clear_faults()
        change(between)
    for _ in range(4):
        refresher.refresh(after=1)
        state = refresher.context.storage.store.state(REPOS)
        if state.is_current(refresher.clock.now):
            break
    assert state.is_current(refresher.clock.now)
    assert refresher.stored == refresher.github.repos()


@pytest.fixture
def make_clean(start: Start, redis: Redis) -> Callable[[], Refresher]:
    """A refresher on an empty Redis, with 250 repositories at GitHub."""
    refresher = start()

    def make() -> Refresher:
        redis.flushdb()
        refresher.github.mutate("set_repos", count=250)
        refresher.clock.now += 2 * TTL
        return refresher

    return make
