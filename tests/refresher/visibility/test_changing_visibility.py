"""Changes at GitHub between two requests never reveal more than the public sees now."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from refresher.refresh import refresh
from shared.entry import Entry
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from tests.fakegithub.api import ask
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.signing import APP_ID, INSTALLATION_ID, key_pair
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import ManualClock

OWNER, STRANGER = "ghp_owner0123456789", "ghp_stranger0123456789"
SEES_ALL = {"role": "owner", "scopes": "repo, admin:org"}
VIEWERS = {OWNER: SEES_ALL, STRANGER: {"role": "stranger", "scopes": ""}}
MORE = '<https://api.github.com/somewhere?page=2>; rel="next"'
Fetch = Callable[..., Entry]


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """A few repositories, some of them private."""
    with FakeGitHub(repos=5, private=2, members=2, viewers=VIEWERS) as github:
        yield github


@pytest.fixture
def fetch(context_for: MakeContext, github: FakeGitHub, redis: Redis, clock: ManualClock) -> Fetch:
    """Refreshes a path with a credential and returns the stored entry."""

    def fetch(path: str, *, token: str = OWNER, **settings: Any) -> Entry:
        known = {"github_api_token": token, **settings}
        context = context_for(github.url, clock=clock, budgeted=True, **known)
        include_private = settings.get("include_private", False)
        resource = Catalogue(("Netflix",), include_private=include_private).named(path)
        assert resource is not None
        refresh(resource, context)
        context.reporter.meter.flush()
        entry = Store(redis).read(resource)
        assert entry is not None
        return entry

    return fetch


def hidden(github: FakeGitHub) -> str:
    """A private repository's name."""
    return str(next(repo["name"] for repo in github.repos(private=True) if repo["private"]))


@pytest.mark.parametrize(
    "body", ["{}", '{"private":null}', '{"private":"false"}', '{"private":0}', '{"id":1}']
)
def test_what_lies_below_a_repository_that_is_not_said_to_be_public_is_asked_for_anonymously(
    github: FakeGitHub, fetch: Fetch, body: str
) -> None:
    path = f"/repos/netflix/{hidden(github).lower()}"
    github.fault("garbage", path=f"{path}$", body=body)
    assert fetch(f"{path}/readme").metadata.status == 404


@pytest.mark.parametrize("status", [301, 302])
def test_that_nothing_changed_in_another_repository_is_no_proof_that_it_is_public(
    github: FakeGitHub, fetch: Fetch, clock: ManualClock, status: int
) -> None:
    here, there = (repo["name"] for repo in github.repos()[:2])
    path = f"/repos/netflix/{here.lower()}/readme"
    github.configure(redirects={path: {"status": status, "url": f"/repos/Netflix/{there}/readme"}})
    assert fetch(path).metadata.status == 200
    github.mutate("make_private", repo=there)
    github.reset_counters()
    clock.now += 3600
    assert fetch(path).metadata.status == 404
    # The credential was told that nothing changed.
    assert 304 in {one["status"] for one in github.recent()}


@pytest.mark.parametrize("below", ["issues/1/sub_issues", "issues/1/parent", "issues/events"])
def test_a_token_that_was_given_a_scope_just_now_is_not_believed(
    github: FakeGitHub, fetch: Fetch, below: str
) -> None:
    path = f"/repos/netflix/{github.repos()[0]['name'].lower()}"
    fetch(path, token=STRANGER)
    github.configure(viewers=VIEWERS | {STRANGER: SEES_ALL})
    found = fetch(f"{path}/{below}", token=STRANGER)
    public = ask(github, f"{path}/{below}")
    assert found.metadata.status == public.status
    assert len(json.loads(bytes(found.body))) == len(json.loads(public.body))


def test_the_link_of_a_304_to_a_token_that_was_given_a_scope_just_now_is_not_believed(
    github: FakeGitHub, fetch: Fetch, clock: ManualClock
) -> None:
    path = "/users/netflix/repos?per_page=5"
    fetch("/users/netflix", token=STRANGER)
    before = fetch(path, token=STRANGER)
    github.configure(viewers=VIEWERS | {STRANGER: SEES_ALL})
    github.fault("wrong_304", credentials=[STRANGER], headers={"Link": MORE})
    clock.now += 3600
    found = fetch(path, token=STRANGER)
    assert found.metadata.links == before.metadata.links == ()
    assert found.body == before.body


def test_a_304_with_the_link_that_is_stored_tells_nothing_new(
    github: FakeGitHub, fetch: Fetch, clock: ManualClock
) -> None:
    path = "/users/netflix/repos?per_page=2"
    fetch("/users/netflix", token=STRANGER)
    before = fetch(path, token=STRANGER)
    assert before.metadata.links
    github.configure(link_on_304=True)
    github.fault("headers", headers={"X-OAuth-Scopes": None})
    github.reset_counters()
    clock.now += 3600
    assert fetch(path, token=STRANGER).metadata.links == before.metadata.links
    (seen,) = github.recent()
    assert (seen["status"], seen["credential"] == "anonymous") == (304, False)


def test_the_link_of_a_304_below_a_repository_that_became_private_is_not_stored(
    github: FakeGitHub, fetch: Fetch, clock: ManualClock
) -> None:
    name = github.repos()[0]["name"]
    path = f"/repos/netflix/{name.lower()}"
    assert fetch(f"{path}/labels").metadata.status == 200
    clock.now += 3600
    fetch(path)
    github.mutate("make_private", repo=name)
    github.fault("wrong_304", path="/labels$", headers={"Link": MORE})
    clock.now += 10
    assert fetch(f"{path}/labels").metadata.status == 404


def test_drafts_of_a_private_repository_are_left_out_and_the_rest_is_shown(
    github: FakeGitHub, fetch: Fetch
) -> None:
    path = f"/repos/netflix/{hidden(github).lower()}/releases"
    all_releases = ask(github, path, token=OWNER).json
    published = [one["id"] for one in all_releases if not one["draft"]]
    assert 0 < len(published) < len(all_releases)
    found = fetch(path, include_private=True)
    assert [one["id"] for one in json.loads(bytes(found.body))] == published
    draft = next(one["id"] for one in all_releases if one["draft"])
    assert fetch(f"{path}/{draft}", include_private=True).metadata.status == 404


@pytest.mark.parametrize("below", ["issues", "pulls", "releases"])
def test_an_app_that_github_refuses_does_not_stop_others_and_is_not_tried_again_and_again(
    github: FakeGitHub, fetch: Fetch, below: str
) -> None:
    app = {
        "github_app_id": str(APP_ID),
        "github_app_installation_id": INSTALLATION_ID,
        "github_app_private_key": key_pair().private,
    }
    path = f"/repos/netflix/{github.repos()[0]['name'].lower()}"
    for one in (path, f"{path}/{below}"):
        assert fetch(one, token=STRANGER, **app).metadata.status == 200
    assert [one["method"] for one in github.recent()].count("POST") <= 1
