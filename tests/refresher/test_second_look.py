"""A list that collapsed at GitHub stays as it was stored, until a second look says the same."""

import json
from collections.abc import Iterator

import pytest
from redis import Redis

from refresher.refresh import refresh
from shared.outcomes import RefreshOutcome
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis import keys
from shared.redis.store import Store
from shared.refresh_report import ON_DEMAND, TRACKED, RefreshReport, timeline
from shared.resources.resource import Resource
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import MEMBERS, ORG, REPOS, TOKEN, ManualClock

UPDATED, UNCHANGED = RefreshOutcome.UPDATED, RefreshOutcome.UNCHANGED
DOUBTED, FAILED = RefreshOutcome.DOUBTED, RefreshOutcome.FAILED
FIRST = r"/orgs/Netflix/repos\?per_page=100$"
PAGE = Resource("/orgs/Netflix/repos", "per_page=30")  # on demand


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """A GitHub with a list of 245 on three pages."""
    with FakeGitHub(repos=245, members=130, anonymous_limit=1_000_000) as github:
        yield github


class Refresher:
    """Refreshes by a clock that the test moves on: all of it is stale each time."""

    def __init__(self, make: MakeContext, github: FakeGitHub, **settings: object) -> None:
        self.clock = ManualClock()
        self._make, self._github, self._settings = make, github, settings

    def refresh(
        self, resource: Resource = REPOS, *, after: float = 2000, force: bool = False
    ) -> RefreshOutcome:
        """Refresh so many seconds later, in a process that knows nothing of the last one."""
        self.clock.now += after
        context = self._make(self._github.url, clock=self.clock, **self._settings)
        return refresh(resource, context, force=force)


@pytest.fixture
def refresher(context_for: MakeContext, github: FakeGitHub) -> Refresher:
    return Refresher(context_for, github)


def items_of(store: Store, resource: Resource = REPOS) -> int | None:
    """The number of items that readers serve; None if nothing is stored."""
    entry = store.read(resource)
    return None if entry is None else len(json.loads(bytes(entry.body)))


def last_report(redis: Redis) -> RefreshReport:
    """The report of the last refresh."""
    return timeline(redis)[0]


def empty_once(github: FakeGitHub, path: str = FIRST) -> None:
    """The next response is an empty list."""
    github.fault("wrong_shape", body="[]", path=path, headers={"Link": None}, times=1)


