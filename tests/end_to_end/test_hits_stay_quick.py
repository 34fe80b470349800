"""What is in memory is answered at once, whatever else a reader is doing."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
import requests
from redis import Redis

from shared.redis import keys
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.latency import Latency, measure
from tests.fakegithub.client import FakeGitHubProcess
from tests.fakegithub.webhooks import star
from tests.http_client import Connection, request
from tests.waiting import eventually

HIT = "/orgs/Netflix"
REPOS = "/orgs/Netflix/repos"
LIST = Catalogue(("Netflix",)).of_kind(REPOSITORIES, "Netflix")
SECRET = "s3cret"


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(anonymous_limit=1_000_000) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(github: FakeGitHubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    with Fleet(folder, github.url, CACHE_TTL=2, LOCAL_TTL=1) as running:
        running.worker()
        yield running


@pytest.fixture(scope="module")
def reader(fleet: Fleet) -> Reader:
    return fleet.healthy_reader()


@pytest.fixture(scope="module")
def alone(reader: Reader) -> Latency:
    """What hits take when there is nothing else to do."""
    return measure(reader.url, HIT)


def _assert_as_quick(hits: Latency, alone: Latency) -> None:
    """As quick as a machine allows where others are at work, too.

    What these tests are about would make it seconds: a wait for Redis, a thread or a lock.
    """
    assert hits.median < max(5 * alone.median, 50), (hits, alone)
    assert hits.p99 < max(5 * alone.p99, 500), (hits, alone)


def test_while_forty_requests_wait_for_content_that_is_nowhere(
    reader: Reader, github: FakeGitHubProcess, alone: Latency
) -> None:
    github.fault("hang", path="/users/cold")
    with ExitStack() as stack:
        waiting = [stack.enter_context(Connection(reader.url, timeout=60)) for _ in range(40)]
        for number, client in enumerate(waiting):
            client.send(request(f"/users/cold-{number % 4}"))
        eventually(lambda: github.counters()["hanging"] > 0)
        _assert_as_quick(measure(reader.url, HIT), alone)
        assert reader.is_healthy()
        assert not any(client.take(1) for client in waiting)
        github.clear_faults()
        assert {client.receive().status for client in waiting} == {404}


def test_while_redis_hangs(fleet: Fleet, reader: Reader, alone: Latency) -> None:
    with fleet.redis_server.suspended():
        # Long enough for the looks at Redis that are due, and for their end.
        _assert_as_quick(measure(reader.url, HIT, seconds=3), alone)
        _assert_as_quick(measure(reader.url, f"{REPOS}?page=2", seconds=1), alone)


def test_while_redis_is_away_and_when_it_comes_back(
    fleet: Fleet, reader: Reader, alone: Latency
) -> None:
    fleet.redis_server.stop()
    try:
        _assert_as_quick(measure(reader.url, HIT, seconds=2), alone)
        _assert_as_quick(measure(reader.url, f"{REPOS}?page=3", seconds=1), alone)
    finally:
        fleet.redis_server.start()
    _assert_as_quick(measure(reader.url, HIT, seconds=2), alone)


def test_while_a_large_list_is_replaced_again_and_again(tmp_path: Path) -> None:
    """2,000 repositories, 10 MB: to load, to check and to let go of."""
    with (
        FakeGitHubProcess(repos=2000, members=1, anonymous_limit=1_000_000) as github,
        Fleet(
            tmp_path,
            github.url,
            CACHE_TTL=0.5,
            GITHUB_CONCURRENCY=4,
            ORIGIN_POINTS_PER_MINUTE=100_000,
        ) as fleet,
    ):
        fleet.worker()
        reader = fleet.healthy_reader()
        with Connection(reader.url) as connection:
            assert int(connection.ask(REPOS, method="HEAD").headers["content-length"]) > 5_000_000
        alone = measure(reader.url, "/orgs/Netflix/members")
        with _changes(github):
            hits = measure(
                reader.url,
                f"{REPOS}?per_page=1",
                seconds=4,
                pause=0.005,
                until=lambda tags: len(tags) >= 2,
            )
        _assert_as_quick(hits, alone)


@pytest.mark.parametrize("public", ["", "https://cache.example.com"])
def test_while_a_large_list_is_rewritten_for_the_mount(tmp_path: Path, public: str) -> None:
    """10 MB: under one address, for each version anew; and under a new address for each request."""
    with (
        FakeGitHubProcess(repos=2000, members=1, anonymous_limit=1_000_000) as github,
        Fleet(
            tmp_path,
            github.url,
            CACHE_TTL=1,
            GITHUB_CONCURRENCY=4,
            ORIGIN_POINTS_PER_MINUTE=100_000,
            PUBLIC_URL=public,
        ) as fleet,
    ):
        fleet.worker()
        reader = fleet.healthy_reader()
        alone = measure(reader.url, "/orgs/Netflix/members")
        with _changes(github), _strangers(reader) as answered:
            _assert_as_quick(measure(reader.url, HIT, seconds=4), alone)
            under_mount = measure(
                reader.url, f"/api/v3{HIT}", seconds=2, until=lambda _: sum(answered) > 5
            )
            _assert_as_quick(under_mount, alone)


@contextmanager
def _strangers(reader: Reader) -> Iterator[list[int]]:
    """Three who read the whole list under the mount again and again, each time by another name."""
    ends = threading.Event()
    answered: list[int] = []

    def run(number: int) -> None:
        with Connection(reader.url, timeout=60) as connection:
            while not ends.is_set():
                host = f"stranger-{number}-{len(answered)}.test"
                assert connection.ask(f"/api/v3{REPOS}", Host=host).status == 200
                answered.append(1)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield answered
    finally:
        ends.set()
        for thread in threads:
            thread.join()


@contextmanager
def _changes(github: FakeGitHubProcess) -> Iterator[None]:
    """One of the first repositories gets a star, ten times a second."""
    ends = threading.Event()

    def run() -> None:
        while not ends.wait(0.1):
            github.mutate("star", repo=0)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def test_a_change_is_seen_on_all_connections_of_all_processes_at_once(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with (
        Fleet(tmp_path, github.url, GITHUB_WEBHOOK_SECRET=SECRET, LOCAL_TTL=500) as fleet,
        fleet.redis() as redis,
        ExitStack() as stack,
    ):
        fleet.worker()
        reader = fleet.healthy_reader(WEB_CONCURRENCY=3)
        eventually(lambda: all(reader.is_healthy() for _ in range(30)), every=0.2)
        clients = _connections_to_all_processes(reader, stack)
        lags = []
        for _ in range(3):
            github.mutate("star", repo=7, by=1000)
            _deliver(reader)
            lags.append(_lag(redis, clients))
        # The benchmark asks for 50 ms; here other tests may be at work on the same processors.
        assert max(lags) < 0.5, lags


def _lag(redis: Redis, clients: list[Connection]) -> float:
    """Seconds from a new version in Redis until the last of the clients gets it.

    Who has got it never gets the old one again.
    """
    version = redis.hget(keys.entry(LIST), "version")
    (old,) = {_tag(client) for client in clients}
    have: set[Connection] = set()
    until = time.monotonic() + 15
    while len(have) < len(clients):
        looked_at = time.monotonic()
        assert looked_at < until, "not all get it"
        if redis.hget(keys.entry(LIST), "version") == version:
            stored_after = looked_at
        for client in clients:
            if _tag(client) != old:
                have.add(client)
            else:
                assert client not in have
    return time.monotonic() - stored_after


def _tag(client: Connection) -> str:
    answer = client.ask(REPOS, method="HEAD")
    assert answer.status == 200
    return answer.headers["etag"]


def _connections_to_all_processes(reader: Reader, stack: ExitStack) -> list[Connection]:
    """Twenty or more, of which each process has some."""
    clients: list[Connection] = []
    while len(clients) < 20 or not all(_has_clients(process) for process in reader.processes()):
        assert len(clients) < 1000, "one of the processes takes none"
        clients.append(stack.enter_context(Connection(reader.url)))
        assert clients[-1].ask(HIT).status == 200
    return clients


def _has_clients(process: psutil.Process) -> bool:
    port = next(one.laddr.port for one in process.net_connections("tcp") if one.status == "LISTEN")
    return any(
        one.status == "ESTABLISHED" and one.laddr.port == port
        for one in process.net_connections("tcp")
    )


def _deliver(reader: Reader) -> None:
    """GitHub tells that a repository got a star."""
    body, headers = star(SECRET)
    url = f"{reader.url}/webhooks/github"
    assert requests.post(url, data=body, headers=headers, timeout=30).status_code == 202
