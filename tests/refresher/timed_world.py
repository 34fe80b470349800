"""A fleet and a GitHub whose time is set by hand: `TimedWorld`."""

import json
from typing import Any

from redis import Redis

from refresher.context import RefreshContext
from refresher.refresh import refresh
from shared.outcomes import RefreshOutcome
from shared.queueing import QueueLimits, RefreshQueue
from shared.redis.lifetimes import Lifetimes
from shared.redis.store import Store
from shared.resources.resource import Resource
from tests.fakegithub.client import FakeGitHub
from tests.refresher.conftest import MakeContext
from tests.refresher.workbench import TOKEN, ManualClock

TTL = 600


class TimedWorld:
    """A fleet whose time, and GitHub's, is set by hand; every refresh is one of a new process."""

    def __init__(self, github: FakeGitHub, make: MakeContext, redis: Redis) -> None:
        self.github = github
        self.redis = redis
        seconds, _ = redis.time()
        self.clock = ManualClock(float(seconds))
        self.token: str | None = TOKEN
        self.store = Store(redis, lifetimes=Lifetimes(TTL, TTL))
        self.queue = RefreshQueue(redis, limits=QueueLimits())
        self._make = make

    def context(self) -> RefreshContext:
        """What a refresh of a new process needs."""
        return self._make(
            self.github.url,
            clock=self.clock,
            cache_ttl=TTL,
            on_demand_ttl=TTL,
            github_api_token=self.token,
            budgeted=True,
        )

    def refresh(self, resource: Resource, **options: Any) -> RefreshOutcome:
        """Refresh a resource."""
        return refresh(resource, self.context(), **options)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, here and at GitHub."""
        seconds_now, _ = self.redis.time()
        self.clock.now += seconds
        self.github.configure(clock_skew=self.clock.now - seconds_now)

    def content(self, resource: Resource) -> Any:
        """What readers serve."""
        entry = self.store.read(resource)
        assert entry is not None
        return json.loads(bytes(entry.body))

    def star(self, place: int, stars: int = 77_777) -> int:
        """Change a repository at GitHub; return its id."""
        identity: int = self.github.mutate("edit_repo", repo=place, stars=stars)["id"]
        return identity