class TestAnEmptyAnswer:
    """`[]` once for a list of 245."""

    def test_leaves_the_old_list_until_the_next_look_heals_it(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        assert refresher.refresh() is UPDATED
        before = store.state(REPOS).metadata
        empty_once(github)
        assert refresher.refresh() is DOUBTED
        state = store.state(REPOS)
        assert state.metadata == before
        assert state.suspicion is not None
        assert (state.suspicion.items, state.suspicion.before) == (0, 245)
        assert items_of(store) == 245
        assert refresher.refresh(after=31) is UNCHANGED
        assert store.state(REPOS).suspicion is None
        assert store.state(REPOS).is_current(refresher.clock.now)

    def test_is_reported_as_a_doubt_and_then_as_healed(
        self, refresher: Refresher, github: FakeGitHub, redis: Redis
    ) -> None:
        refresher.refresh()
        empty_once(github)
        refresher.refresh()
        doubted = last_report(redis)
        assert doubted.outcome is DOUBTED
        assert doubted.reason == (
            "GitHub shows 0 items where there were 245; not believed before a second look"
        )
        assert doubted.kind is None, "it is no failure"
        refresher.refresh(after=31)
        assert "GitHub shows 245 items again" in (last_report(redis).reason or "")

    def test_is_looked_at_again_after_half_a_minute_and_not_before(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        refresher.refresh()
        empty_once(github)
        refresher.refresh()
        assert not store.state(REPOS).is_current(refresher.clock.now)
        github.reset_counters()
        assert refresher.refresh(after=29) is RefreshOutcome.BACKING_OFF
        assert github.counters()["total"] == 0
        assert refresher.refresh(after=2) is UNCHANGED

    def test_of_content_that_was_fresh_is_looked_at_again_all_the_same(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        """As a refresh ahead of time meets it, or one after an event."""
        refresher.refresh()
        empty_once(github)
        assert refresher.refresh(after=1, force=True) is DOUBTED
        state = store.state(REPOS)
        assert state.metadata is not None
        assert state.metadata.is_fresh(refresher.clock.now + 31)
        assert not state.is_current(refresher.clock.now + 31)
        assert refresher.refresh(after=31) is UNCHANGED

    def test_is_no_failure_that_grows(self, refresher: Refresher, github: FakeGitHub) -> None:
        refresher.refresh()
        for _ in range(3):
            empty_once(github)
            assert refresher.refresh() is DOUBTED
            assert refresher.refresh(after=31) is UNCHANGED


class TestAMassDeletion:
    """The list is truly short now."""

    @pytest.mark.parametrize("count", [0, 1, 40, 100, 120])
    def test_is_believed_after_the_second_look(
        self,
        refresher: Refresher,
        github: FakeGitHub,
        store: Store,
        redis: Redis,
        count: int,
    ) -> None:
        refresher.refresh()
        github.mutate("set_repos", count=count)
        assert refresher.refresh() is DOUBTED
        assert items_of(store) == 245
        assert refresher.refresh(after=31) is UPDATED
        assert items_of(store) == count
        report = last_report(redis)
        assert "believed, as a look 31 s before showed the same" in (report.reason or "")
        assert store.state(REPOS).suspicion is None
        assert refresher.refresh() is UNCHANGED
        assert last_report(redis).reason is None

    def test_of_less_than_half_is_believed_at_once(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        refresher.refresh()
        github.mutate("set_repos", count=150)
        assert refresher.refresh() is UPDATED
        assert items_of(store) == 150

    def test_that_goes_on_is_believed_once_it_ends(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        refresher.refresh()
        for count in (110, 60):
            github.mutate("set_repos", count=count)
            assert refresher.refresh(after=31 if count == 60 else 2000) is DOUBTED
        assert items_of(store) == 245
        assert refresher.refresh(after=31) is UPDATED
        assert items_of(store) == 60

    def test_is_believed_whatever_failed_between_the_looks(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        refresher.refresh()
        github.mutate("set_repos", count=0)
        assert refresher.refresh() is DOUBTED
        github.fault("status", status=502)
        assert refresher.refresh(after=31) is FAILED
        assert items_of(store) == 245
        github.clear_faults()
        assert refresher.refresh(after=10) is UPDATED
        assert items_of(store) == 0

    def test_may_be_seen_a_day_later(
        self, refresher: Refresher, github: FakeGitHub, store: Store, redis: Redis
    ) -> None:
        refresher.refresh()
        github.mutate("set_repos", count=0)
        refresher.refresh()
        assert 80_000 < redis.ttl(keys.suspicion(REPOS)) <= 86_400
        assert refresher.refresh(after=80_000) is UPDATED
        assert items_of(store) == 0

    def test_that_github_marks_as_private_is_believed_at_once(
        self, context_for: MakeContext, store: Store
    ) -> None:
        """Privacy is asked first: what GitHub shows as private has not vanished."""
        with FakeGitHub(repos=20, members=1) as github:
            refresher = Refresher(context_for, github, github_api_token=TOKEN)
            refresher.refresh()
            for repo in github.repos()[:15]:
                github.mutate("make_private", repo=repo["name"])
            assert refresher.refresh() is UPDATED
            assert items_of(store) == 5

    def test_is_not_counted_where_a_doubt_is_told(
        self, context_for: MakeContext, store: Store, redis: Redis
    ) -> None:
        """The status page and a 503 show the numbers to everybody."""
        with FakeGitHub(repos=20, private=3, members=1) as github:
            refresher = Refresher(context_for, github, github_api_token=TOKEN)
            refresher.refresh()
            github.mutate("set_repos", count=2)
            assert refresher.refresh() is DOUBTED
            suspicion = store.state(REPOS).suspicion
            assert suspicion is not None
            assert (suspicion.items, suspicion.before) == (2, 20)
            assert "GitHub shows 2 items where there were 20" in (last_report(redis).reason or "")
            assert refresher.refresh(after=31) is UPDATED
            assert items_of(store) == 2


class TestAMissingLink:
    """The first page without `Link`, where there were more."""

    def test_does_not_cut_the_list(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        refresher.refresh(MEMBERS)
        github.mutate("add_member", where="front")
        github.fault("slow", headers={"Link": None}, path="members", times=1)
        assert refresher.refresh(MEMBERS) is DOUBTED
        assert items_of(store, MEMBERS) == 130
        assert refresher.refresh(MEMBERS, after=31) is UPDATED
        assert items_of(store, MEMBERS) == 131

    def test_is_believed_if_the_second_look_lacks_it_too(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        refresher.refresh(MEMBERS)
        for _ in range(35):
            github.mutate("remove_member", login=90)
        github.mutate("remove_member", login=0)
        assert refresher.refresh(MEMBERS) is DOUBTED
        assert refresher.refresh(MEMBERS, after=31) is UPDATED
        assert items_of(store, MEMBERS) == 94


class TestAnOperator:
    """An operator's refresh needs a second look, too."""

    def test_does_not_wipe_the_list_with_one_wrong_answer(
        self, refresher: Refresher, github: FakeGitHub, store: Store, redis: Redis
    ) -> None:
        refresher.refresh()
        queue = RefreshQueue(redis, QueueLimits())
        queue.force(REPOS)
        empty_once(github)
        assert refresher.refresh(force=True) is DOUBTED
        empty_once(github)
        assert refresher.refresh(after=1, force=True) is DOUBTED, "too early for a second look"
        assert items_of(store) == 245
        assert store.state(REPOS).is_to_be_read_anew, "the second look has no conditions either"
        github.reset_counters()
        assert refresher.refresh(after=31) is UNCHANGED
        assert not any(seen["if_none_match"] for seen in github.recent())

    def test_sees_at_once_that_nothing_was_lost(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        refresher.refresh()
        empty_once(github)
        refresher.refresh()
        assert refresher.refresh(after=1, force=True) is UNCHANGED
        assert store.state(REPOS).suspicion is None


class TestTheFirstFill:
    """Nothing is stored: the organisation says how many repositories there are."""

    def test_is_compared_with_what_the_organisation_says(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        refresher.refresh(ORG)
        empty_once(github)
        assert refresher.refresh() is DOUBTED
        assert items_of(store) is None
        assert refresher.refresh(after=31) is UPDATED
        assert items_of(store) == 245

    def test_is_believed_when_the_second_look_says_the_same(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        refresher.refresh(ORG)
        github.mutate("set_repos", count=3)
        assert refresher.refresh() is DOUBTED
        assert refresher.refresh(after=31) is UPDATED
        assert items_of(store) == 3
        assert refresher.refresh() is UNCHANGED

    def test_of_its_first_page_alone_is_doubted(
        self, context_for: MakeContext, store: Store
    ) -> None:
        with FakeGitHub(repos=150, members=1) as github:
            refresher = Refresher(context_for, github)
            refresher.refresh(ORG)
            github.fault("slow", headers={"Link": None}, path=FIRST, times=1)
            assert refresher.refresh() is DOUBTED
            assert refresher.refresh(after=31) is UPDATED
            assert items_of(store) == 150

    def test_is_believed_if_the_organisation_counts_a_few_more(
        self, context_for: MakeContext
    ) -> None:
        with FakeGitHub(repos=101, members=1) as github:
            refresher = Refresher(context_for, github)
            refresher.refresh(ORG)
            github.mutate("set_repos", count=98)
            assert refresher.refresh() is UPDATED

    def test_is_believed_if_nothing_is_known(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        empty_once(github)
        assert refresher.refresh() is UPDATED
        assert items_of(store) == 0


class TestOnDemand:
    """The first page of a list."""

    def test_that_is_suddenly_empty_is_doubted(
        self, refresher: Refresher, github: FakeGitHub, store: Store, redis: Redis
    ) -> None:
        refresher.refresh(PAGE)
        empty_once(github, "per_page=30$")
        assert refresher.refresh(PAGE, after=70) is DOUBTED
        assert items_of(store, PAGE) == 30
        assert refresher.refresh(PAGE, after=31) is UNCHANGED
        assert {one.resource for one in timeline(redis)} == {PAGE.name}
        assert redis.llen(keys.timeline(ON_DEMAND)) == 3
        assert redis.llen(keys.timeline(TRACKED)) == 0

    def test_that_lost_its_link_is_doubted(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        refresher.refresh(PAGE)
        github.mutate("star", repo=3, by=1000)
        github.fault("slow", headers={"Link": None}, path="per_page=30$", times=1)
        assert refresher.refresh(PAGE, after=70) is DOUBTED
        assert refresher.refresh(PAGE, after=31) is UPDATED
        metadata = store.state(PAGE).metadata
        assert metadata is not None
        assert "next" in dict(metadata.links)

    def test_that_is_gone_for_good_is_believed(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        refresher.refresh(PAGE)
        github.mutate("set_repos", count=0)
        assert refresher.refresh(PAGE, after=70) is DOUBTED
        assert refresher.refresh(PAGE, after=31) is UPDATED
        assert items_of(store, PAGE) == 0

    def test_a_later_page_loses_its_items_whenever_the_list_becomes_shorter(
        self, refresher: Refresher, github: FakeGitHub, store: Store
    ) -> None:
        last = Resource("/orgs/Netflix/repos", "page=9&per_page=30")
        refresher.refresh(last)
        github.mutate("set_repos", count=240)
        assert refresher.refresh(last, after=70) is UPDATED
        assert items_of(store, last) == 0

    def test_a_short_list_may_be_emptied_at_once(
        self, context_for: MakeContext, store: Store
    ) -> None:
        with FakeGitHub(repos=9, members=1) as github:
            refresher = Refresher(context_for, github)
            refresher.refresh(PAGE)
            github.mutate("set_repos", count=0)
            assert refresher.refresh(PAGE, after=70) is UPDATED
            assert items_of(store, PAGE) == 0


def test_pages_of_a_doubted_reading_are_not_used_again(
    refresher: Refresher, github: FakeGitHub, store: Store, redis: Redis
) -> None:
    """An interrupted reading goes on where it was; a doubted one is over."""
    refresher.refresh()
    github.mutate("set_repos", count=120)
    assert refresher.refresh() is DOUBTED
    assert not redis.exists(keys.reading(REPOS))
    github.reset_counters()
    assert refresher.refresh(after=31) is UPDATED
    assert github.counters()["total"] >= 2
    assert items_of(store) == 120


def test_a_refresher_that_lost_its_lock_records_no_doubt(
    refresher: Refresher, github: FakeGitHub, store: Store, redis: Redis
) -> None:
    refresher.refresh()
    empty_once(github)
    refresher.clock.at_call(3, lambda: redis.set(keys.fence(REPOS), "another"))
    assert refresher.refresh() is RefreshOutcome.FENCED
    assert store.state(REPOS).suspicion is None
