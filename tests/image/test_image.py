"""The image is built from the Dockerfile, and its three kinds of process run and answer."""

import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from redis import Redis
from rq import Worker

from scripts.embedded_redis import EmbeddedRedis, free_port
from tests.end_to_end.fleet import procfile
from tests.fakegithub.client import FakeGitHubProcess
from tests.image.conftest import PLANTED, tracked_files
from tests.image.containers import Confinement, Container
from tests.image.images import Image
from tests.shipping.environment import KINDS, SECRETS
from tests.waiting import eventually

PARTS = ("shared/", "reader/", "refresher/", "docs/runbooks/")


def test_the_image_holds_what_runs_and_nothing_else(image: Image) -> None:
    app = image.root / "app"
    held = {str(file.relative_to(app)) for file in app.rglob("*") if file.is_file()}
    own = {name for name in held if not re.search(r"__pycache__/.+\.pyc$", name)}
    alone = {"gunicorn.conf.py", "requirements.lock"}
    assert own == alone | {name for name in tracked_files() if name.startswith(PARTS)}
    assert not held & set(PLANTED)
    compiled = {name.split(".")[0] for name in held - own}
    assert "shared/__pycache__/settings" in compiled
    for leftover in ("wheels", "build"):
        assert not list((image.root / leftover).rglob("*.whl")), leftover


def test_nothing_planted_is_anywhere_in_the_image(image: Image) -> None:
    for folder in ("app", "home", "root", "tmp", "opt", "srv", "wheels", "build"):
        for file in (image.root / folder).rglob("*"):
            if file.is_file() and not file.is_symlink():
                assert b"GITHUB_API_TOKEN=planted" not in file.read_bytes(), file


def test_its_processes_own_none_of_its_files(image: Image) -> None:
    for file in (image.root / "app").rglob("*"):
        found = file.lstat()
        assert (found.st_uid, found.st_gid) == (0, 0), file
        assert not found.st_mode & stat.S_IWOTH or stat.S_ISLNK(found.st_mode), file


def test_its_configuration_is_that_of_the_dockerfile(image: Image) -> None:
    config = image.config
    assert config["Cmd"] == procfile()["reader"]
    assert (config["User"], config["WorkingDir"]) == ("10001:10001", "/app")
    assert (config["StopSignal"], list(config["ExposedPorts"])) == ("SIGTERM", ["5000/tcp"])
    assert not config.get("Entrypoint")
    assert config["Healthcheck"]["Test"][:2] == ["CMD", "python"]
    assert not {*SECRETS, "BASE"} & set(image.environment)


class Processes:
    """The three kinds of process from the image, and what they need."""

    def __init__(self, image: Image, folder: Path, redis: EmbeddedRedis, github: str) -> None:
        self._image, self._folder = image, folder
        self.port = free_port()
        self.environment = {
            "REDIS_URL": redis.url,
            "GITHUB_API_URL": github,
            "ORGS": "Netflix",
            "CACHE_TTL": "5",
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "1",
        }

    def container(self, kind: str) -> Container:
        """A process of a kind, as the Procfile starts it: with nothing but a /tmp to write to."""
        user, group = map(int, self._image.config["User"].split(":"))
        return Container(
            self._image,
            self._folder,
            procfile()[kind],
            environment=self.environment,
            confinement=Confinement((user, group), tmpfs={"/tmp": ["mode=1777", "size=64m"]}),
        )

    def get(self, path: str) -> requests.Response:
        """Ask the reader."""
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=30)


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(repos=30, members=10, anonymous_limit=1_000_000) as server:
        yield server


@pytest.fixture(scope="module")
def processes(
    image: Image,
    github: FakeGitHubProcess,
    redis_server: EmbeddedRedis,
    tmp_path_factory: pytest.TempPathFactory,
) -> Processes:
    folder = tmp_path_factory.mktemp("containers")
    return Processes(image, folder, redis_server, github.url)


def test_three_kinds_of_process_run_from_the_image_and_end_on_sigterm(
    processes: Processes, github: FakeGitHubProcess, redis: Redis
) -> None:
    with ExitStack() as stack:
        running = {kind: stack.enter_context(processes.container(kind)) for kind in KINDS}
        reader = running["reader"]
        eventually(reader.is_healthy, what="the image's health check")
        eventually(lambda: processes.get("/healthcheck").status_code == 200, what="all is held")
        names = [repo["full_name"] for repo in processes.get("/orgs/Netflix/repos").json()]
        assert sorted(names) == sorted(repo["full_name"] for repo in github.repos())
        assert processes.get(f"/repos/{names[0]}").json()["full_name"] == names[0]
        assert "What to do" in processes.get("/status/runbooks/client-refused").text
        assert redis.exists("rq:cron_schedulers")
        # Renewed ahead of its end, which only the scheduler asks for.
        before = github.counters()["total"]
        eventually(lambda: github.counters()["total"] > before, what="a renewal")
        assert len(Worker.all(redis)) == 1
        for kind, container in running.items():
            assert container.run("id", "-u").strip() == "10001", kind
            assert not container.succeeds("touch", "/app/anything"), kind
            assert container.succeeds("touch", "/tmp/anything"), kind
        assert {kind: one.end(within=30) for kind, one in running.items()} == dict.fromkeys(
            KINDS, 0
        )


def test_the_health_check_of_the_image_fails_if_nothing_answers(processes: Processes) -> None:
    with processes.container("scheduler") as scheduler:
        eventually(lambda: scheduler.succeeds("true"), what="it runs")
        assert not scheduler.is_healthy()
