"""A permanent redirect is remembered; a temporary one is not."""

import json
import time

from redis import Redis

from refresher.refresh import refresh
from shared.outcomes import RefreshOutcome
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import ORG, TOKEN, ManualClock


def asked(github: FakeGitHub) -> list[tuple[str, int]]:
    """The requests and their statuses since the last call."""
    seen = [(one["path"], one["status"]) for one in github.recent()]
    github.reset_counters()
    return seen


def body(store: Store, resource: Resource) -> bytes:
    """The stored entry."""
    entry = store.read(resource)
    assert entry is not None
    return bytes(entry.body)


def test_a_renamed_repository_is_asked_for_by_its_new_address(
    github: FakeGitHub, context_for: MakeContext, store: Store
) -> None:
    repo = github.repos()[0]
    resource = Resource(f"/repos/netflix/{repo['name'].lower()}")
    new = f"/repositories/{repo['id']}"
    github.mutate("rename", repo=repo["name"], to="renamed")
    github.reset_counters()
    context = context_for(github.url, github_api_token=TOKEN, clock=time.time)

    refresh(resource, context, force=True)
    assert asked(github) == [(resource.path, 301), (new, 200)]
    assert refresh(resource, context, force=True) is RefreshOutcome.UNCHANGED
    assert asked(github) == [(new, 304)]
    github.mutate("star", repo="renamed")
    assert refresh(resource, context, force=True) is RefreshOutcome.UPDATED
    assert refresh(resource, context, force=True) is RefreshOutcome.UNCHANGED
    assert asked(github) == [(new, 200), (new, 304)]
    assert b'"renamed"' in body(store, resource)

    # Gone: both addresses are tried before that is believed.
    github.mutate("delete", repo="renamed")
    refresh(resource, context, force=True)
    assert asked(github) == [(new, 404), (resource.path, 404)]
    refresh(resource, context, force=True)
    assert asked(github) == [(resource.path, 404)]


def test_a_redirect_is_remembered_no_longer_than_the_content_lives(
    github: FakeGitHub, context_for: MakeContext, store: Store
) -> None:
    first, second = github.repos()[:2]
    resource = Resource(f"/repos/netflix/{first['name'].lower()}")
    github.mutate("rename", repo=first["name"], to="renamed")
    clock = ManualClock(time.time())
    context = context_for(
        github.url, github_api_token=TOKEN, clock=clock, on_demand_ttl=100, cache_ttl=100
    )
    refresh(resource, context)
    # Another repository takes the old name, and GitHub redirects no longer.
    github.mutate("rename", repo=second["name"], to=first["name"])
    github.reset_counters()
    clock.now += 40
    refresh(resource, context, force=True)
    assert asked(github) == [(f"/repositories/{first['id']}", 304)]
    clock.now += 101
    refresh(resource, context)
    assert asked(github) == [(resource.path, 200)]
    assert json.loads(body(store, resource))["id"] == second["id"]


def test_a_temporary_redirect_is_followed_each_time(context_for: MakeContext, redis: Redis) -> None:
    with FakeGitHub(repos=1, members=3) as github:
        number = github.org()["id"]
        moved = {"status": 302, "url": f"/organizations/{number}"}
        github.configure(redirects={ORG.path: moved})
        context = context_for(github.url, github_api_token=TOKEN)
        refresh(ORG, context)
        github.reset_counters()
        assert refresh(ORG, context, force=True) is RefreshOutcome.UNCHANGED
        assert [status for _, status in asked(github)] == [302, 304]
