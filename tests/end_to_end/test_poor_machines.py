"""Readers on machines without room for temporary files, or with few open files, serve and say so.

And a fleet whose scheduler dies refreshes nevertheless, and says so.
"""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from rq.cron_scheduler_registry import get_registry_key

from scripts.embedded_redis import free_port
from tests.end_to_end.fleet import CHECKOUT, Fleet, Reader, procfile
from tests.end_to_end.up_to_date import await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection, request
from tests.waiting import eventually

PATHS = ["/", "/orgs/Netflix", "/orgs/Netflix/members", "/orgs/Netflix/repos"]
FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
# A mount namespace, in which nothing of the machine's is changed.
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
IN_NAMESPACE = """
for folder in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o "$0" none $folder || exit 1; done
mount --bind "$PWD" "$PWD" && mount -o remount,bind,ro "$PWD" && cd "$PWD" || exit 1
exec "$@"
"""
SIZE = 8_000_000  # bytes
FILES = 64
FEW_FILES = f'ulimit -n {FILES}; exec "$@"'


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHubProcess]:
    """The stand-in of this module's fleet."""
    with FakeGitHubProcess(anonymous_limit=1_000_000) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, github: FakeGitHubProcess) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    settings = {"CACHE_TTL": 1, "LOCAL_TTL": 0.5, "GITHUB_WEBHOOK_SECRET": "a-secret-of-a-webhook"}
    with Fleet(folder, github.url, **settings) as made:
        made.worker()
        yield made


@contextmanager
def reader_in(fleet: Fleet, folder: Path, *before: str) -> Iterator[Reader]:
    """A reader that another program starts, and which holds everything."""
    port = free_port()
    command = [*before, *procfile()["reader"]]
    reader = Reader(command, fleet.environment(PORT=port), folder / "reader.log", interpreter=True)
    reader.url = f"http://127.0.0.1:{port}"
    try:
        eventually(reader.is_healthy, what="the reader is healthy")
        yield reader
    finally:
        reader.kill()


@contextmanager
def reader_without_folders(fleet: Fleet, folder: Path, options: str) -> Iterator[Reader]:
    """A reader that finds other file systems where temporary files belong."""
    if any(Path(one) in CHECKOUT.parents for one in FOLDERS):
        pytest.skip("the checkout lies among temporary files")
    tried = subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("this machine allows no namespaces")
    with reader_in(fleet, folder, *NAMESPACE, "sh", "-c", IN_NAMESPACE, options) as reader:
        yield reader


def failing(reader: Reader) -> dict[str, float]:
    """For what the reader cannot write temporary files, by its metrics."""
    name = "api_read_cache_temporary_files_failing"
    lines = [line for line in reader.get("/metrics").text.splitlines() if line.startswith(name)]
    found = {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in lines}
    assert set(found) == {"counts", "segments", "bodies"}
    return {use: number for use, number in found.items() if number}


def statement(reader: Reader, title: str, text: str = "") -> dict[str, Any] | None:
    """What the status page says under a title, if it says that."""
    said = reader.get("/status.json").json()["statements"]
    return next((one for one in said if one["title"] == title and text in one["text"]), None)


def large_delivery(reader: Reader) -> int:
    """The status of the response to a delivery that does not fit in memory."""
    body = b"x" * 2_000_000
    fields = {
        "Content-Length": str(len(body)),
        "X-GitHub-Event": "star",
        "X-GitHub-Delivery": "11111111-2222-3333-4444-000000000001",
        "X-Hub-Signature-256": f"sha256={'0' * 64}",
    }
    with Connection(reader.url, timeout=60) as connection:
        connection.send(request("/webhooks/github", method="POST", **fields))
        connection.send(body)
        return connection.receive().status


def doctor_warns(fleet: Fleet, about: str, words: str) -> bool:
    found = json.loads(fleet.cache("doctor", "--json").stdout)
    return any(
        one["about"] == about and one["verdict"] == "warning" and words in one["found"]
        for one in found
    )


def test_a_reader_whose_temporary_folders_are_read_only_serves_and_says_so(
    fleet: Fleet, tmp_path: Path
) -> None:
    with reader_without_folders(fleet, tmp_path, "ro") as reader:
        for path in (*PATHS, "/status", "/users/no-room"):
            assert reader.get(path).status_code in {200, 404}
        assert large_delivery(reader) == 503
        assert failing(reader) == {"counts": 1, "segments": 1, "bodies": 1}
        assert reader.output.count("no temporary file can be written for counts") == 1
        title = "Temporary files cannot be written"
        # The next heartbeat tells of the delivery, too.
        text = f":{reader.url.rpartition(':')[2]}: bodies ("
        said = eventually(lambda: statement(reader, title, text), what=title)
        assert "counts (there is no folder for it), segments (there is no" in said["text"]
        assert "large lists in its own memory" in said["text"]
        assert "TemporaryFilesFailing" in reader.get(said["runbook"]).text
        assert doctor_warns(fleet, "readers", "counts (there is no folder for it) and segments (")


