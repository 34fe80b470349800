"""The fork server tells the truth about what it started, and leaves nothing behind."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts.embedded_redis import free_port
from tests.end_to_end.fleet import CHECKOUT
from tests.end_to_end.forks import Forked, Forks
from tests.waiting import eventually


@pytest.fixture
def forks() -> Iterator[Forks]:
    made = Forks()
    yield made
    made.stop()


def start(forks: Forks, folder: Path, *command: str, **environment: str) -> Forked:
    return forks.start(
        ["python", "-m", *command],
        environment=environment,
        folder=CHECKOUT,
        stdout=folder / "stdout",
        stderr=folder / "stderr",
    )


def test_a_process_has_its_environment_output_and_exit_status(forks: Forks, tmp_path: Path) -> None:
    content = tmp_path / "content.json"
    content.write_text('{"a": 1}')
    assert start(forks, tmp_path, "json.tool", "--compact", str(content)).wait(60) == 0
    assert (tmp_path / "stdout").read_text() == '{"a":1}\n'
    assert start(forks, tmp_path, "json.tool", "--no-such-option").wait(60) == 2
    assert "--no-such-option" in (tmp_path / "stderr").read_text()
    assert start(forks, tmp_path, "scripts.run", CACHE_TTL="soon").wait(60) == 1
    assert "CACHE_TTL=soon" in (tmp_path / "stderr").read_text()


def test_a_process_runs_until_a_signal_or_the_end_of_the_server_ends_it(
    forks: Forks, tmp_path: Path
) -> None:
    serving = [start(forks, tmp_path, "http.server", str(free_port())) for _ in range(3)]
    assert [one.poll() for one in serving] == [None] * 3
    with pytest.raises(subprocess.TimeoutExpired):
        serving[0].wait(0.1)
    serving[0].kill()
    assert serving[0].wait(60) == -signal.SIGKILL
    serving[1].terminate()
    assert serving[1].wait(60) == -signal.SIGTERM
    left = psutil.Process(serving[2].pid)
    forks.stop()
    eventually(lambda: not left.is_running() or left.status() == psutil.STATUS_ZOMBIE)
