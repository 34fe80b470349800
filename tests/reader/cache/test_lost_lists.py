"""A list that Redis has lost and GitHub shows short replaces what readers hold only later.

The refreshes are real ones, against the stand-in and a real Redis.
"""

import logging
from collections.abc import Iterator

import pytest
from redis import Redis

from refresher.refresh import refresh
from shared.outcomes import RefreshOutcome
from shared.redis import keys
from shared.resources.resource import Resource
from shared.suspicion import SECOND_LOOK_S
from tests.builders import NOW, make_entry, make_list_entry, queued_names, store_entry, tracked
from tests.fakegithub.client import FakeGitHub
from tests.reader.bench import Bench
from tests.refresher.conftest import MakeContext, context_for  # noqa: F401 - a fixture

REPOS, MEMBERS, ORG = (tracked(f"/orgs/Netflix{rest}") for rest in ("/repos", "/members", ""))
UPDATED, UNCHANGED = RefreshOutcome.UPDATED, RefreshOutcome.UNCHANGED


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=45, members=104, anonymous_limit=1_000_000) as github:
        yield github


class Fleet:
    """A refresher, and readers that hold a list."""

    def __init__(self, redis: Redis, github: FakeGitHub, make: MakeContext) -> None:
        self.redis, self.github, self.make = redis, github, make
        self.now = 1_800_000_000.0
        self.reader = self.begun_reader()

    def begun_reader(self) -> Bench:
        return Bench(self.redis)

    def refresh(self, *, after: float = 0, resource: Resource = REPOS) -> RefreshOutcome:
        self.now += after
        return refresh(resource, self.make(self.github.url, clock=lambda: self.now))

    def check(self, reader: Bench | None = None, resource: Resource = REPOS) -> int:
        """Have a reader look at Redis; return how many items it serves."""
        reader = reader or self.reader
        reader.clock.now = self.now
        reader.synchronizer.schedule_check(resource)
        reader.synchronizer.check_due()
        held = reader.local.peek(resource)
        assert held is not None
        return held.entry.metadata.items or 0

    def lose(self) -> None:
        self.redis.flushall()


@pytest.fixture
def fleet(redis: Redis, github: FakeGitHub, context_for: MakeContext) -> Fleet:  # noqa: F811
    made = Fleet(redis, github, context_for)
    assert made.refresh() is UPDATED
    assert made.check() == 45
    return made


def empty_once(github: FakeGitHub) -> None:
    github.fault("wrong_shape", body="[]", path="/repos", headers={"Link": None}, times=1)


def test_a_reader_keeps_what_it_holds_and_has_github_asked_again(fleet: Fleet) -> None:
    """Promise 5."""
    fleet.lose()
    empty_once(fleet.github)
    assert fleet.refresh(after=5) is UPDATED
    assert fleet.check(fleet.begun_reader()) == 0, "nobody else can know"
    assert fleet.check() == 45
    assert not fleet.redis.exists(keys.invalidated_by(REPOS)), "too early"
    fleet.now += SECOND_LOOK_S
    assert fleet.check() == 45
    assert fleet.check() == 45
    assert REPOS.name in queued_names(fleet.redis)
    assert fleet.refresh() is UPDATED
    assert fleet.check() == 45
    held = fleet.reader.local.peek(REPOS)
    assert held is not None
    assert held.entry.metadata.validated_at == fleet.now


def test_it_believes_the_second_look(fleet: Fleet) -> None:
    fleet.lose()
    fleet.github.mutate("set_repos", count=3)
    assert fleet.refresh(after=5) is UPDATED
    assert fleet.check() == 45
    fleet.now += SECOND_LOOK_S
    fleet.check()
    assert fleet.refresh() is UNCHANGED
    assert fleet.check() == 3


