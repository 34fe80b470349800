"""`make run`: one command runs all of it, one Ctrl-C stops all of it, and nothing is removed."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from scripts.embedded_redis import free_port
from tests.end_to_end.fleet import CHECKOUT, Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

REPOS = "/orgs/Netflix/repos"


def _run(folder: Path, github: str, name: str, **settings: object) -> Reader:
    """What `make run` starts, in a folder of its own."""
    port = free_port()
    environment = Fleet(folder, github).environment(PORT=port, REDIS_URL="", **settings)
    command = [sys.executable, "-m", "scripts.run", "--data", str(folder / "data")]
    run = Reader(command, environment, folder / name)
    run.url = f"http://127.0.0.1:{port}"
    return run


def _press_ctrl_c(run: Reader) -> list[psutil.Process]:
    """What the terminal does: SIGINT to the foreground process group. Gives who is left."""
    everyone = run.family()
    assert len(everyone) > 6, everyone
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.process.wait(60) == 0, run.output
    _, left = psutil.wait_procs(everyone, timeout=60)
    return left


def test_one_command_runs_everything_and_one_ctrl_c_stops_it(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    run = _run(tmp_path, github.url, "first.log")
    try:
        eventually(run.is_healthy)
        assert run.get(REPOS).json() == github.repos()
        eventually(lambda: "Ready. Try:" in run.output)
        assert f"curl -s {run.url}{REPOS}" in run.output
        assert _press_ctrl_c(run) == []
    finally:
        run.kill()

    github.fault("status", status=502)
    again = _run(tmp_path, github.url, "second.log")
    try:
        eventually(again.is_healthy, what="warm from what the first run left")
        assert again.get(REPOS).json() == github.repos()
        assert _press_ctrl_c(again) == []
    finally:
        again.kill()


def test_ctrl_c_in_the_middle_of_a_fetch_leaves_no_process_behind(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    github.fault("hang", path="/orgs/Netflix/repos")
    run = _run(tmp_path, github.url, "run.log", ORIGIN_READ_TIMEOUT=120)
    try:
        eventually(lambda: github.counters()["hanging"] > 0)
        assert _press_ctrl_c(run) == []
    finally:
        run.kill()


def test_processes_that_die_are_started_again_and_the_others_go_on(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    run = _run(tmp_path, github.url, "run.log", CACHE_TTL=600)
    names = ("gunicorn", "rq", "refresher.scheduler")
    try:
        eventually(run.is_healthy)
        doomed = {name: _pid(run, name) for name in names}
        for pid in doomed.values():
            os.kill(pid, signal.SIGKILL)
        eventually(
            lambda: all(_pid(run, name) not in {0, doomed[name]} for name in names),
            what="others have taken their places",
        )
        eventually(run.is_healthy)
        github.mutate("star", repo=1, by=100)
        eventually(lambda: run.get("/users/Netflix?new").status_code == 200)
        assert run.output.count("starting it again") >= len(names)
        assert _press_ctrl_c(run) == []
    finally:
        run.kill()


def _pid(run: Reader, word: str) -> int:
    """The oldest process of a command, without the one that keeps it running; 0 if it has ended."""
    found = []
    for process in run.family():
        with suppress(psutil.NoSuchProcess):  # or a zombie
            words = process.cmdline()[:4]
            if any(word in one for one in words) and "scripts.kept_running" not in words:
                found.append((process.create_time(), process.pid))
    return min(found, default=(0, 0))[1]


def test_a_closed_terminal_stops_it_too(tmp_path: Path, github: FakeGitHubProcess) -> None:
    run = _run(tmp_path, github.url, "run.log")
    try:
        eventually(run.is_healthy)
        everyone = run.family()
        run.signal(signal.SIGHUP)
        run.process.wait(60)
        assert psutil.wait_procs(everyone, timeout=60)[1] == []
    finally:
        run.kill()


def test_output_that_nobody_reads_any_more_stops_it_too(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    """As in `make run | head`."""
    environment = Fleet(tmp_path, github.url).environment(
        PORT=free_port(), REDIS_URL="", CACHE_TTL=2
    )
    command = [sys.executable, "-m", "scripts.run", "--data", str(tmp_path / "data")]
    with subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        assert run.stdout is not None
        while b"Ready" not in run.stdout.readline():
            pass
        everyone = psutil.Process(run.pid).children(recursive=True)
        run.stdout.close()
        github.mutate("star", repo=1, by=1)  # something to print about
        run.wait(60)
        assert psutil.wait_procs(everyone, timeout=60)[1] == []


def test_a_second_run_in_the_same_folder_is_refused(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    first = _run(tmp_path, github.url, "first.log")
    try:
        eventually(first.is_healthy)
        second = _run(tmp_path, github.url, "second.log")
        assert second.process.wait(60) == 1
        (line,) = second.output.splitlines()
        assert "another Redis is using" in line
    finally:
        first.kill()
