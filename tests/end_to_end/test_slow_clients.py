"""Clients may be slow, silent, rude or many: nobody else notices, and each costs little."""

import re
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.latency import Latency, measure
from tests.end_to_end.short_timeouts import BODY_DEADLINE, REQUEST_TIMEOUT, STALL_TIMEOUT
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection, ConnectionClosed, request
from tests.waiting import eventually

HIT = "/orgs/Netflix"
REPOS = "/orgs/Netflix/repos"
LARGE = request(REPOS, Accept_Encoding="identity")
SECRET = "s3cret"
MEGABYTE = 1024 * 1024
SMALL_BUFFER = 4096  # bytes that a client's kernel takes before the client does
TICK = 2.0  # seconds that a reader may be late in noticing: it looks once a second

pytestmark = pytest.mark.usefixtures("_many_files")


@pytest.fixture(scope="module")
def _many_files() -> Iterator[None]:
    """As many open files as we may have; most systems begin with 1,024."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(anonymous_limit=1_000_000) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(github: FakeGitHubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    with Fleet(folder, github.url, GITHUB_WEBHOOK_SECRET=SECRET) as running:
        running.worker()
        yield running


@pytest.fixture(scope="module")
def reader(fleet: Fleet) -> Reader:
    """As the Procfile starts it."""
    return fleet.healthy_reader()


@pytest.fixture(scope="module")
def impatient(fleet: Fleet) -> Reader:
    """The same, but that it waits for seconds only."""
    worker = "tests.end_to_end.short_timeouts.ShortTimeoutWorker"
    return fleet.healthy_reader("--worker-class", worker)


def test_five_hundred_slow_clients_cost_next_to_nothing(reader: Reader) -> None:
    with Connection(reader.url) as connection:
        connection.send(LARGE)
        expected = connection.receive().body
    assert len(expected) > 700_000
    taken_by_the_kernel = _kernel_bytes()
    with _costs_at_most(reader, memory=40 * MEGABYTE, threads=2), ExitStack() as stack:
        clients = [
            stack.enter_context(Connection(reader.url, receive_buffer=SMALL_BUFFER))
            for _ in range(500)
        ]
        for client in clients:
            client.send(LARGE)
        with _meanwhile(lambda: [client.take(1024) for client in clients], every=0.1):
            _assert_quick(measure(reader.url, HIT, seconds=3))
        assert all(client.buffered > 4 * 1024 for client in clients)
        # Nor is the cost only hidden: left alone the kernel would take all of it, 1.3 MB each.
        assert _kernel_bytes() - taken_by_the_kernel < len(clients) * MEGABYTE / 2
        # And none of them is cut short.
        for client in clients[::25]:
            client.enlarge(MEGABYTE)
            assert client.receive().body == expected


def test_clients_that_ask_and_ask_and_never_take_cost_next_to_nothing(reader: Reader) -> None:
    with _costs_at_most(reader, memory=40 * MEGABYTE, threads=2), ExitStack() as stack:
        for _ in range(100):
            client = stack.enter_context(Connection(reader.url, receive_buffer=SMALL_BUFFER))
            client.send(LARGE * 200)
        _assert_quick(measure(reader.url, HIT))


@pytest.mark.parametrize("times", [1, 20], ids=["one request", "many requests"])
def test_clients_that_vanish_in_the_middle_of_an_answer_leave_nothing_behind(
    reader: Reader, times: int
) -> None:
    with _costs_at_most(reader, memory=40 * MEGABYTE, threads=2):
        for _ in range(200):
            client = Connection(reader.url, receive_buffer=SMALL_BUFFER)
            client.send(LARGE * times)
            assert client.socket.recv(1000)
            client.vanish()
        _assert_quick(measure(reader.url, HIT, seconds=1))
        eventually(lambda: _connections(reader) == 0, what="they are forgotten")


def test_clients_that_vanish_while_they_wait_for_content_leave_nothing_behind(
    reader: Reader, github: FakeGitHubProcess
) -> None:
    github.fault("hang", path="/users/vanishing")
    clients = [Connection(reader.url) for _ in range(20)]
    for client in clients:
        client.send(request("/users/vanishing"))
    eventually(lambda: github.counters()["hanging"] > 0)
    for client in clients:
        client.vanish()
    github.clear_faults()
    eventually(lambda: _connections(reader) == 0, what="they are forgotten")
    _assert_quick(measure(reader.url, HIT, seconds=1))
    assert "Traceback" not in reader.output


def test_clients_that_do_not_come_to_the_point_are_shown_the_door(impatient: Reader) -> None:
    """Nothing, a part of a head, garbage, or a byte now and then."""
    head = request(HIT)
    webhook = request("/webhooks/github", method="POST", Content_Length="100", X_GitHub_Event="x")
    with _costs_at_most(impatient, memory=40 * MEGABYTE, threads=20), ExitStack() as stack:
        clients = [stack.enter_context(Connection(impatient.url)) for _ in range(300)]
        began = time.monotonic()
        for number, client in enumerate(clients):
            client.send([b"", head[:-2], b"\0" * 50, head + head[:20], b"G"][number % 5])
        slow = [stack.enter_context(Connection(impatient.url)) for _ in range(20)]
        bodies = [stack.enter_context(Connection(impatient.url)) for _ in range(20)]
        for client in bodies:
            client.send(webhook + b"half a body")
        with _meanwhile(lambda: _drip(slow, head), every=0.2):
            _assert_quick(measure(impatient.url, HIT))
            for number, client in enumerate(clients):
                answered = [200] if number % 5 == 3 else []
                answered += [408] if number % 5 in {1, 3, 4} else []
                assert _statuses(client) == answered
            assert time.monotonic() - began < REQUEST_TIMEOUT + TICK + 3
            assert all(_statuses(client) in ([408], []) for client in slow)
        assert all(_statuses(client) in ([401], [400], []) for client in bodies)
        assert time.monotonic() - began < BODY_DEADLINE + REQUEST_TIMEOUT + TICK + 3


def test_a_client_that_takes_nothing_for_long_is_given_up_and_a_slow_one_is_not(
    impatient: Reader,
) -> None:
    with (
        Connection(impatient.url, receive_buffer=SMALL_BUFFER) as slow,
        Connection(impatient.url, receive_buffer=SMALL_BUFFER) as stalled,
        Connection(impatient.url) as idle,
    ):
        assert idle.ask(HIT).status == 200
        slow.send(LARGE)
        stalled.send(LARGE)
        with _meanwhile(lambda: slow.take(2048), every=0.1):
            within = STALL_TIMEOUT + TICK + 3
            eventually(lambda: _connections(impatient) == 2, within=within, what="it is given up")
        with pytest.raises(ConnectionClosed):
            stalled.receive()
        assert slow.receive().status == 200
        # Between requests there is no hurry.
        assert idle.ask(HIT).status == 200


class TestConnectionsAreLimited:
    """By `worker_connections`, which gunicorn's own ASGI worker does not look at."""

    LIMIT = 20

    @pytest.fixture(scope="class", name="limited")
    @classmethod
    def start_limited(cls, fleet: Fleet) -> Reader:
        """A reader that has room for few."""
        return fleet.healthy_reader("--worker-connections", str(cls.LIMIT))

    @pytest.fixture
    def clients(self, limited: Reader) -> Iterator[list[Connection]]:
        """As many connections as there may be, each after a request."""
        eventually(lambda: _connections(limited) == 0)
        with ExitStack() as stack:
            clients = [stack.enter_context(Connection(limited.url)) for _ in range(self.LIMIT)]
            assert [client.ask(HIT).status for client in clients] == [200] * self.LIMIT
            yield clients

    def test_the_longest_idle_makes_room(self, limited: Reader, clients: list[Connection]) -> None:
        with Connection(limited.url) as one, Connection(limited.url) as another:
            assert one.ask(HIT).status == 200
            assert another.ask(HIT).status == 200
            assert clients[0].is_closed()
            assert clients[1].is_closed()
            assert clients[2].ask(HIT).status == 200
            assert clients[-1].ask(HIT).status == 200

    def test_where_nobody_is_idle_there_is_a_503(
        self, limited: Reader, clients: list[Connection], github: FakeGitHubProcess
    ) -> None:
        github.fault("hang", path="/users/waited-for")
        for number, client in enumerate(clients):
            client.send(request("/users/waited-for") if number % 2 else request(HIT)[:20])
        eventually(lambda: github.counters()["hanging"] > 0)
        eventually(lambda: _is_refused(limited), what="there is no more room")
        for client in clients[::2]:
            client.send(request(HIT)[20:])
            assert client.receive().status == 200
        with Connection(limited.url) as one:
            assert one.ask(HIT).status == 200
        github.clear_faults()
        for client in clients[1::2]:
            assert client.receive().status == 404
        # The connections that came back to the front count once.
        with ExitStack() as stack:
            for _ in range(3 * self.LIMIT):
                other = stack.enter_context(Connection(limited.url))
                assert other.ask(HIT).status == 200


