"""Three readers behind HAProxy: replaced one after the other, and killed, under load."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from scripts.debian import find
from scripts.embedded_redis import free_port
from tests.end_to_end.fleet import Fleet, Reader, Running
from tests.end_to_end.load import Load
from tests.end_to_end.raw_http import Connection
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

CLIENTS = 8
TARGETS = [
    "/orgs/Netflix",
    "/orgs/Netflix/members",
    "/orgs/Netflix/repos?page=2",
    "/view/top/5/stars",
    "/users/Netflix",
]
# A request is sent to another reader where the first one has not even begun to answer it.
CONFIGURATION = """
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  option redispatch
  retries 3
  retry-on conn-failure empty-response
frontend clients
  bind 127.0.0.1:{port}
  default_backend readers
backend readers
  balance roundrobin
  option httpchk GET /healthcheck
  http-check expect status 200
  default-server check inter 200ms fall 1 rise 1
{servers}
"""


@pytest.fixture
def fleet(tmp_path: Path, github: FakeGitHubProcess) -> Iterator[Fleet]:
    with Fleet(tmp_path, github.url, ON_DEMAND_TTL=1000, CACHE_TTL=1000) as running:
        running.worker()
        yield running


@pytest.fixture
def readers(fleet: Fleet) -> list[Reader]:
    return [fleet.healthy_reader() for _ in range(3)]


@pytest.fixture
def balancer(tmp_path: Path, readers: list[Reader]) -> Iterator[str]:
    """URL of a HAProxy before the readers."""
    program = find("haproxy")
    if program is None:
        pytest.skip("NO BALANCER IS TESTED HERE: HAProxy is not installed; Debian has it")
    addresses = [reader.url.removeprefix("http://") for reader in readers]
    servers = "\n".join(f"  server reader-{at} {one}" for at, one in enumerate(addresses))
    port, file = free_port(), tmp_path / "haproxy.cfg"
    file.write_text(CONFIGURATION.format(port=port, servers=servers))
    command = [str(program), "-db", "-f", str(file)]
    running = Running(command, dict(os.environ), tmp_path / "haproxy.log")
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: _answers(url), what="HAProxy answers")
        yield url
    finally:
        running.stop()


def _answers(url: str) -> bool:
    try:
        with Connection(url) as connection:
            return connection.ask("/livez").status == 200
    except OSError:
        return False


def _load(readers: list[Reader], url: str) -> Load:
    """Clients of the balancer, who know what they should get."""
    bodies: dict[str, bytes | None] = {}
    for reader in readers:
        with Connection(reader.url) as connection:
            for target in TARGETS:
                answer = connection.ask(target)
                assert answer.status == 200
                assert bodies.setdefault(target, answer.body) == answer.body
    return Load(url, bodies, clients=CLIENTS)


def test_readers_are_replaced_one_after_the_other_and_no_request_fails(
    fleet: Fleet, readers: list[Reader], balancer: str
) -> None:
    with _load(readers, balancer) as load:
        eventually(partial(load.has_answered, 200))
        for reader in readers:
            port = int(reader.url.rpartition(":")[2])
            reader.signal(signal.SIGTERM)
            reader.process.wait(30)
            successor = fleet.healthy_reader(PORT=port)
            served = partial(_requests, successor)
            eventually(lambda served=served: served() > 20, what="the new one takes part")  # type: ignore[misc]
    assert load.outcome.failures == []
    assert load.outcome.answered > 1000


def test_a_reader_that_is_killed_costs_no_more_than_what_it_was_answering(
    readers: list[Reader], balancer: str
) -> None:
    with _load(readers, balancer) as load:
        eventually(partial(load.has_answered, 500))
        readers[0].kill()
        eventually(partial(load.has_answered, load.outcome.answered + 500))
    assert len(load.outcome.failures) <= CLIENTS
    assert load.outcome.answered > 1000


def _requests(reader: Reader) -> int:
    """Requests for an organisation that a reader has answered."""
    lines = reader.get("/metrics").text.splitlines()
    found = (line for line in lines if 'route="/orgs/{org}"' in line and "requests_total" in line)
    return int(sum(float(line.rpartition(" ")[2]) for line in found))
