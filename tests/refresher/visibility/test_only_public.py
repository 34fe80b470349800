"""With any credential, the stored content is what GitHub shows to a client without one.

Over all operations that are not refused, as the stand-in GitHub responds to them, of public and
private repositories: with each kind of credential the stored response equals, byte for byte, the
one without a credential. Of internal repositories this is shown for the kinds that see the most.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from redis import Redis

from refresher.content import content as contents
from refresher.context import RefreshContext
from refresher.refresh import refresh
from scripts.embedded_redis import EmbeddedRedis
from shared.api_versions import SUPPORTED
from shared.outcomes import RefreshOutcome
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.media_types import media_types_of
from shared.resources.operations import Decision, operations
from shared.resources.resource import Resource
from tests.fakegithub.api import ask
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.openapi_examples import first_user, operation_targets
from tests.fakegithub.signing import APP_ID, INSTALLATION_ID, app_entry, key_pair
from tests.refresher.workbench import make_context, make_settings

STRANGER, SCOPELESS = "ghp_stranger0123456789", "ghp_scopeless0123456789"
MEMBER, OWNER = "ghp_member0123456789", "ghp_owner0123456789"
FINE_GRAINED = "github_pat_owner0123456789"
VIEWERS: Mapping[str, Mapping[str, str]] = {
    STRANGER: {"role": "stranger", "scopes": ""},
    SCOPELESS: {"role": "member", "scopes": ""},
    MEMBER: {"role": "member", "scopes": "repo, read:org"},
    OWNER: {"role": "owner", "scopes": "repo, admin:org, user, gist", "login": first_user()[0]},
    FINE_GRAINED: {"role": "owner", "kind": "fine-grained"},
}
APP = {
    "github_app_id": str(APP_ID),
    "github_app_installation_id": INSTALLATION_ID,
    "github_app_private_key": key_pair().private,
}
CREDENTIALS: Mapping[str, Mapping[str, Any]] = {
    "classic token of a stranger, without scopes": {"github_api_token": STRANGER},
    "classic token of a member, without scopes": {"github_api_token": SCOPELESS},
    "classic token of a member": {"github_api_token": MEMBER},
    "classic token of an owner": {"github_api_token": OWNER},
    "fine-grained token of an owner": {"github_api_token": FINE_GRAINED},
    "App": APP,
    "several": {**APP, "github_api_token": f"{OWNER},{STRANGER},{FINE_GRAINED}"},
}
SEES_THE_MOST = {"classic token of an owner", "several"}
VISIBILITIES = {"public", "private", "internal"}
CATALOGUE = Catalogue(("Netflix",))
# Answered 404 to those who do not see where an issue's parent is.
NEVER_SEEN = {"issues/get-parent"}
# GitHub describes it a second time, as `compare/{basehead}`.
TWICE = {"repos/compare-commits"}
# By number, with encoded slashes, and searches of what a credential finds more of.
OTHER_NAMES = (
    "/repositories/{id}",
    "/repositories/{id}/issues?state=all",
    "/repositories/{id}/contents/docs%2Findex.md",
    "/repositories/{id}/branches/feature%2Flogin",
    "/organizations/913567",
    "/organizations/913567/repos?per_page=100",
    "/organizations/913567/members",
    "/repos/Netflix/{repo}/contents/",
    "/repos/Netflix/{repo}/contents/docs%2Fguide%2Fstart.md",
    "/repos/Netflix/{repo}/git/ref/heads%2Fmain",
    "/repos/Netflix/{repo}/compare/feature%2Flogin...main",
    "/search/repositories?q=org:Netflix+fork:true&per_page=100",
    "/search/repositories?q=org:Netflix+is:public",
    "/search/repositories?q=repo:Netflix/{repo}+fork:true",
    "/search/issues?q=repo:Netflix/{repo}",
    "/search/issues?q=org:Netflix+is:public",
    "/search/commits?q=repo:Netflix/{repo}",
    "/users?since=1&per_page=100",
    "/organizations?per_page=2",
    "/repositories?since=1&per_page=100",
)


@dataclass(frozen=True)
class Stored:
    """All that a client can see of an entry."""

    status: int
    body: bytes
    content_type: str
    links: tuple[tuple[str, str], ...]
    etag: str


@pytest.fixture(scope="module")
def world() -> Iterator[FakeGitHub]:
    """A GitHub with private data and without limits."""
    app = app_entry() | {"role": "owner"}
    with FakeGitHub(
        repos=12,
        members=8,
        private=3,
        internal=2,
        concealed=3,
        anonymous_limit=1_000_000,
        token_limit=1_000_000,
        viewers=VIEWERS,
        apps=[app],
    ) as github:
        yield github


def served(world: FakeGitHub, visibilities: Collection[str] = VISIBILITIES) -> list[Resource]:
    """Every operation that a client may request, for repositories of these visibilities."""
    shown = world.repos(private=True)
    by_visibility = {repo["visibility"]: repo["name"] for repo in shown}
    assert by_visibility.keys() == VISIBILITIES
    ids = {repo["name"]: repo["id"] for repo in shown}
    targets = {
        target.partition("?")[::2]: visibility
        for visibility in sorted(visibilities)  # what is asked of several counts as public's
        for target in asked_of(by_visibility[visibility], ids[by_visibility[visibility]])
    }
    found = list(CATALOGUE.tracked)
    for (path, query), visibility in sorted(targets.items()):
        if resource := CATALOGUE.find(path, query):
            found += represented(resource, SUPPORTED if visibility == "public" else ())
    return list(dict.fromkeys(found))


def asked_of(repo: str, number: int) -> list[str]:
    """The targets about a repository and its owner: every operation, and other names for some."""
    return [
        *(target for _, _, target in operation_targets(repo=repo)),
        *(target.format(repo=repo, id=number) for target in OTHER_NAMES),
    ]


def represented(resource: Resource, versions: Collection[str]) -> list[Resource]:
    """A resource in each of its media types, and in further versions of the API."""
    forms = [(name, "") for name in ("", *media_types_of(resource.operation))]
    forms += [("", version) for version in versions]
    found = [resource.represented(media=media, version=version) for media, version in forms]
    return [one for one in found if one is not None]


def stored_with(
    world: FakeGitHub, redis: Redis, resources: list[Resource], credentials: Mapping[str, Any]
) -> dict[str, Stored | RefreshOutcome]:
    """The stored entry of each resource in a fleet that has only these credentials."""
    redis.flushdb()
    settings = make_settings(world.url, **credentials)
    context = make_context(redis, settings, budgeted=True)
    with closing(context.origin.transport):
        return {one.name: _stored(one, context) for one in resources}


def _stored(resource: Resource, context: RefreshContext) -> Stored | RefreshOutcome:
    redis = context.storage.redis
    redis.delete(keys.POINTS)  # a minute does not have enough of them
    outcome = refresh(resource, context)
    entry = Store(redis).read(resource)
    if entry is None:
        return outcome
    known = entry.metadata
    return Stored(
        known.status, bytes(entry.body), known.content_type, tuple(known.links), known.etag
    )


def variants(world: FakeGitHub) -> list[Resource]:
    """What `served` leaves out: by number instead of by name, and newer versions of the API."""
    ids = {f"/repos/{one['full_name'].lower()}": one["id"] for one in world.repos(private=True)}
    found = {}
    for resource in served(world, {"public", "private"}):
        if resource.path.count("/") == 3:  # the repositories themselves, and some of the rest
            found[resource.represented(media="", version="2026-03-10")] = True
        root = "/".join(resource.path.split("/")[:4])
        if root in ids:
            path = resource.path.replace(root, f"/repositories/{ids[root]}", 1)
            found[CATALOGUE.find(path, resource.query)] = True
    asked = {*served(world)}
    return [one for one in found if one is not None and one not in asked]


@pytest.fixture(scope="module")
def anonymous_variants(
    world: FakeGitHub, redis_server: EmbeddedRedis
) -> dict[str, Stored | RefreshOutcome]:
    with Redis.from_url(redis_server.url) as redis:
        return stored_with(world, redis, variants(world), {})


@pytest.mark.parametrize("kind", sorted(SEES_THE_MOST))
def test_so_is_every_other_form_of_it(
    world: FakeGitHub,
    redis: Redis,
    anonymous_variants: dict[str, Stored | RefreshOutcome],
    kind: str,
) -> None:
    stored = stored_with(world, redis, variants(world), CREDENTIALS[kind])
    different = {name: one for name, one in stored.items() if one != anonymous_variants[name]}
    assert different == {}
    seen = [one for one in stored.values() if isinstance(one, Stored) and one.status == 200]
    assert len(seen) > 100
    assert any(name.startswith("/repositories/") for name in stored)


@pytest.fixture(scope="module")
def anonymous(world: FakeGitHub, redis_server: EmbeddedRedis) -> dict[str, Stored | RefreshOutcome]:
    """The stored entries of a fleet without a credential."""
    with Redis.from_url(redis_server.url) as redis:
        return stored_with(world, redis, served(world), {})


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_what_is_stored_is_what_anybody_sees_whatever_credential_asks(
    world: FakeGitHub,
    redis: Redis,
    anonymous: dict[str, Stored | RefreshOutcome],
    kind: str,
) -> None:
    visibilities = VISIBILITIES if kind in SEES_THE_MOST else {"public", "private"}
    stored = stored_with(world, redis, served(world, visibilities), CREDENTIALS[kind])
    assert {name: one for name, one in stored.items() if one != anonymous[name]} == {}


def test_every_operation_that_is_not_refused_is_among_them(
    anonymous: dict[str, Stored | RefreshOutcome], world: FakeGitHub
) -> None:
    assert any("#media=diff" in name for name in anonymous)
    seen: dict[str, set[int]] = {}
    for resource in served(world):
        found = anonymous[resource.name]
        assert isinstance(found, Stored), (resource.name, found)
        assert resource.operation is not None
        seen.setdefault(resource.operation.id, set()).add(found.status)
    allowed = {one.id for one in operations() if one.is_asked}
    assert seen.keys() == allowed - TWICE
    unseen = {operation for operation, statuses in seen.items() if not statuses & {200, 204, 302}}
    assert unseen == NEVER_SEEN


def test_what_anyone_may_see_has_an_anonymous_and_an_owners_form(world: FakeGitHub) -> None:
    public = next(repo["name"] for repo in world.repos())
    targets = {operation: target for operation, _, target in operation_targets(repo=public)}
    widened = set()
    for operation in operations():
        if operation.decision is Decision.ANYONE:
            nobodys, owners = (ask(world, targets[operation.id], token=t) for t in (None, OWNER))
            assert {nobodys.status, owners.status} <= {200, 204}, operation
            if nobodys.body != owners.body:
                widened.add(operation.id)
    # At least these are widened by an owner's credential, and so many more that hold them.
    assert {"orgs/get", "repos/get", "users/get-by-username", "repos/list-commits"} <= widened
    assert len(widened) > 30


def test_what_lies_below_a_private_repository_is_never_seen(
    anonymous: dict[str, Stored | RefreshOutcome], world: FakeGitHub
) -> None:
    hidden = [repo["name"].lower() for repo in world.repos(private=True) if repo["private"]]
    below = [
        found
        for name, found in anonymous.items()
        if any(f"/{one}" in f"{name}/" for one in (f"{repo}/" for repo in hidden))
    ]
    assert len(below) > 100
    assert {found.status for found in below if isinstance(found, Stored)} == {404}


@pytest.mark.parametrize("below", ["", "/readme", "/issues"])
def test_a_private_repository_looks_like_one_that_is_not_there(
    world: FakeGitHub, redis: Redis, below: str
) -> None:
    name = next(repo["name"] for repo in world.repos(private=True) if repo["private"])
    found = [CATALOGUE.find(f"/repos/netflix/{one}{below}") for one in (name, "nobody-made-it")]
    resources = [one for one in found if one is not None]
    private, missing = stored_with(world, redis, resources, {"github_api_token": OWNER}).values()
    assert private == missing


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "blocked"},
        {"kind": "accepted"},
        {"kind": "status", "status": 404, "message": "This repository is empty"},
        {"kind": "status", "status": 403, "message": "Repository access blocked"},
        {"kind": "redirect", "status": 302, "url": "https://elsewhere.invalid/"},
        {"kind": "huge", "size": 2_000_000},
    ],
)
def test_what_only_a_credential_is_told_of_a_private_repository_is_not_stored(
    world: FakeGitHub, redis: Redis, answer: Mapping[str, Any]
) -> None:
    name = next(repo["name"] for repo in world.repos(private=True) if repo["private"])
    resource = CATALOGUE.find(f"/repos/netflix/{name}")
    assert resource is not None
    settings = {"github_api_token": OWNER, "origin_max_bytes": 1_000_000}
    world.fault(**answer, credentials=[OWNER])
    try:
        (told,) = stored_with(world, redis, [resource], settings).values()
    finally:
        world.clear_faults()
    assert isinstance(told, Stored)
    assert (told.status, told.body) == (404, contents.not_found().body)
