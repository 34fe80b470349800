"""Crowds under `/api/v3`: many names for us, clients that take nothing, old clients."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.test_mount import GITHUB, LIST, MOUNT, ask
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection, request


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with (
        FakeGitHubProcess(anonymous_limit=1_000_000) as github,
        Fleet(tmp_path_factory.mktemp("fleet"), github.url) as running,
    ):
        running.worker()
        yield running


@pytest.fixture(scope="module")
def reader(fleet: Fleet) -> Reader:
    return fleet.healthy_reader()


def memory_of(reader: Reader) -> int:
    """Bytes of all processes of a reader."""
    return sum(process.memory_info().rss for process in reader.processes())


def crowd_of(
    reader: Reader,
    stack: ExitStack,
    count: int,
    host: Callable[[int], str],
    *,
    target: str = f"{MOUNT}{LIST}",
    version: bytes = b"HTTP/1.1",
) -> list[Connection]:
    """Connections that have asked for something, the whole list by default, and read nothing."""
    connections = []
    for number in range(count):
        one = stack.enter_context(Connection(reader.url, receive_buffer=4096))
        one.send(request(target, Host=host(number)).replace(b"HTTP/1.1", version))
        connections.append(one)
    return connections


def test_many_hosts_cost_little_memory(reader: Reader) -> None:
    """A client that reads nothing costs no copy of the list, whatever it calls us."""
    ask(reader, f"{MOUNT}{LIST}")
    before = memory_of(reader)
    with ExitStack() as stack:
        crowd = crowd_of(reader, stack, 100, lambda number: f"crowd-{number}.test")
        last = ask(reader, f"{MOUNT}/orgs/Netflix", Host="crowd-last.test")
        assert last.json["url"] == f"http://crowd-last.test{MOUNT}/orgs/Netflix"
        grown = memory_of(reader) - before
        assert grown < 60_000_000, f"{grown:,}"  # 100 copies are 135 MB
        answer = crowd[50].receive()
        assert len(answer.json) == 250
        assert answer.json[0]["url"].startswith(f"http://crowd-50.test{MOUNT}/repos/")
        assert GITHUB.encode() not in answer.content


LONG = ".".join(["a" * 60] * 4)  # in each of a page's 4,500 URLs


@pytest.mark.parametrize(
    ("target", "version", "grown"),
    [
        (f"{LIST}?per_page=100", b"HTTP/1.1", 15_000_000),  # copies would be 80 MB
        (f"{LIST}?per_page=100", b"HTTP/1.0", 25_000_000),
        (f"{MOUNT}{LIST}?per_page=100", b"HTTP/1.1", 60_000_000),  # 250 MB
        (f"{MOUNT}{LIST}?per_page=100", b"HTTP/1.0", 60_000_000),
        (f"{MOUNT}{LIST}", b"HTTP/1.0", 60_000_000),  # 600 MB
    ],
)
def test_pages_are_not_copied_for_those_who_take_nothing(
    fleet: Fleet, target: str, version: bytes, grown: int
) -> None:
    reader = fleet.healthy_reader()
    ask(reader, f"{MOUNT}{LIST}?per_page=100", Host="first.test")
    before = memory_of(reader)
    with ExitStack() as stack:
        crowd = crowd_of(
            reader, stack, 150, lambda number: f"h{number}.{LONG}", target=target, version=version
        )
        ask(reader, f"{MOUNT}/orgs/Netflix", Host="last.test")
        answer = crowd[-1].receive()
        assert len(answer.json) == (100 if "?" in target else 250)
        assert int(answer.headers.get("content-length", len(answer.body))) == len(answer.body)
        assert memory_of(reader) - before < grown
    reader.stop()


def test_a_client_of_http_1_0_gets_the_whole_list(reader: Reader) -> None:
    for number in range(6):
        with Connection(reader.url) as connection:
            head = request(f"{MOUNT}{LIST}", Host=f"old-{number}.test", Connection="keep-alive")
            connection.send(head.replace(b"HTTP/1.1", b"HTTP/1.0"))
            answer = connection.receive()
            assert len(answer.json) == 250
            assert "transfer-encoding" not in answer.headers


def test_a_connection_goes_on_after_what_was_made_while_it_was_sent(reader: Reader) -> None:
    for number in range(6):  # more than are remembered
        ask(reader, f"{MOUNT}/orgs/Netflix", Host=f"other-{number}.test")
    with Connection(reader.url) as connection:
        targets = [f"{MOUNT}{LIST}", f"{MOUNT}{LIST}?per_page=100", f"{LIST}?page=2"] * 2
        heads = [
            request(target, Host=f"next-{number}.test") for number, target in enumerate(targets)
        ]
        for head in heads:
            connection.send(head)
            assert len(connection.receive().json) in {250, 100, 30}
        connection.send(b"".join(heads))
        assert [len(connection.receive().json) for _ in heads] == [250, 100, 30] * 2