def fill(folder: Path) -> None:
    """Write until there is no room."""
    with (folder / "filling").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_a_reader_whose_temporary_folders_become_full_serves_and_recovers(
    fleet: Fleet, github: FakeGitHubProcess, tmp_path: Path
) -> None:
    with reader_without_folders(fleet, tmp_path, f"size={SIZE}") as reader:
        assert failing(reader) == {}
        assert large_delivery(reader) == 401
        processes = [one.pid for one in reader.processes()]
        full = [Path(f"/proc/{processes[0]}/root{folder}") for folder in FOLDERS]
        for folder in full:
            fill(folder)
        github.mutate("star", repo=3, by=1)
        await_up_to_date(github, reader)
        assert large_delivery(reader) == 503
        eventually(lambda: failing(reader) == {"counts": 1, "segments": 1, "bodies": 1})
        assert "No space left on device" in reader.output
        for folder in full:
            (folder / "filling").unlink()
        assert large_delivery(reader) == 401
        github.mutate("star", repo=4, by=1)
        await_up_to_date(github, reader)
        eventually(lambda: failing(reader) == {}, what="everything can be written again")
        assert [one.pid for one in reader.processes()] == processes


def test_a_reader_with_few_open_files_goes_on_answering_and_says_so(
    fleet: Fleet, tmp_path: Path
) -> None:
    with reader_in(fleet, tmp_path, "sh", "-c", FEW_FILES, "sh") as reader:
        (process,) = reader.processes()
        with ExitStack() as crowd:
            for _ in range(200):  # that send nothing: the oldest make room for others
                crowd.enter_context(Connection(reader.url, timeout=60))
            began, before = time.monotonic(), busy(process)
            for number in range(10):
                for path in (*PATHS, "/status", "/metrics"):
                    assert reader.get(path).status_code == 200
                assert reader.get(f"/users/one-of-few-{number}").status_code == 404
                time.sleep(0.1)
            assert process.num_fds() < FILES
            time.sleep(1)
            assert busy(process) - before < 0.9 * (time.monotonic() - began), "it does not spin"
        assert reader.get(PATHS[-1]).status_code == 200
        eventually(lambda: process.num_fds() < FILES / 2 + 10, what="the files are free again")
        assert reader.output.count(f"only {FILES} files may be open") == 1
        assert len(reader.output.splitlines()) < 20
        assert [one.pid for one in reader.processes()] == [process.pid]


def busy(process: psutil.Process) -> float:
    """Seconds of processor time."""
    times = process.cpu_times()
    return float(times.user + times.system)


def test_a_fleet_whose_scheduler_dies_goes_on_refreshing_and_says_so(
    fleet: Fleet, github: FakeGitHubProcess
) -> None:
    title = "No scheduler is running any more"
    reader = fleet.healthy_reader()
    schedulers = [fleet.scheduler(), fleet.scheduler()]
    with fleet.redis() as redis:
        eventually(lambda: redis.zcard(get_registry_key()) == 2, what="both are registered")
        for one in schedulers:
            one.signal(signal.SIGKILL)
            one.process.wait(60)
        github.mutate("star", repo=5, by=1)
        await_up_to_date(github, reader)
        names = redis.zrange(get_registry_key(), 0, -1)
        assert len(names) == 2
        # One that is silent counts as gone after a while: as if it were over.
        heard = redis.time()[0] - 200
        redis.zadd(get_registry_key(), {names[0]: heard})
        assert "api_read_cache_schedulers 1.0" in reader.get("/metrics").text
        assert statement(reader, title) is None
        redis.zadd(get_registry_key(), {names[1]: heard})
    said = eventually(lambda: statement(reader, title), what=title)
    assert "SchedulerLost" in reader.get(said["runbook"]).text
    assert "api_read_cache_schedulers 0.0" in reader.get("/metrics").text
    assert doctor_warns(fleet, "scheduler", "the last one has died")
    fleet.scheduler()
    eventually(lambda: statement(reader, title) is None, what="another one takes over")
    assert "api_read_cache_schedulers 1.0" in reader.get("/metrics").text
