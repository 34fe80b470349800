"""Three readers behind HAProxy: replaced one after the other, and killed, under load."""

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.end_to_end.balancer import haproxy, has_answered
from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.load import Load
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection
from tests.waiting import eventually

CLIENTS = 8
TARGETS = [
    "/orgs/Netflix",
    "/orgs/Netflix/members",
    "/orgs/Netflix/repos?page=2",
    "/view/top/5/stars",
    "/users/Netflix",
]


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
    with haproxy(tmp_path, readers) as url:
        yield url


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
            reader.process.wait(60)
            successor = fleet.healthy_reader(PORT=port)
            eventually(partial(has_answered, successor, 20), what="the new one takes part")
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
