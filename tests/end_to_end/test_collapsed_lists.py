"""A list that collapses at GitHub is served as it was, until a second look says the same."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.suspicion import SECOND_LOOK_S
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"


@pytest.fixture
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(repos=245, members=3, anonymous_limit=1_000_000) as server:
        yield server


def state_of_repos(reader: Reader) -> str:
    """The state of the list on the status page."""
    rows = reader.get("/status.json").json()["resources"]
    return next(str(row["state"]) for row in rows if row["name"].lower() == REPOS.lower())


def test_an_empty_list_is_believed_after_a_second_look_and_the_status_page_and_the_log_say_so(
    github: FakeGitHubProcess, tmp_path: Path
) -> None:
    with Fleet(tmp_path, github.url, CACHE_TTL=3, LOCAL_TTL=0.2) as fleet:
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        assert len(reader.get(REPOS).json()) == 245
        github.fault("empty_list", path="/orgs/Netflix/repos")
        began = time.time()
        eventually(lambda: reader.get(REPOS) and state_of_repos(reader) == "in doubt")
        statements = reader.get("/status.json").json()["statements"]
        assert any("245" in one["text"] for one in statements), statements
        while True:
            served = reader.get(REPOS)
            if time.time() >= began + SECOND_LOOK_S:  # the second look may have come
                break
            assert len(served.json()) == 245
            time.sleep(0.2)
        eventually(lambda: reader.get(REPOS).json() == [], what="it is believed")
        assert reader.is_healthy()
        lines = [line for line in worker.output.splitlines() if "where there were 245" in line]
        assert len(lines) >= 2, lines  # the doubt, and the belief
        github.clear_faults()
        eventually(lambda: len(reader.get(REPOS).json()) == 245)
