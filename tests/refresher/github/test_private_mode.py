"""Public data of an enterprise server is what it shows without a credential."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from refresher.refresh import refresh
from shared.outcomes import FailureKind, RefreshOutcome
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import ORG, REPOS, TOKEN, USER_VIEW


@pytest.fixture
def enterprise() -> Iterator[FakeGitHub]:
    """An enterprise server that is not in private mode."""
    with FakeGitHub(repos=5, members=2, prefix="/api/v3", anonymous_limit=1_000_000) as github:
        yield github


@pytest.mark.parametrize("resource", [ORG, REPOS, USER_VIEW], ids=lambda one: one.name)
def test_nothing_is_public_where_nobody_is_shown_anything(
    enterprise: FakeGitHub, context_for: MakeContext, store: Store, resource: Resource
) -> None:
    enterprise.configure(private_mode=True)
    context = context_for(enterprise.url, github_api_token=TOKEN)
    assert refresh(resource, context) is RefreshOutcome.FAILED
    assert store.read(resource) is None
    failure = store.state(resource).failure
    assert failure is not None
    assert failure.kind is FailureKind.UNAUTHORIZED
    assert "INCLUDE_PRIVATE=true" in failure.reason
    assert [seen["authorised"] for seen in enterprise.recent()] == [False]


def test_it_is_asked_for_once_by_the_fleet(
    enterprise: FakeGitHub, context_for: MakeContext
) -> None:
    for _ in range(2):
        context = context_for(enterprise.url, github_api_token=TOKEN)
        for resource in (ORG, REPOS):
            refresh(resource, context, force=True)
    assert [seen["path"] for seen in enterprise.recent() if not seen["authorised"]] == ["/"]


def test_it_is_served_where_the_settings_say_so(
    enterprise: FakeGitHub, context_for: MakeContext, store: Store
) -> None:
    enterprise.configure(private_mode=True)
    shown = replace(REPOS, include_private=True)
    context = context_for(enterprise.url, github_api_token=TOKEN, include_private=True)
    assert refresh(shown, context) is RefreshOutcome.UPDATED
    assert store.read(shown) is not None


def test_what_is_not_known_is_not_public(
    enterprise: FakeGitHub, context_for: MakeContext, store: Store
) -> None:
    enterprise.fault("status", path="^/$", status=502)
    context = context_for(enterprise.url, github_api_token=TOKEN)
    assert refresh(ORG, context) is RefreshOutcome.FAILED
    assert store.read(ORG) is None


def test_github_itself_is_not_asked(github: FakeGitHub, context_for: MakeContext) -> None:
    refresh(ORG, context_for(github.url, github_api_token=TOKEN))
    assert [seen["path"] for seen in github.recent()] == ["/orgs/Netflix"]