def _is_refused(reader: Reader) -> bool:
    with Connection(reader.url, timeout=3) as connection:
        try:
            refused = connection.receive()
        except TimeoutError:
            return False
        assert refused.status == 503
        assert refused.headers["retry-after"].isdigit()
        assert refused.headers["content-type"].startswith("application/json")
        return connection.is_closed()


def test_connections_wait_in_the_kernel_while_a_reader_is_busy(reader: Reader) -> None:
    """As many as `backlog` says; asyncio would have made it 100."""
    most = int(Path("/proc/sys/net/core/somaxconn").read_text())
    (process,) = reader.processes()
    with ExitStack() as stack:
        process.send_signal(signal.SIGSTOP)
        try:
            waiting = [
                stack.enter_context(Connection(reader.url)) for _ in range(min(most - 10, 1000))
            ]
            for client in waiting:
                client.send(request(HIT))
        finally:
            process.send_signal(signal.SIGCONT)
        assert {client.receive().status for client in waiting} == {200}


@contextmanager
def _costs_at_most(reader: Reader, *, memory: int, threads: int) -> Iterator[None]:
    """No more bytes and threads than so many, at the end of the block."""
    (process,) = reader.processes()
    before = process.memory_info().rss, process.num_threads()
    yield
    assert process.memory_info().rss - before[0] < memory
    assert process.num_threads() - before[1] <= threads


