"""GitHub may fail in any way, for as long as it likes: clients keep getting what was good last."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared.redis import keys
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from tests.end_to_end.fleet import Fleet, Reader
from tests.end_to_end.up_to_date import await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"
LIST = Catalogue(("Netflix",)).of_kind(REPOSITORIES, "Netflix")
PATHS = ["/", "/orgs/Netflix", "/orgs/Netflix/members", REPOS, "/view/top/3/stars"]

FAULTS: dict[str, dict[str, Any]] = {
    "status": {"status": 500},
    "html": {"status": 200},
    "hang": {},
    "truncate": {},
    "cut_chunked": {},
    "reset": {},
    "garbage": {},
    "empty": {},
    "wrong_shape": {},
    "ratelimited": {"reset_in": 1},
    "secondary": {"retry_after": 1},
}


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(anonymous_limit=1_000_000) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(github: FakeGitHubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One fleet for all faults: surviving one must not weaken it for the next."""
    folder = tmp_path_factory.mktemp("fleet")
    with Fleet(folder, github.url, CACHE_TTL=0.5, ORIGIN_READ_TIMEOUT=0.5) as running:
        running.worker()
        running.worker()
        running.healthy_reader()
        yield running


@pytest.fixture
def reader(fleet: Fleet) -> Reader:
    return fleet.readers[0]


@pytest.mark.parametrize("kind", FAULTS)
def test_the_last_good_content_is_served_while_github_fails(
    kind: str, fleet: Fleet, reader: Reader, github: FakeGitHubProcess
) -> None:
    github.clear_faults()
    await_up_to_date(github, reader)
    stored = _stored(fleet)
    github.fault(kind, **FAULTS[kind])
    github.mutate("star", repo=7, by=1000)
    eventually(lambda: _has_failed(fleet), what="the refresh has failed")
    served = {path: reader.get(path).content for path in PATHS}

    until = time.monotonic() + 1
    while time.monotonic() < until:
        for path in PATHS:
            answer = reader.get(path)
            assert (answer.status_code, answer.content) == (200, served[path])
        time.sleep(0.1)
    assert reader.get("/healthcheck").status_code == 200
    assert _stored(fleet) == stored
    assert reader.get(REPOS).json() != github.repos()

    github.clear_faults()
    await_up_to_date(github, reader)
    eventually(lambda: not _has_failed(fleet), what="no failure is recorded any more")


def _stored(fleet: Fleet) -> dict[bytes, dict[bytes, bytes]]:
    """All that Redis holds of the list but for how fresh it is, byte for byte."""
    with fleet.redis() as redis:
        entry = redis.hgetall(keys.entry(LIST))
        pages = redis.hgetall(keys.pages(LIST))
    # A refresh that began before the fault may confirm it.
    confirmed = {b"validated_at", b"fresh_until", b"confirmed_by", b"first_at"}
    kept = {name: value for name, value in entry.items() if name not in confirmed}
    return {b"entry": kept, b"pages": pages}


def _has_failed(fleet: Fleet) -> bool:
    with fleet.redis() as redis:
        return bool(redis.exists(keys.failure(LIST)))
