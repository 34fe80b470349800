"""No resource takes the minute's points from the others, and many share them without a rest."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import requests

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.fakegithub.webhooks import star
from tests.waiting import eventually

SECRET = "s3cret"


def change(github: FakeGitHubProcess, reader: Reader, org: str, *, stars: int) -> None:
    """A repository gets stars, and GitHub tells of it."""
    github.mutate("star", org=org, repo=0, by=stars)
    body, headers = star(SECRET, org=org)
    url = f"{reader.url}/webhooks/github"
    assert requests.post(url, data=body, headers=headers, timeout=30).status_code == 202


@contextmanager
def changing(github: FakeGitHubProcess, reader: Reader, org: str) -> Iterator[None]:
    """One change a second of an organisation."""
    ends = threading.Event()

    def run() -> None:
        while not ends.wait(1):
            change(github, reader, org, stars=1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def is_shown(github: FakeGitHubProcess, reader: Reader, org: str) -> bool:
    found: object = reader.get(f"/orgs/{org}/repos").json()
    return found == github.repos(org)


def is_read(github: FakeGitHubProcess) -> bool:
    """Whether the last page of the large list was requested."""
    return any("page=12" in path for path in github.counters()["requests"])


def test_a_large_organisation_that_changes_every_second_holds_up_nothing(tmp_path: Path) -> None:
    """1,200 repositories instead of 7,000: each reading costs 12 of 400 points."""
    with (
        FakeGitHubProcess(
            orgs=("large", "small"), repos=1200, members=3, anonymous_limit=1_000_000
        ) as github,
        Fleet(
            tmp_path,
            github.url,
            ORGS="large,small",
            GITHUB_WEBHOOK_SECRET=SECRET,
            MISS_WAIT=5,
        ) as fleet,
    ):
        github.mutate("set_repos", org="small", count=20)
        fleet.worker()
        reader = fleet.healthy_reader()
        github.configure(latency=0.1)
        github.reset_counters()
        seen_after, answered_after = [], []
        with changing(github, reader, "large"):
            eventually(partial(is_read, github), what="the large list is read")
            for number in range(4):
                change(github, reader, "small", stars=1000)
                began = time.monotonic()
                assert reader.get(f"/users/large?new={number}").status_code == 200
                answered_after.append(time.monotonic() - began)
                eventually(partial(is_shown, github, reader, "small"), within=10)
                seen_after.append(time.monotonic() - began)
                time.sleep(1)
            github.reset_counters()
            # The large organisation is not left behind either.
            eventually(partial(is_read, github), what="the large list is read again")
        assert max(seen_after) < 3
        assert max(answered_after) < 3


def test_many_organisations_that_are_not_held_yet_come_as_quickly_as_the_limits_allow(
    tmp_path: Path,
) -> None:
    """200 organisations and 400 points a minute, scaled to 40 and 120."""
    orgs, points = [f"org-{number}" for number in range(40)], 120
    with (
        FakeGitHubProcess(
            orgs=tuple(orgs), repos=3, members=3, anonymous_limit=1_000_000
        ) as github,
        Fleet(tmp_path, github.url, ORGS=",".join(orgs), ORIGIN_POINTS_PER_MINUTE=points) as fleet,
    ):
        fleet.worker()
        reader = fleet.reader()
        eventually(reader.is_healthy, within=60, what="everything is held")
        recent = github.recent()
        took = recent[-1]["answered_at"] - recent[0]["time"]
        needed = 1 + 3 * len(orgs)
        assert len(recent) == needed
        # A quarter of what on-demand requests have is not lent to tracked ones.
        allowed = (needed - points + points * 0.8 / 4) / (points / 60)
        assert allowed - 2 < took < 1.3 * allowed + 1
