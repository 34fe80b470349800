"""A fork that fails ends no reader: the arbiter serves with what it has, and tries again."""

import sys
from pathlib import Path

from scripts.embedded_redis import free_port
from tests.end_to_end.fleet import Fleet, Reader, procfile
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

# gunicorn in a system that has no process left for the first three tries.
GUNICORN = """
import os, sys

fork, failures = os.fork, 3

def failing():
    global failures
    if failures:
        failures -= 1
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()

os.fork = failing
from gunicorn.app.wsgiapp import run
sys.exit(run())
"""


def test_a_reader_begins_although_its_first_forks_fail(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, WEB_CONCURRENCY=2) as fleet:
        fleet.worker()
        port = free_port()
        command = [sys.executable, "-c", GUNICORN, *procfile()["reader"][1:]]
        reader = Reader(command, fleet.environment(PORT=port), tmp_path / "reader.log")
        try:
            reader.url = f"http://127.0.0.1:{port}"
            eventually(reader.is_healthy)
            assert len(reader.processes()) == 2
            assert reader.output.count("a process cannot be started") == 3
        finally:
            reader.kill()
