"""Fixtures: a stand-in GitHub, clients of it, and contexts of refreshes against it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from refresher.context import RefreshContext
from refresher.github.client import GitHubClient
from shared.clock import SYSTEM
from shared.redis.store import Store
from tests.fakegithub.client import FakeGitHub
from tests.refresher.workbench import ManualClock, make_client, make_context, make_settings

MakeOrigin = Callable[..., GitHubClient]
MakeContext = Callable[..., RefreshContext]


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """A small GitHub: lists of one page."""
    with FakeGitHub(repos=5, members=4, anonymous_limit=1_000_000) as github:
        yield github


@pytest.fixture
def large_github() -> Iterator[FakeGitHub]:
    """A GitHub with lists of several pages: 250 repositories, 130 members."""
    with FakeGitHub(repos=250, members=130, anonymous_limit=1_000_000) as github:
        yield github


@pytest.fixture
def two_page_github() -> Iterator[FakeGitHub]:
    """A GitHub whose list of repositories has just two pages."""
    with FakeGitHub(repos=104, members=1, anonymous_limit=1_000_000) as github:
        yield github


@pytest.fixture
def three_page_github() -> Iterator[FakeGitHub]:
    """A GitHub whose list of repositories has three pages, the last one half full."""
    with FakeGitHub(repos=245, members=5, anonymous_limit=1_000_000) as github:
        yield github


@pytest.fixture
def make_origin() -> Iterator[MakeOrigin]:
    """Clients of a GitHub's, closed at the end: `make_origin(url, **settings)`."""
    made: list[GitHubClient] = []

    def make(
        url: str, *, stopwatch: Callable[[], float] | None = None, **settings: Any
    ) -> GitHubClient:
        clock = replace(SYSTEM, monotonic=stopwatch or SYSTEM.monotonic)
        made.append(make_client(make_settings(url, **settings), clock=clock))
        return made[-1]

    yield make
    for origin in made:
        origin.transport.close()


@pytest.fixture
def context_for(redis: Redis) -> Iterator[MakeContext]:
    """Contexts of refreshes, closed at the end: `context_for(url, clock=..., **settings)`.

    `budgeted=True` uses all credentials of the settings, as a fleet does.
    """
    made: list[RefreshContext] = []

    def make(
        url: str,
        *,
        clock: Callable[[], float] | None = None,
        chance: float = 0.0,
        budgeted: bool = False,
        stopwatch: Callable[[], float] = SYSTEM.monotonic,
        **settings: Any,
    ) -> RefreshContext:
        context = make_context(
            redis,
            make_settings(url, **settings),
            clock=clock,
            chance=chance,
            budgeted=budgeted,
            stopwatch=stopwatch,
        )
        made.append(context)
        return context

    yield make
    for context in made:
        context.origin.transport.close()


@pytest.fixture
def store(redis: Redis) -> Store:
    return Store(redis)


@pytest.fixture
def clock() -> ManualClock:
    """The real time of day, standing still: GitHub's resets are told in it."""
    return ManualClock(time.time())
