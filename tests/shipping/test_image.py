"""What is in the image is enough for each kind of process and for the health check."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis
from rq import Worker
from rq.worker import WorkerStatus

from scripts.embedded_redis import EmbeddedRedis, free_port
from tests.end_to_end.fleet import procfile
from tests.shipping.dockerfile import copied, health_check
from tests.shipping.environment import KINDS, ROOT, run
from tests.shipping.stand_in import a_server
from tests.waiting import eventually


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_tells_whether_a_reader_answers(status: int, healthy: bool) -> None:
    with a_server(livez=status) as port:
        # A proxy for the internet is none for this.
        environment = {"PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
        assert (run(*health_check(), env=environment).returncode == 0) is healthy


def test_the_health_check_tells_that_nobody_answers() -> None:
    assert run(*health_check(), env={"PORT": str(free_port())}).returncode != 0


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A folder that holds of this checkout what the image does."""
    folder = tmp_path / "app"
    folder.mkdir()
    for source, target in copied().items():
        if (ROOT / source).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, folder / target, ignore=ignore)
        else:
            shutil.copy(ROOT / source, folder / target)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_in_the_image_is_enough_and_sigterm_ends_it(
    kind: str, image: Path, redis: Redis, redis_server: EmbeddedRedis
) -> None:
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "REDIS_URL": redis_server.url,
        "GITHUB_API_URL": "http://127.0.0.1:9",
        "PORT": str(free_port()),
        "WEB_CONCURRENCY": "1",
    }

    def is_up() -> bool:
        assert process.poll() is None, log.read_text()
        if kind == "reader":
            return run(*health_check(), env=environment).returncode == 0
        if kind == "scheduler":
            return bool(redis.exists("rq:cron_schedulers"))
        # Not merely known: idle, since from then on it hears signals.
        return [worker.get_state() for worker in Worker.all(redis)] == [WorkerStatus.IDLE]

    log = image.parent / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            procfile()[kind], cwd=image, env=environment, stdout=output, stderr=output
        ) as process,
    ):
        try:
            eventually(is_up, what=f"the {kind} is up")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=15) == 0, log.read_text()
        finally:
            process.kill()
