"""Replicas lag; events come late, twice, out of order or not at all: readers still equal GitHub.

`pytest tests/end_to_end/test_unreliable_events.py --changes=1000 -s` makes a thousand changes, and
says how late the last ones were seen.
"""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOSITORIES = 120  # two pages
REPOS = "/orgs/Netflix/repos"
SECRET = "s3cret"
HOOK_TOKEN = "ghp_for_webhooks_and_nothing_else"
VIEWERS = {HOOK_TOKEN: {"role": "owner", "scopes": "admin:org_hook"}}
LAG = [0.0, 1.5, 3.0]  # seconds, by replica
INTERVAL = 2.0  # seconds between two looks for lost deliveries
# docs/webhooks.md: a look within the interval and 15 s; then the event's own looks, of 10 s. Twice,
# since what is sent again may be lost again, and as much for a machine that has other work.
BOUND = 4 * (INTERVAL + 15 + 10)
PAUSE = 0.05  # seconds between two changes


@dataclass
class Watch:
    """Compares the stars that readers show with those at GitHub, while these only grow.

    Args:
        readers: that are asked in turn.
        given: for each repository its numbers of stars, and since when it has had so many.
        worst: seconds for which a reader has not shown a change.
    """

    readers: list[Reader]
    given: dict[str, list[tuple[int, float]]]
    worst: float = 0.0
    _over: Event = field(default_factory=Event)

    def __enter__(self) -> "Watch":
        self._thread = Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.1):
            for reader in self.readers:
                asked_at = time.monotonic()
                for shown in reader.get(REPOS).json():
                    self._compare(shown, asked_at)

    def _compare(self, shown: dict[str, Any], asked_at: float) -> None:
        for stars, since in tuple(self.given.get(shown["name"], ())):
            if stars > shown["stargazers_count"] and since < asked_at:
                self.worst = max(self.worst, asked_at - since)
                return


def change(github: FakeGitHubProcess, dice: random.Random, watch: Watch) -> None:
    """Change something at GitHub."""
    kind = dice.choices(["star", "edit_repo", "edit_org", "add"], [12, 4, 2, 1])[0]
    repo, text = dice.choice([*watch.given]), f"number {dice.random()}"
    if kind == "star":
        github.mutate("star", repo=repo, by=1)
        watch.given[repo].append((watch.given[repo][-1][0] + 1, time.monotonic()))
    elif kind == "edit_repo":
        github.mutate("edit_repo", repo=repo, description=text)
    elif kind == "edit_org":
        github.mutate("edit_org", description=text)
    else:
        github.mutate("add")


@pytest.fixture
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(
        repos=REPOSITORIES, members=5, viewers=VIEWERS, anonymous_limit=1_000_000
    ) as server:
        yield server


def test_in_the_end_every_reader_equals_github_and_nothing_was_seen_too_late(
    tmp_path: Path, github: FakeGitHubProcess, pytestconfig: pytest.Config
) -> None:
    options = {
        "CACHE_TTL": 3600,
        "GITHUB_API_TOKEN": "ghp_abc",
        "GITHUB_HOOK_TOKEN": HOOK_TOKEN,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "REDELIVERY_INTERVAL": INTERVAL,
    }
    dice = random.Random(7)
    with Fleet(tmp_path, github.url, **options) as fleet:
        for _ in range(2):
            fleet.worker()
        readers = [fleet.healthy_reader() for _ in range(2)]
        hook = {"url": f"{readers[0].url}/webhooks/github", "secret": SECRET}
        github.configure(lag=LAG, hook={**hook, "jitter": 2, "doubled": 0.2, "lost": 0.05})
        given = {one["name"]: [(one["stargazers_count"], 0.0)] for one in github.repos()}
        with Watch(readers, given) as watch:
            for _ in range(pytestconfig.getoption("changes")):
                change(github, dice, watch)
                time.sleep(PAUSE)
            eventually(
                lambda: all(
                    reader.get(REPOS).json() == github.repos()
                    and reader.get("/orgs/Netflix").json() == github.org()
                    for reader in readers
                ),
                within=BOUND,
                every=0.5,
            )
        lost = [one for one in github.deliveries() if one["status"] != "OK"]
        print(f"{len(lost)} deliveries were lost; a change was seen after {watch.worst:.1f} s")
    assert lost
    assert watch.worst < BOUND
