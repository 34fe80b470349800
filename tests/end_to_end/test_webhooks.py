"""GitHub tells of a change, and a client sees it within a second."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import requests

from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.up_to_date import await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.fakegithub.webhooks import star
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"
SECRET = "s3cret"


def _deliver(reader: Reader, session: requests.Session, *, repo: int | None = None) -> int:
    body, headers = star(SECRET, repo=repo)
    url = f"{reader.url}/webhooks/github"
    return session.post(url, data=body, headers=headers, timeout=30).status_code


def _shows(reader: Reader, truth: list[dict[str, Any]]) -> bool:
    found: object = reader.get(REPOS).json()
    return found == truth


def test_a_change_that_github_tells_of_is_seen_at_once_and_a_storm_is_a_handful(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with (
        Fleet(tmp_path, github.url, GITHUB_WEBHOOK_SECRET=SECRET, LOCAL_TTL=500) as fleet,
        requests.Session() as session,
    ):
        fleet.worker()
        first = fleet.healthy_reader()
        other = fleet.healthy_reader(WEB_CONCURRENCY=2)
        time.sleep(1.1)  # let the warming be over
        seen_after = []
        for _ in range(3):  # others may be at work on this machine
            touched = github.mutate("star", repo=7, by=1000)
            truth = github.repos()
            github.reset_counters()
            began = time.monotonic()
            assert _deliver(first, session, repo=touched["id"]) == 202
            eventually(partial(_shows, first, truth), within=10, every=0.02)
            seen_after.append(time.monotonic() - began)
            eventually(partial(_shows, other, truth), within=10, every=0.02)
            # Of three pages, the one that holds it; GitHub may have been looked at again since.
            assert len({one["path"] for one in github.recent()}) == 1
            time.sleep(1.1)  # one refresh a second is asked for at the most
        assert min(seen_after) < 1

        github.reset_counters()
        began = time.monotonic()
        for number in range(300):
            if number % 30 == 0:
                github.mutate("star", repo=number // 30, by=1)
            assert _deliver(first, session) == 202
        await_up_to_date(github, first, within=10)
        # At most one refresh a second is asked for, of three pages; one may begin a little later.
        assert github.counters()["total"] <= 3 * (time.monotonic() - began + 1.5)
        assert github.page_requests("/orgs/Netflix/members?per_page=100") == 0
