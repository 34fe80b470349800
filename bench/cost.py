"""`make bench-cost`: cost of an hour of freshness at GitHub, by the stand-in's own counters.

An organisation of 250 repositories is kept fresh for an hour of simulated time, with a check every
60 seconds; every 10 minutes one repository changes, and in the middle of the hour the token is
rotated. Each method below has the same changes, on a stand-in of its own:

- ours: `refresher.refresh`, as the workers run it, with a real Redis;
- naive: all pages, each time;
- ETags by token: each page with the ETag that this token got, as ghproxy does;
- the least possible: every page revalidated each time, every changed page downloaded once.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import requests
from redis import Redis

from refresher.context import RefreshContext, RefreshPolicy
from refresher.github.auth.pool import credentials_of
from refresher.github.budget import Budget, Share
from refresher.github.client import GitHubClient
from refresher.github.transport import Transport
from refresher.lock.large_list_limit import LargeListLimit
from refresher.lock.refresh_lock import RefreshLocks
from refresher.lock.start_conditions import StartConditions
from refresher.refresh import refresh
from refresher.reporting.meter import Expenses, Meter
from refresher.reporting.reporter import Reporter
from refresher.storage.storage import Storage
from refresher.visibility.privileges import Privileges
from scripts.embedded_redis import EmbeddedRedis
from shared.clock import SYSTEM, Clock
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from shared.settings import Settings, load
from tests.fakegithub.client import FakeGitHub

ORG = "Netflix"
START = 1_800_000_000.0  # Unix time in seconds; any will do
TOKENS = ("ghp_before_rotation", "ghp_after_rotation")
# The tokens' viewer: sees public content only.
STRANGER = {"role": "stranger", "scopes": ""}


@dataclass(frozen=True)
class Hour:
    """The simulated hour.

    Args:
        repositories: of the organisation.
        ttl: seconds between two checks.
        change_every: seconds between two changes.
        length: seconds.
    """

    repositories: int = 250
    ttl: int = 60
    change_every: int = 600
    length: int = 3600

    @property
    def checks(self) -> int:
        """Number of checks of the list."""
        return self.length // self.ttl

    @property
    def pages(self) -> int:
        """Pages of the list."""
        return -(-self.repositories // 100)

    @property
    def changes(self) -> int:
        """Changes that a check can see: the last check is a TTL before the end."""
        return (self.length - self.ttl) // self.change_every


@dataclass(frozen=True)
class Cost:
    """GitHub's counters.

    Args:
        points: of the primary limit.
        sent: bytes that GitHub sent.
    """

    requests: int
    points: int
    sent: int


# Checks once: (second of the hour, token).
Check = Callable[[int, str], None]


def simulate(hour: Hour, make_check: Callable[[FakeGitHub], Check]) -> Cost:
    """Run the hour with one method, and return its cost."""
    with FakeGitHub(
        orgs=(ORG,), repos=hour.repositories, members=1, viewers={"*": STRANGER}
    ) as github:
        check = make_check(github)
        for second in range(0, hour.length, hour.ttl):
            if second and second % hour.change_every == 0:
                # Another page each time.
                number = second // hour.change_every
                github.mutate("star", repo=(number * 100) % hour.repositories)
            check(second, TOKENS[second >= hour.length // 2])
        counters = github.counters()
    return Cost(counters["total"], counters["points"], counters["bytes_sent"])


@contextmanager
def context_of(redis: Redis, known: Settings, clock: Clock) -> Iterator[RefreshContext]:
    """Everything that a refresh needs, as a process that has just started has it."""
    transport = Transport(known, clock=clock)
    credentials = credentials_of(transport, redis, clock=clock)
    budget = Budget(redis, known, credentials, clock=clock, new_id=lambda: uuid4().hex)
    meter = Meter(redis, clock)
    limiter = budget.limiter(Share.TRACKED)
    locks = RefreshLocks(redis, lifetime=known.lock_ttl, clock=clock)
    try:
        yield RefreshContext(
            Storage.of(redis, known),
            GitHubClient(transport, limiter, observe=meter.observe, clock=clock),
            StartConditions(locks, LargeListLimit(redis, 2)),
            Reporter(redis, meter, Expenses(), clock, keep_s=600),
            Privileges(redis, known.privileged_credentials, clock=clock),
            RefreshPolicy.of(known, chance=random.random),
            clock,
        )
    finally:
        transport.close()


def ours(hour: Hour, redis: Redis) -> Cost:
    """Cost of this project's refresher."""
    redis.flushall()
    now = START
    resource = Catalogue((ORG,)).of_kind(REPOSITORIES, ORG)

    def make_check(github: FakeGitHub) -> Check:
        def settings(token: str) -> Settings:
            return load(
                redis_url="redis://given",
                github_api_url=github.url,
                github_api_token=token,
                cache_ttl=hour.ttl,
            )

        def check(second: int, token: str) -> None:
            nonlocal now
            now = START + second
            with context_of(redis, settings(token), replace(SYSTEM, now=lambda: now)) as context:
                refresh(resource, context)

        return check

    return simulate(hour, make_check)


