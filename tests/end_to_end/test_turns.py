"""Everyone who waits gets a turn: tracked resources among each other, and clients."""

import time
from collections import Counter
from pathlib import Path

from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

LATENCY = 0.45  # seconds: 3 s and a CACHE_TTL of 4 s, scaled by 0.15


def test_tracked_resources_are_refreshed_equally_often(tmp_path: Path) -> None:
    """One refresher that does one thing at a time cannot keep any of four resources fresh."""
    with (
        FakeGitHubProcess(repos=5, members=3, anonymous_limit=1_000_000) as github,
        Fleet(tmp_path, github.url, CACHE_TTL=0.6, REFRESH_CONCURRENCY=1, LOCAL_TTL=0.2) as fleet,
    ):
        fleet.worker()
        fleet.healthy_reader()
        github.configure(latency=LATENCY)
        time.sleep(2 * LATENCY)
        github.reset_counters()
        eventually(lambda: github.counters()["total"] >= 20, what="five rounds")
        asked = Counter(github.counters()["requests"])
        assert len(asked) == 4
        assert max(asked.values()) - min(asked.values()) <= 1, asked
