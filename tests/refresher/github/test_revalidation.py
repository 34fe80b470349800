"""A refresh downloads, and pays for, only the pages that changed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from refresher.refresh import refresh
from shared.entry import Entry
from shared.outcomes import RefreshOutcome
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import MEMBERS, ORG, REPOS, TOKEN, ManualClock

NUMERIC = "/organizations/913567/repos?per_page=100&page="
FIRST = "/orgs/Netflix/repos?per_page=100"


def responses(github: FakeGitHub) -> list[tuple[str, int]]:
    """The requests and their statuses, in order."""
    return [(seen["path"], seen["status"]) for seen in github.recent()]


@pytest.fixture(params=[False, True], ids=["no Link on a 304", "Link on a 304"])
def link_on_304(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def refreshed(
    github: FakeGitHub, context_for: MakeContext, change: Callable[[], Any], **settings: Any
) -> RefreshOutcome:
    """Read the list, change the world, and refresh again, with the counters at zero."""
    refresh(REPOS, context_for(github.url, github_api_token=TOKEN))
    change()
    github.reset_counters()
    context = context_for(github.url, **{"github_api_token": TOKEN, **settings})
    return refresh(REPOS, context, force=True)


def test_unchanged_content_costs_nothing_and_writes_no_body(
    context_for: MakeContext, redis: Redis, store: Store, clock: ManualClock, *, link_on_304: bool
) -> None:
    with FakeGitHub(repos=250, members=130, link_on_304=link_on_304) as github:
        context = context_for(github.url, clock=clock, github_api_token=TOKEN)
        for resource in (ORG, MEMBERS, REPOS):
            refresh(resource, context)
        before = {one: redis.hgetall(keys.pages(one)) for one in (ORG, MEMBERS, REPOS)}
        github.reset_counters()
        clock.now += 2000
        for resource in (ORG, MEMBERS, REPOS):
            assert refresh(resource, context) is RefreshOutcome.UNCHANGED
        counters = github.counters()
        assert (counters["total"], counters["not_modified"], counters["points"]) == (6, 6, 0)
        assert {one: redis.hgetall(keys.pages(one)) for one in before} == before
        metadata = store.state(REPOS).metadata
        assert metadata is not None
        assert metadata.validated_at == clock.now


def test_one_changed_page_is_the_one_that_is_downloaded(
    context_for: MakeContext, store: Store, *, link_on_304: bool
) -> None:
    with FakeGitHub(repos=250, members=1, link_on_304=link_on_304) as github:
        outcome = refreshed(github, context_for, lambda: github.mutate("star", repo=120))
        assert outcome is RefreshOutcome.UPDATED
        assert responses(github) == [(FIRST, 304), (NUMERIC + "2", 200), (NUMERIC + "3", 304)]
        entry = store.read(REPOS)
        assert entry is not None
        assert_is_true(github, bytes(entry.body))


@pytest.mark.parametrize(("repos", "count"), [(200, 201), (250, 301), (100, 101), (99, 100)])
def test_a_list_that_grew_a_page_is_whole(
    context_for: MakeContext, store: Store, repos: int, count: int, *, link_on_304: bool
) -> None:
    with FakeGitHub(repos=repos, members=1, link_on_304=link_on_304) as github:

        def grow_at_the_end() -> None:
            for number in range(count - repos):
                github.mutate("add", name=f"late-{number}", where="end")

        assert refreshed(github, context_for, grow_at_the_end) is RefreshOutcome.UPDATED
        entry = store.read(REPOS)
        assert entry is not None
        assert_is_true(github, bytes(entry.body))


@pytest.mark.parametrize(("repos", "count"), [(201, 200), (301, 250), (101, 100), (350, 180)])
def test_a_list_that_shrank_a_page_is_whole(
    context_for: MakeContext, store: Store, repos: int, count: int, *, link_on_304: bool
) -> None:
    with FakeGitHub(repos=repos, members=1, link_on_304=link_on_304) as github:
        outcome = refreshed(github, context_for, lambda: github.mutate("set_repos", count=count))
        assert outcome is RefreshOutcome.UPDATED
        entry = store.read(REPOS)
        assert entry is not None
        assert_is_true(github, bytes(entry.body))
        # And from then on it is as quiet as any.
        context = context_for(github.url, github_api_token=TOKEN)
        refresh(REPOS, context, force=True)
        github.reset_counters()
        assert refresh(REPOS, context, force=True) is RefreshOutcome.UNCHANGED
        assert github.counters()["points"] == 0


def test_a_full_last_page_is_looked_behind_at_no_cost(
    context_for: MakeContext, *, link_on_304: bool
) -> None:
    with FakeGitHub(repos=200, members=1, link_on_304=link_on_304) as github:
        context = context_for(github.url, github_api_token=TOKEN)
        for _ in range(3):
            refresh(REPOS, context, force=True)
        github.reset_counters()
        assert refresh(REPOS, context, force=True) is RefreshOutcome.UNCHANGED
        counters = github.counters()
        assert counters["points"] == 0
        assert counters["total"] == (2 if link_on_304 else 3)


def test_another_token_still_gets_304(context_for: MakeContext) -> None:
    with FakeGitHub(repos=250, members=1) as github:
        other = {"github_api_token": "ghp_another_0123456789"}
        assert refreshed(github, context_for, lambda: None, **other) is RefreshOutcome.UNCHANGED
        assert [status for _, status in responses(github)] == [304, 304, 304]
        # Its ETags are known from then on.
        github.reset_counters()
        context = context_for(github.url, **other)
        assert refresh(REPOS, context, force=True) is RefreshOutcome.UNCHANGED
        assert not any("," in seen["if_none_match"] for seen in github.recent())


def test_refreshers_of_other_settings_do_not_share_what_they_store(
    context_for: MakeContext, store: Store
) -> None:
    with FakeGitHub(repos=20, private=3, members=1) as github:
        token = {"github_api_token": TOKEN}
        shown = REPOS.other_form
        refresh(shown, context_for(github.url, include_private=True, **token))
        assert store.read(REPOS) is None
        refresh(REPOS, context_for(github.url, **token))
        refresh(shown, context_for(github.url, include_private=True, **token), force=True)
        states = store.states([REPOS, shown])
        assert [state.metadata.items for state in states if state.metadata] == [20, 23]


def test_an_entry_that_is_gone_is_not_confirmed(
    context_for: MakeContext, redis: Redis, store: Store
) -> None:
    with FakeGitHub(repos=20, members=1) as github:
        outcome = refreshed(github, context_for, lambda: redis.delete(keys.entry(REPOS)))
        assert outcome is RefreshOutcome.UPDATED
        assert store.read(REPOS) is not None


PAGE = Resource("/orgs/Netflix/repos", "per_page=30")  # on demand: a page, as a client asks for it


class TestALinkThatAppears:
    """A full last page stays as it is when the next page appears; only `Link` tells."""

    @pytest.fixture
    def github(self, *, link_on_304: bool) -> Iterator[FakeGitHub]:
        with FakeGitHub(repos=30, members=1, link_on_304=link_on_304) as github:
            yield github

    def test_reaches_the_clients_with_another_etag(
        self, github: FakeGitHub, context_for: MakeContext, store: Store, clock: ManualClock
    ) -> None:
        context = context_for(github.url, clock=clock, github_api_token=TOKEN)
        refresh(PAGE, context)
        before = store.read(PAGE)
        assert before is not None
        assert before.metadata.links == ()
        github.mutate("add", name="the-31st", where="end")
        clock.now += 2000
        assert refresh(PAGE, context) is RefreshOutcome.UPDATED
        after = store.read(PAGE)
        assert after is not None
        assert after.body == before.body
        assert dict(after.metadata.links) == {
            "next": "per_page=30&page=2",
            "last": "per_page=30&page=2",
        }
        assert after.metadata.etag != before.metadata.etag
        assert after.metadata.version > before.metadata.version
        assert after.metadata.changed_at > before.metadata.changed_at
        clock.now += 2000
        assert refresh(PAGE, context) is RefreshOutcome.UNCHANGED
        confirmed = store.read(PAGE)
        assert confirmed is not None
        assert confirmed.metadata.etag == after.metadata.etag

    def test_costs_one_more_request_only_where_a_304_lacks_it(
        self, github: FakeGitHub, context_for: MakeContext
    ) -> None:
        context = context_for(github.url, github_api_token=TOKEN)
        refresh(PAGE, context)
        github.reset_counters()
        assert refresh(PAGE, context, force=True) is RefreshOutcome.UNCHANGED
        # Without a next page there is no `Link`, so the two cases look alike.
        assert [status for _, status in responses(github)] == [304, 200]
        github.mutate("add", name="the-31st", where="end")
        refresh(PAGE, context, force=True)
        github.reset_counters()
        assert refresh(PAGE, context, force=True) is RefreshOutcome.UNCHANGED
        assert [status for _, status in responses(github)] == [304]


def test_a_304_without_link_leaves_the_stored_one(
    context_for: MakeContext, store: Store, *, link_on_304: bool
) -> None:
    with FakeGitHub(repos=70, members=1, link_on_304=link_on_304) as github:
        context = context_for(github.url, github_api_token=TOKEN)
        refresh(PAGE, context)
        assert refresh(PAGE, context, force=True) is RefreshOutcome.UNCHANGED
        metadata = store.state(PAGE).metadata
        assert metadata is not None
        assert [relation for relation, _ in metadata.links] == ["next", "last"]


def test_an_entry_that_went_while_its_link_changed_is_read_anew(
    context_for: MakeContext, redis: Redis, store: Store
) -> None:
    with FakeGitHub(repos=60, members=1, link_on_304=True) as github:
        context = context_for(github.url, github_api_token=TOKEN)
        refresh(PAGE, context)
        github.mutate("add", name="the-61st", where="end")
        lost = replace(context.storage, store=_Forgetful(redis))
        assert refresh(PAGE, replace(context, storage=lost), force=True) is RefreshOutcome.UPDATED
        metadata = store.state(PAGE).metadata
        assert metadata is not None
        assert ("last", "per_page=30&page=3") in metadata.links


class _Forgetful(Store):
    """A store whose entries go between two reads."""

    def read(self, resource: Resource) -> Entry | None:  # noqa: ARG002
        return None


def assert_is_true(github: FakeGitHub, body: bytes) -> None:
    """Assert that the stored list equals the true list."""
    assert json.loads(body) == github.repos()