def naive(hour: Hour) -> Cost:
    """Cost of reading all pages each time."""
    return simulate(hour, lambda github: _pager(github, remember=False))


def etags_by_token(hour: Hour) -> Cost:
    """Cost of a cache that stores each page's ETag by token."""
    return simulate(hour, lambda github: _pager(github, remember=True))


def least(hour: Hour, measured: Cost, naive_cost: Cost) -> Cost:
    """The least possible cost of a method that checks every page each time.

    Bytes are those of the heads of 304s, as measured for ours, and of the pages that had to be
    downloaded, as measured for the naive method; this is an estimate, the other two are exact.
    """
    downloads = hour.pages + hour.changes
    every = hour.checks * hour.pages
    a_page = naive_cost.sent / naive_cost.requests
    a_304 = max(0.0, (measured.sent - downloads * a_page) / (every - downloads))
    return Cost(every, downloads, round(downloads * a_page + (every - downloads) * a_304))


def _pager(github: FakeGitHub, *, remember: bool) -> Check:
    known: dict[tuple[str, str], tuple[str, str | None]] = {}

    def check(second: int, token: str) -> None:  # noqa: ARG001
        url: str | None = f"{github.url}/orgs/{ORG}/repos?per_page=100"
        with requests.Session() as session:
            while url is not None:
                url = fetch(session, url, token)

    def fetch(session: requests.Session, url: str, token: str) -> str | None:
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "bench"}
        etag, following = known.get((token, url), (None, None))
        if etag is not None and remember:
            headers["If-None-Match"] = etag
        response = session.get(url, headers=headers, timeout=30)
        if response.status_code == 304:
            return following
        response.raise_for_status()
        following = response.links.get("next", {}).get("url")
        known[token, url] = (response.headers["ETag"], following)
        return following

    return check


def table(costs: dict[str, Cost]) -> str:
    """A table of the costs, and of the points as multiples of ours."""
    mine = costs["ours"]
    lines = [f"{'':24}{'requests':>10}{'points':>10}{'kB sent':>10}{'points x ours':>16}"]
    lines += [
        f"{name:24}{cost.requests:>10}{cost.points:>10}{cost.sent / 1000:>10.0f}"
        f"{cost.points / mine.points:>16.2f}"
        for name, cost in costs.items()
    ]
    return "\n".join(lines)


def measure(hour: Hour) -> dict[str, Cost]:
    """The costs of all methods, from one run."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedRedis(Path(folder)) as server,
        Redis.from_url(server.url) as redis,
    ):
        mine, all_pages = ours(hour, redis), naive(hour)
        return {
            "ours": mine,
            "naive": all_pages,
            "ETags by token": etags_by_token(hour),
            "least possible": least(hour, mine, all_pages),
        }


def main() -> int:
    """Print the table; the exit status is 1 if ours is more than 5 % above the least."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    hour = Hour()
    costs = measure(hour)
    print(
        f"An hour: {hour.repositories} repositories, a check every {hour.ttl} s, a change every "
        f"{hour.change_every} s, the token rotated once.\n"
    )
    print(table(costs))
    mine, lowest = costs["ours"], costs["least possible"]
    is_low = mine.points <= 1.05 * lowest.points and mine.requests <= 1.05 * lowest.requests
    return 0 if is_low else 1


if __name__ == "__main__":
    sys.exit(main())
