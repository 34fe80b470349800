"""Reader processes are replaced, and end, without a client noticing."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.load import Load
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection, request
from tests.waiting import eventually

TARGETS = [
    "/orgs/Netflix",
    "/orgs/Netflix/repos",
    "/orgs/Netflix/repos?page=2",
    "/view/top/5/stars",
    "/users/Netflix",
    "/livez",
]
COLD = "/users/Netflix?cold"


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(anonymous_limit=1_000_000) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(github: FakeGitHubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("fleet"), github.url, ON_DEMAND_TTL=1000) as running:
        running.worker()
        yield running


def _load(reader: Reader) -> Load:
    """Eight clients that ask for things of all kinds, and know what they should get."""
    with Connection(reader.url) as connection:
        answers = {target: connection.ask(target) for target in TARGETS}
    assert {answer.status for answer in answers.values()} == {200}
    return Load(reader.url, {t: answer.body for t, answer in answers.items()}, clients=8)


def test_a_reload_under_load_fails_no_request(fleet: Fleet) -> None:
    reader = fleet.healthy_reader(WEB_CONCURRENCY=2)
    with _load(reader) as load:
        for _ in range(2):
            before = _pids(reader)
            reader.signal(signal.SIGHUP)
            _await_others(reader, before)
            eventually(partial(load.has_answered, load.outcome.answered + 200))
    assert load.outcome.failures == []
    # Each connection was told of its end, with an answer, before it came.
    assert load.outcome.retried == 0
    assert load.outcome.worst < 10


def test_processes_that_end_after_so_many_requests_fail_none(fleet: Fleet) -> None:
    reader = fleet.healthy_reader(
        *("--max-requests", "300", "--max-requests-jitter", "100"), WEB_CONCURRENCY=2
    )
    with _load(reader) as load:
        for _ in range(2):
            before = _pids(reader)
            _await_others(reader, before)
    assert load.outcome.failures == []
    # Each connection was told of its end, with an answer, before it came.
    assert load.outcome.retried == 0
    assert load.outcome.worst < 10


def test_requests_in_flight_are_answered_before_the_end(
    fleet: Fleet, github: FakeGitHubProcess
) -> None:
    reader = fleet.healthy_reader(WEB_CONCURRENCY=2)
    github.fault("hang", path="cold")
    with ExitStack() as stack:
        waiting = [stack.enter_context(Connection(reader.url)) for _ in range(10)]
        slow = [stack.enter_context(Connection(reader.url, receive_buffer=4096)) for _ in range(10)]
        for number, client in enumerate(waiting):
            if number % 2:
                assert client.ask(TARGETS[0]).status == 200
            client.send(request(f"{COLD}={number}"))
        for client in slow:
            client.send(request(TARGETS[1], Accept_Encoding="identity"))
        eventually(lambda: github.counters()["hanging"] > 0)
        eventually(lambda: all(client.take(1) for client in slow))

        reader.signal(signal.SIGTERM)
        eventually(partial(_refuses, reader), what="it listens no more")
        eventually(lambda: reader.output.count("Worker shutting down") == 2)
        assert not any(client.take(1) for client in waiting)
        github.clear_faults()
        for client in waiting:
            answer = client.receive()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
        for client in slow:
            answer = client.receive()
            assert len(answer.body) == int(answer.headers["content-length"]) > 700_000
        assert reader.process.wait(20) == 0


def test_idle_connections_do_not_hold_up_the_end(fleet: Fleet) -> None:
    reader = fleet.healthy_reader()
    with Connection(reader.url) as used, Connection(reader.url) as unused:
        assert used.ask(TARGETS[0]).status == 200
        began = time.monotonic()
        reader.signal(signal.SIGTERM)
        # A request that is already on its way is answered all the same.
        used.send(request(TARGETS[0]))
        assert used.receive().status == 200
        assert unused.is_closed()
        assert reader.process.wait(15) == 0
        assert time.monotonic() - began < 10


def _pids(reader: Reader) -> set[int]:
    return {process.pid for process in reader.processes()}


def _await_others(reader: Reader, before: set[int]) -> None:
    try:
        eventually(partial(_are_replaced, reader, before), within=40, what="all are replaced")
    except AssertionError as error:
        left = [f"{one.pid} {one.status()}" for one in reader.processes()]
        raise AssertionError(f"{error}; before: {before}, now: {left}\n{reader.output}") from error


def _are_replaced(reader: Reader, before: set[int]) -> bool:
    now = _pids(reader)
    return len(now) == len(before) and not now & before


def _refuses(reader: Reader) -> bool:
    try:
        with Connection(reader.url):
            return False
    except ConnectionRefusedError:
        return True
