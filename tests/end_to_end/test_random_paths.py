"""However many paths are asked for that nobody asked for before, what is kept of them is bounded."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from shared import keys
from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.raw_http import Connection
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

LIMIT = 120  # requests an hour of the stand-in
RESERVE = 0.5
QUEUE_MAX = 30
PATHS = 2000
ROOM = 60_000


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    rules = {
        "QUEUE_MAX": QUEUE_MAX,
        "BUDGET_RESERVE": RESERVE,
        "MISS_WAIT": 0.05,
        "ON_DEMAND_MAX_BYTES": ROOM,
        "LOCAL_MAX_BYTES": ROOM,
    }
    with (
        FakeGitHubProcess(repos=20, members=5, anonymous_limit=LIMIT) as github,
        Fleet(tmp_path, github.url, **rules) as made,
    ):
        made.github = github  # type: ignore[attr-defined]
        yield made


def _ask_for_all(reader: Reader, turn: int) -> list[int]:
    """Statuses of paths that nobody asked for before: users, of whom few exist, and queries."""
    with Connection(reader.url) as connection:
        return [
            connection.ask(f"/users/nobody-{turn}-{number}?page={number}").status
            for number in range(PATHS // 8)
        ]


def test_thousands_of_random_paths(fleet: Fleet) -> None:
    github: FakeGitHubProcess = fleet.github  # type: ignore[attr-defined]
    fleet.worker()
    reader = fleet.healthy_reader()
    with fleet.redis() as redis:
        before, longest = _kinds(redis), 0
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(_ask_for_all, reader, turn) for turn in range(8)]
            while not all(one.done() for one in asked):
                longest = max(longest, redis.llen("rq:queue:refresh"))
        statuses = [status for one in asked for status in one.result()]
        assert len(statuses) == PATHS
        assert set(statuses) <= {404, 503}
        # The length is looked at and then added to: as many as ask at once may each be one more.
        assert 0 < longest <= QUEUE_MAX + 8
        eventually(
            lambda: redis.llen("rq:queue:refresh") == 0, within=60, what="the queue is empty"
        )
        after = _kinds(redis)
        # What was asked of GitHub is what is kept, and the reserve was not touched.
        spent = github.counters()["total"]
        assert spent <= LIMIT * (1 - RESERVE) + 1
        assert 10 < after["entry"] - before["entry"] <= spent
        assert after["entry"] == after["pages"] + after["entry"] - after["pages"]
        # Nothing is left of what was refused or turned away but marks of a second or an hour.
        worked_on = sum(1 for status in statuses if status == 404)
        assert worked_on <= spent
        total = int(redis.hget(keys.KEPT_SIZES, "total") or 0)
        assert 0 < total <= ROOM
        unbounded = [key for key in redis.keys("*:entry:*") if redis.ttl(key) == -1]
        assert len(unbounded) == 4, "only what is tracked never expires"
        # Tracked content is refreshed all the same.
        validated = redis.hget(_repos(redis), "validated_at")
        assert validated is not None
        assert reader.get("/healthcheck").status_code == 200


def _repos(redis: Redis) -> bytes:
    [key] = [
        key for key in redis.keys("*:entry:*") if redis.hget(key, "name") == b"/orgs/Netflix/repos"
    ]
    return bytes(key)


def _kinds(redis: Redis) -> dict[str, int]:
    """How many keys there are of each kind of ours."""
    kinds: dict[str, int] = {"entry": 0, "pages": 0}
    for key in redis.scan_iter("api-read-cache:*", count=1000):
        kind = key.decode().split(":")[2]
        kinds[kind] = kinds.get(kind, 0) + 1
    print(kinds)
    return kinds
