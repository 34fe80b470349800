"""However many new paths are asked for, what is kept of them is bounded."""

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from shared.queueing import QUEUE, QueueLimits, RefreshQueue
from shared.redis import keys
from tests.builders import tracked
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection
from tests.waiting import eventually

LIMIT = 120  # requests an hour of the stand-in
RESERVE = 0.5
QUEUE_MAX = 30
PATHS = 2000
ROOM = 60_000
CLIENTS = 8
TRACKED = 4
QUEUE_KEY = f"rq:queue:{QUEUE}"
REPOS = tracked("/orgs/Netflix/repos")
HELD = 'api_read_cache_local_bytes{kind="on-demand"}'


@pytest.fixture
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(repos=20, members=5, anonymous_limit=LIMIT) as server:
        yield server


def _ask_for_new(reader: Reader, client: int) -> list[int]:
    """Statuses of a client's paths: users who do not exist, each another resource."""
    with Connection(reader.url) as connection:
        return [
            # Half of them under the mount, each under another address.
            connection.ask(
                f"{'/api/v3' * (number % 2)}/users/nobody-{client}-{number}?a={number}",
                Host=f"host-{client}-{number}.test",
            ).status
            for number in range(PATHS // CLIENTS)
        ]


def test_thousands_of_random_paths(tmp_path: Path, github: FakeGitHubProcess) -> None:
    rules = {
        "QUEUE_MAX": QUEUE_MAX,
        "BUDGET_RESERVE": RESERVE,
        "MISS_WAIT": 0.05,
        "ON_DEMAND_MAX_BYTES": ROOM,
        "LOCAL_MAX_BYTES": ROOM,
    }
    with Fleet(tmp_path, github.url, **rules) as fleet, fleet.redis() as redis:
        fleet.worker()
        reader = fleet.healthy_reader()
        longest = 0
        with ThreadPoolExecutor(CLIENTS) as pool:
            asked = [pool.submit(_ask_for_new, reader, client) for client in range(CLIENTS)]
            while not all(one.done() for one in asked):
                longest = max(longest, redis.llen(QUEUE_KEY))
                time.sleep(0.005)
        statuses = [status for one in asked for status in one.result()]
        assert len(statuses) == PATHS
        assert set(statuses) <= {404, 429, 503}
        # The length is looked at, and then there is one more: of as many as ask at once.
        assert 0 < longest <= QUEUE_MAX + CLIENTS
        eventually(lambda: redis.llen(QUEUE_KEY) == 0, what="the queue is empty")

        # Of GitHub no more was asked than on-demand traffic may, and the rest is there for tracked.
        spent = int(github.counters()["total"])
        assert spent <= LIMIT * (1 - RESERVE) + 1
        github.mutate("star", repo="Hystrix", by=5)
        RefreshQueue(redis, QueueLimits(queued=1)).force(REPOS)
        stars = {repo["full_name"]: repo["stargazers_count"] for repo in github.repos()}
        eventually(
            lambda: dict(reader.get("/view/top/99/stars").json()) == stars,
            what="tracked content is refreshed",
        )

        # Kept is what was fetched, as far as there is room for it, and all of it for some time.
        found = _keys(redis)
        jobs = len(found["queued"])
        assert 4 < len(found["entry"]) <= spent
        for kind in ("pages", "forgotten", "told"):
            assert len(found[kind]) <= len(found["entry"]), kind
        for kind in ("failure", "record", "fence", "queued"):
            assert len(found[kind]) <= jobs <= PATHS + TRACKED, kind
        assert 0 < int(redis.hget(keys.KEPT_SIZES, "total") or 0) <= ROOM
        for kind, of_kind in found.items():
            lasting = [key for key in of_kind if redis.ttl(key) == -1]
            assert len(lasting) <= TRACKED, kind
        for key in found["entry"]:
            name = (redis.hget(key, "name") or b"").decode()
            assert reader.get(name).status_code in {200, 404}
        # The numbers of a process are written once a second.
        eventually(lambda: _held(reader) > 0, what="the reader holds some of them")
        assert _held(reader) <= ROOM


def _held(reader: Reader) -> float:
    lines = reader.get("/metrics").text.splitlines()
    [line] = [one for one in lines if one.startswith(HELD)]
    return float(line.rpartition(" ")[2])


def _keys(redis: Redis) -> dict[str, list[bytes]]:
    """Our keys by kind."""
    kinds: dict[str, list[bytes]] = defaultdict(list)
    for key in redis.scan_iter("api-read-cache:*", count=1000):
        kinds[key.decode().split(":")[2]].append(key)
    return kinds


def _spellings(count: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Requests for one file and one branch, each written in another way."""
    dice = random.Random("spellings")
    types = ("application/vnd.github.{}", "application/VND.github.v3.{}+json")
    names = ("raw", "html", "object", "full", "text", "diff", "sha", "x-preview", "nothing")
    for number in range(count):
        mount = dice.choice(("", "/api/v3"))
        repo = "".join(map(dice.choice, zip("netflix/hystrix", "NETFLIX/HYSTRIX", strict=True)))
        rest = dice.choice(("contents/docs{}index.md", "branches/feature{}login"))
        end = dice.choice(("", "?", "/" if "contents" in rest else ""))
        quality = f"{dice.randrange(2, 1000):03d}"
        accept = dice.choice(types).format(dice.choice(names))
        yield (
            f"{mount}/repos/{repo}/{rest.format(dice.choice(('/', '%2F', '%2f')))}{end}",
            {
                "Accept": f"{accept};q=0.{quality}, x-{number}/y, */*;q=0.001",
                "Host": f"host-{number}.test",
                "X_GitHub_Api_Version": dice.choice(("2022-11-28", " 2026-03-10 ", f"20{quality}")),
            },
        )


def test_one_thing_has_few_names_however_it_is_written(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    github.configure(anonymous_limit=1_000_000)
    with Fleet(tmp_path, github.url, ON_DEMAND_TTL=1000) as fleet, fleet.redis() as redis:
        fleet.worker()
        reader = fleet.healthy_reader()
        with Connection(reader.url) as connection:
            statuses = {connection.ask(target, **sent).status for target, sent in _spellings(1500)}
        assert statuses == {200, 400}
        # A file as JSON, raw, HTML and an object; with `/` and `%2F`; in two versions of the API.
        names = {redis.hget(key, "name") or b"" for key in _keys(redis)["entry"]}
        assert 4 < len([name for name in names if b"/contents/" in name]) <= 4 * 2 * 2
        assert 2 <= len([name for name in names if b"/branches/" in name]) <= 2 * 2
        asked = [one for one in github.recent() if one["path"].startswith("/repos/netflix/hystrix")]
        assert len(asked) <= 4 * 2 * 2 + 2 * 2 + 2
