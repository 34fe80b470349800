"""Reader processes are replaced, and end, without a client noticing."""

import signal
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.load import Load
from tests.end_to_end.raw_http import Connection, Received, request
from tests.fakegithub.client import FakeGitHubProcess
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
            eventually(partial(_are_replaced, reader, before), within=40, what="all are replaced")
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
            eventually(partial(_are_replaced, reader, before), within=40, what="all are replaced")
    assert load.outcome.failures == []
    assert load.outcome.retried == 0
    assert load.outcome.worst < 10


def test_requests_in_flight_are_answered_before_the_end(
    fleet: Fleet, github: FakeGitHubProcess
) -> None:
    reader = fleet.healthy_reader(WEB_CONCURRENCY=2)
    github.fault("hang", path="cold")
    waited_for: list[Received] = []
    with (
        Connection(reader.url) as waiting,
        Connection(reader.url, receive_buffer=4096) as slow,
        _load(reader) as load,
    ):
        waiting.send(request(COLD))
        slow.send(request(TARGETS[1], Accept_Encoding="identity"))
        eventually(lambda: github.counters()["hanging"] > 0)
        eventually(partial(load.has_answered, 200))
        thread = threading.Thread(target=lambda: waited_for.append(waiting.receive()))
        thread.start()
        load.stop_asking()
        reader.signal(signal.SIGTERM)
        eventually(lambda: _refuses(reader), what="it listens no more")
        time.sleep(1)  # that the processes have noticed
        assert not waited_for
        github.clear_faults()
        thread.join()
        large = slow.receive()
    assert [answer.status for answer in waited_for] == [200]
    assert waited_for[0].headers["connection"] == "close"
    assert len(large.body) == int(large.headers["content-length"])
    assert load.outcome.failures == []
    assert load.outcome.retried == 0
    assert reader.process.wait(15) == 0


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


def _are_replaced(reader: Reader, before: set[int]) -> bool:
    now = _pids(reader)
    return len(now) == len(before) and not now & before


def _refuses(reader: Reader) -> bool:
    try:
        with Connection(reader.url):
            return False
    except ConnectionRefusedError:
        return True
