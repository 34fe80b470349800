"""With the scheduler, readers hardly ever see stale content; two of them do no harm."""

import re
import time
from pathlib import Path

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

PATHS = ("/", "/orgs/Netflix", "/orgs/Netflix/members", "/orgs/Netflix/repos")
TTL = 10.0
WATCHED = 21.0  # seconds: two lifetimes


def _ttls(reader: Reader) -> list[int]:
    """How fresh each answer was, for a while: negative when it was stale (RFC 9211)."""
    found: list[int] = []
    until = time.monotonic() + WATCHED
    while time.monotonic() < until:
        for path in PATHS:
            match = re.search(r"ttl=(-?\d+)", reader.get(path).headers["Cache-Status"])
            assert match is not None
            found.append(int(match[1]))
        time.sleep(0.05)
    return found


def test_two_schedulers_keep_everything_fresh_and_ask_once(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    settings = {"CACHE_TTL": TTL, "REFRESH_AHEAD": 0.6}
    with Fleet(tmp_path, github.url, **settings) as fleet:
        for _ in range(2):
            fleet.scheduler()
            fleet.worker()
        reader = fleet.healthy_reader()
        eventually(lambda: all(reader.get(path).ok for path in PATHS))
        github.reset_counters()
        began = time.monotonic()
        assert min(_ttls(reader)) >= 0
        # Each is renewed after 40 % of its life at the earliest.
        asked, watched = github.counters()["total"], time.monotonic() - began
        pages = len(PATHS) + 3  # the lists have three pages and two
        assert asked <= pages * (watched / (0.4 * TTL) + 1)
        assert asked >= pages
