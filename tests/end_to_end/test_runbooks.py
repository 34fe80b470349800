"""What runbooks say of commands, pages and metrics is so, in a fleet that has the trouble."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.fleet import Fleet, Reader, Running
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"


class Troubled(Fleet):
    """A fleet of one reader and one refresher, which tests bring into trouble and out of it."""

    refresher: Running

    def begin_refreshing(self) -> None:
        """Start the refresher, and wait until everything is fresh."""
        self.refresher = self.worker()
        eventually(lambda: self.cache("warm").returncode == 0, what="everything is fresh")

    def is_said(self, title: str) -> str:
        """Wait until the status page says it; give the runbook that it leads to."""
        (reader,) = self.readers
        said = eventually(lambda: statement(reader, title), what=title)
        return reader.get(said["runbook"]).text.partition("\n")[0].removeprefix("# ApiReadCache")


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHubProcess]:
    """The stand-in of this module's fleet."""
    server = FakeGitHubProcess(anonymous_limit=1_000_000)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, github: FakeGitHubProcess
) -> Iterator[Troubled]:
    folder = tmp_path_factory.mktemp("fleet")
    with Troubled(folder, github.url, CACHE_TTL=600, MISS_WAIT=1) as made:
        made.begin_refreshing()
        made.healthy_reader()
        yield made


@pytest.fixture(autouse=True)
def _github_is_well_afterwards(github: FakeGitHubProcess) -> Iterator[None]:
    yield
    github.clear_faults()


def statement(reader: Reader, title: str) -> dict[str, Any] | None:
    """What the status page says under a title."""
    said = reader.get("/status.json").json()["statements"]
    return next((one for one in said if one["title"] == title), None)


def test_refresh_failing(fleet: Troubled, github: FakeGitHubProcess) -> None:
    (reader,) = fleet.readers
    github.fault("status", status=502)
    tried = fleet.cache("refresh", REPOS)
    assert (tried.returncode, "GitHub answered 502" in tried.stdout) == (1, True)
    listed = fleet.cache("list").stdout.partition("\nHeld back\n")[2]
    assert f"{REPOS}  GitHub answered 502 (once). Since " in listed
    assert "It ends when a refresh succeeds" in listed
    assert "Held back     GitHub answered 502" in fleet.cache("show", REPOS).stdout
    eventually(
        lambda: "it responded 502" in fleet.cache("doctor").stdout,
        what="the refresher has reported what GitHub responds",
    )
    assert fleet.is_said("GitHub is failing") == "RefreshFailing"
    assert reader.get(REPOS).status_code == 200
    github.clear_faults()
    assert fleet.cache("refresh", REPOS).returncode == 0, "it does not wait for the next attempt"


def test_origin_paused(fleet: Troubled, github: FakeGitHubProcess) -> None:
    github.fault("secondary", retry_after=600)
    assert "secondary limit was met" in fleet.cache("refresh", REPOS).stdout
    assert fleet.is_said("GitHub asked for a pause") == "OriginPaused"
    assert "all refreshers pause" in fleet.refresher.output
    github.clear_faults()
    assert fleet.cache("resume").returncode == 0
    assert fleet.cache("refresh", REPOS).returncode == 0


def test_refreshing_paused(fleet: Troubled) -> None:
    (reader,) = fleet.readers
    assert fleet.cache("pause").returncode == 0
    assert fleet.is_said("Refreshing is paused") == "RefreshingPaused"
    missed = reader.get("/users/held-nowhere")
    assert (missed.status_code, missed.json()["message"]) == (
        503,
        "Refreshing is paused by an operator.",
    )
    begun = "held back: all refreshes: an operator has paused refreshing. Since "
    eventually(lambda: begun in reader.output, what="a reader logs it")
    assert "It ends when an operator resumes refreshing." in reader.output
    ended = fleet.run("rq", "resume", "--config", "refresher.rq_config")
    assert ended.returncode == 0, ended.stderr
    eventually(lambda: reader.get("/users/held-nowhere").status_code == 404)


def test_no_refreshers(fleet: Troubled) -> None:
    (reader,) = fleet.readers
    fleet.refresher.stop()
    assert fleet.is_said("No refresher is running") == "NoRefreshers"
    assert 'api_read_cache_workers{state="idle"} 0.0' in reader.get("/metrics").text
    doctor = fleet.cache("doctor", "--json")
    (found,) = (one for one in json.loads(doctor.stdout) if one["about"] == "refreshers")
    assert (doctor.returncode, found["verdict"]) == (1, "problem")
    assert found["found"].startswith("none is running")
    assert reader.get(REPOS).status_code == 200
    missed = reader.get("/users/queued")
    assert (missed.status_code, "Retry-After" in missed.headers) == (503, True)
    fleet.begin_refreshing()
    eventually(lambda: reader.get("/users/queued").status_code == 404)


def test_redis_away(fleet: Troubled) -> None:
    (reader,) = fleet.readers
    fleet.redis_server.stop()
    assert fleet.is_said("Redis is away") == "RedisAway"
    assert "api_read_cache_redis_up 0.0" in reader.get("/metrics").text
    doctor = fleet.cache("doctor")
    assert (doctor.returncode, "Redis does not respond" in doctor.stdout) == (1, True)
    assert reader.get(REPOS).status_code == 200
    missed = reader.get("/users/nowhere")
    assert (missed.status_code, missed.json()["message"]) == (
        503,
        "The cache's store cannot be reached.",
    )
    fleet.redis_server.start()
    eventually(lambda: statement(reader, "Redis is away") is None, what="it is noticed")
    eventually(lambda: fleet.cache("refresh", REPOS).returncode == 0, what="refreshing goes on")
