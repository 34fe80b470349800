"""A fleet sees a change of which GitHub tells although GitHub's replicas lag behind its webhook."""

import time
from functools import partial
from pathlib import Path
from typing import Any

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"
SECRET = "s3cret"
LAG = 1.5
LOCK_TTL = 5


def _shows(reader: Reader, truth: list[dict[str, Any]]) -> bool:
    found: object = reader.get(REPOS).json()
    return found == truth


def test_a_change_is_seen_although_the_replicas_lag_and_a_refresher_dies_between_two_looks(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    options = {
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "CACHE_TTL": 600,
        "GITHUB_API_TOKEN": "ghp_abc",
        "LOCK_TTL": LOCK_TTL,
    }
    with Fleet(tmp_path, github.url, **options) as fleet:
        doomed = fleet.worker()
        reader = fleet.healthy_reader()
        hook = {"url": f"{reader.url}/webhooks/github", "secret": SECRET}
        github.configure(lag=[LAG], hook=hook)
        github.reset_counters()
        began = time.monotonic()
        github.mutate("star", repo=7, by=1000)
        eventually(lambda: github.counters()["total"] > 0, every=0.02)
        doomed.kill()
        fleet.worker()
        # The look at which it was killed may have held the lock.
        bound = LAG + 5 + LOCK_TTL + 60  # the last for a busy machine
        eventually(partial(_shows, reader, github.repos()), within=bound, every=0.05)
        assert time.monotonic() - began >= LAG
        page = reader.get("/metrics").text
        assert "api_read_cache_resources_looked_at_again 1.0" in page