@pytest.mark.parametrize("count", [3, 4])
def test_a_look_that_comes_too_early_is_no_second_one(fleet: Fleet, count: int) -> None:
    fleet.lose()
    fleet.github.mutate("set_repos", count=3)
    fleet.refresh(after=5)
    fleet.github.mutate("set_repos", count=count)
    for resource in (REPOS, MEMBERS):
        fleet.reader.refresh_requests._queue.mark(resource, anew=True)
    assert fleet.refresh(after=SECOND_LOOK_S - 1) in {UPDATED, UNCHANGED}
    assert fleet.check() == 45
    fleet.reader.refresh_requests._queue.mark(REPOS, anew=True)
    assert fleet.refresh(after=1) is UNCHANGED
    assert fleet.check() == count


def test_a_request_that_reads_redis_does_not_replace_it_either(fleet: Fleet) -> None:
    fleet.lose()
    empty_once(fleet.github)
    fleet.refresh(after=5)
    read = fleet.reader.store.read(REPOS)
    assert read is not None
    shown = fleet.reader.local.put(REPOS, read, fleet.now)
    assert shown.metadata.items == 45


def test_a_list_that_ends_with_a_full_page_may_go_on(fleet: Fleet) -> None:
    fleet.refresh(resource=MEMBERS)
    assert fleet.check(resource=MEMBERS) == 104
    fleet.lose()
    fleet.github.fault("slow", headers={"Link": None}, path="members", times=1)
    fleet.refresh(after=5, resource=MEMBERS)
    assert fleet.check(fleet.begun_reader(), MEMBERS) == 100
    assert fleet.check(resource=MEMBERS) == 104


@pytest.mark.parametrize("count", [40, 50])
def test_what_lost_little_is_taken_at_once(fleet: Fleet, count: int) -> None:
    fleet.lose()
    fleet.github.mutate("set_repos", count=count)
    fleet.refresh(after=5)
    assert fleet.check() == count


def test_a_loss_that_the_refresher_has_looked_at_twice_is_taken_at_once(fleet: Fleet) -> None:
    fleet.lose()
    fleet.refresh(resource=ORG)
    empty_once(fleet.github)
    assert fleet.refresh(after=5) is RefreshOutcome.DOUBTED
    assert fleet.check() == 45
    fleet.github.mutate("set_repos", count=1)
    assert fleet.refresh(after=SECOND_LOOK_S + 1) is UPDATED
    assert fleet.check() == 1


def test_it_is_said_once(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    fleet.lose()
    empty_once(fleet.github)
    fleet.refresh(after=5)
    with caplog.at_level(logging.WARNING, "reader"):
        for _ in range(3):
            fleet.check()
    (message,) = [one.message for one in caplog.records if one.name == "reader"]
    assert message.startswith(f"Redis had lost {REPOS.name}, and GitHub then showed 0 items where")


def test_the_body_is_not_read_again_and_again(bench: Bench) -> None:
    bench.local.put(REPOS, make_list_entry(12), NOW)
    short = make_list_entry(2, version=2, validated_at=NOW + 1, first_at=NOW + 1)
    store_entry(bench.redis, REPOS, short)
    before = bench.redis.info("commandstats").get("cmdstat_hgetall")
    bench.synchronizer.schedule_check(REPOS)
    bench.synchronizer.check_due()
    assert bench.redis.info("commandstats").get("cmdstat_hgetall") == before
    held = bench.local.peek(REPOS)
    assert held is not None
    assert held.entry.metadata.items == 12


def test_an_error_of_github_s_is_no_list(bench: Bench) -> None:
    bench.local.put(REPOS, make_list_entry(12), NOW)
    gone = make_entry(b"{}", status=404, version=2, validated_at=NOW + 1, first_at=NOW + 1)
    store_entry(bench.redis, REPOS, gone)
    bench.synchronizer.schedule_check(REPOS)
    bench.synchronizer.check_due()
    held = bench.local.peek(REPOS)
    assert held is not None
    assert held.entry.metadata.status == 404