@contextmanager
def _meanwhile(does: Callable[[], object], *, every: float) -> Iterator[None]:
    """Do something again and again beside the block; what it raises is raised at its end."""
    ends = threading.Event()
    failures: list[Exception] = []

    def run() -> None:
        try:
            while not ends.wait(every):
                does()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
    assert failures == []


def _drip(clients: list[Connection], data: bytes) -> None:
    """One byte more of a request that would take a minute."""
    for client in clients:
        with suppress(ConnectionError):
            client.send(data[:1])


def _statuses(client: Connection) -> list[int]:
    """Of the answers until the connection ends."""
    statuses = []
    while answer := client.receive_if_any():
        statuses.append(answer.status)
    return statuses


def _connections(reader: Reader) -> int:
    """How many connections its processes have open to clients."""
    port = int(reader.url.rpartition(":")[2])
    return sum(
        one.status == "ESTABLISHED" and one.laddr.port == port
        for process in reader.processes()
        for one in process.net_connections("tcp")
    )


def _kernel_bytes() -> int:
    """What all of this machine's TCP connections keep in buffers."""
    (line,) = re.findall(r"^TCP:.* mem (\d+)", Path("/proc/net/sockstat").read_text(), re.MULTILINE)
    return int(line) * resource.getpagesize()


def _assert_quick(hits: Latency) -> None:
    assert hits.median < 50, hits
    assert hits.p99 < 500, hits
