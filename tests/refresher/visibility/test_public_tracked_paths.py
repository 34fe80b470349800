"""With any credential, what TRACK names is stored as GitHub shows it without one: lists too."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import pytest
from redis import Redis

from scripts.embedded_redis import EmbeddedRedis
from shared.errors import SettingsError
from shared.outcomes import RefreshOutcome
from shared.resources.catalogue import Catalogue
from shared.resources.resource import Resource
from tests.fakegithub.client import FakeGitHub
from tests.refresher.visibility.test_only_public import (
    CREDENTIALS,
    SEES_THE_MOST,
    Stored,
    served,
    stored_with,
    world,
)

__all__ = ["world"]  # a fixture


def named(world: FakeGitHub) -> list[Resource]:
    """Every operation of public and private repositories that can be tracked, without pages."""
    found = {}
    for resource in served(world, {"public", "private"}):
        rest = [pair for pair in parse_qsl(resource.query) if pair[0] not in {"page", "per_page"}]
        text = f"{resource.path}?{urlencode(rest)}"
        try:
            tracked = Catalogue(("Netflix",), track=(text,)).tracked[-1]
        except SettingsError:
            continue
        if tracked.kind.is_named:
            found[tracked] = True
    return list(found)


@pytest.fixture(scope="module")
def anonymous(
    world: FakeGitHub, redis_server: EmbeddedRedis
) -> Mapping[str, Stored | RefreshOutcome]:
    with Redis.from_url(redis_server.url) as redis:
        return stored_with(world, redis, named(world), {})


def test_most_operations_can_be_tracked_and_nothing_fails(
    world: FakeGitHub, anonymous: Mapping[str, Stored | RefreshOutcome]
) -> None:
    lists = [one for one in named(world) if one.kind.is_expanded]
    assert len(lists) > 80
    assert len(anonymous) > 250
    assert [name for name, one in anonymous.items() if not isinstance(one, Stored)] == []
    shown = [anonymous[one.name] for one in lists]
    assert sum(isinstance(one, Stored) and one.status == 200 for one in shown) > 50


@pytest.mark.parametrize("kind", sorted(SEES_THE_MOST))
def test_it_is_what_anybody_sees_whatever_credential_asks(
    world: FakeGitHub,
    redis: Redis,
    anonymous: Mapping[str, Stored | RefreshOutcome],
    kind: str,
) -> None:
    stored = stored_with(world, redis, named(world), CREDENTIALS[kind])
    assert {name: one for name, one in stored.items() if one != anonymous[name]} == {}
