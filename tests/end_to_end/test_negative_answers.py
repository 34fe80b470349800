"""A 404 that became a 200 while nobody asked is seen by the first who asks after its lifetime."""

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

TTL = 1  # second


@pytest.fixture
def fleet(tmp_path: Path, github: FakeGitHubProcess) -> Iterator[Fleet]:
    with Fleet(tmp_path, github.url, ON_DEMAND_TTL=TTL, LOCAL_TTL=0.5) as running:
        running.worker()
        running.healthy_reader()
        yield running


def outlive() -> None:
    """Let the lifetime of all answers end; nobody asks meanwhile."""
    time.sleep(TTL + 0.2)


def held_path(reader: Reader, github: FakeGitHubProcess) -> str:
    """A path whose 404 was held when it was requested for the second time."""
    for number in count():
        path, began = f"/repos/Netflix/later-{number}", time.monotonic()
        assert reader.get(path).status_code == 404
        held, requests = reader.get(path), github.page_requests(path.lower())
        assert held.status_code == 404
        assert "stale-while-revalidate" not in held.headers["Cache-Control"]
        if time.monotonic() - began < TTL:  # a busy machine may need longer
            assert requests == 1
            return path
    raise AssertionError("`count` has no end")


def test_the_first_request_after_the_lifetime_gets_what_exists_by_now(
    fleet: Fleet, github: FakeGitHubProcess
) -> None:
    reader = fleet.readers[0]
    path = held_path(reader, github)
    asked = github.page_requests(path.lower())
    github.mutate("add", name=path.rpartition("/")[2])
    outlive()
    found = reader.get(path)
    assert found.status_code == 200
    assert "fwd=stale; stored" in found.headers["Cache-Status"]
    assert "detail=renewed" in found.headers["Cache-Status"]
    assert github.page_requests(path.lower()) == asked + 1


def test_the_old_answer_is_served_while_nothing_may_be_refreshed(
    fleet: Fleet, github: FakeGitHubProcess
) -> None:
    reader, path = fleet.readers[0], "/repos/Netflix/missing"
    assert reader.get(path).status_code == 404
    assert fleet.cache("pause").returncode == 0
    outlive()
    stale = reader.get(path)
    assert stale.status_code == 404
    assert "ttl=-" in stale.headers["Cache-Status"]
    github.mutate("add", name="missing")
    assert fleet.cache("resume").returncode == 0
    eventually(lambda: reader.get(path).status_code == 200, what="it is asked for anew")


def test_the_old_answer_is_served_while_redis_is_away(fleet: Fleet) -> None:
    reader, path = fleet.readers[0], "/repos/Netflix/nothing"
    assert reader.get(path).status_code == 404
    fleet.redis_server.stop()
    outlive()
    stale = reader.get(path)
    assert stale.status_code == 404
    assert "ttl=-" in stale.headers["Cache-Status"]
    fleet.redis_server.start()
