"""A fleet on this machine: a Redis, readers under gunicorn, `rq worker` processes."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, Self, TypeVar

import psutil
import requests
from redis import Redis

from scripts.embedded_redis import EmbeddedRedis, free_port
from shared.redis.connection import client_of
from shared.settings import REFRESHERS_ONLY
from tests.end_to_end.forks import Forks
from tests.waiting import eventually

CHECKOUT = Path(__file__).resolve().parents[2]
_PROGRAMS = Path(sys.executable).parent
# The fork server, which starts programs of this checkout without importing everything again; the
# tests' `conftest.py` sets it. Without it, as in benchmarks, each process has its own interpreter.
FORKS: Forks | None = None
Kind = TypeVar("Kind", bound="Running")


class RedisServer(Protocol):
    """A Redis server, or several that are used as one."""

    @property
    def url(self) -> str:
        """The value of `REDIS_URL` for processes."""

    def start(self) -> None:
        """Start it, and wait until it responds."""

    def stop(self) -> None:
        """End it."""


class Process(Protocol):
    """What `subprocess.Popen` and `Forked` have in common."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """The exit status; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended; `subprocess.TimeoutExpired` after `timeout`."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal."""

    def terminate(self) -> None:
        """Send SIGTERM."""

    def kill(self) -> None:
        """Send SIGKILL."""


class Running:
    """A process with its children, its output in a file.

    Args:
        command: what it runs.
        environment: all of its variables.
        log: file for its output.
        checkout: its working directory, and whose code it runs.
        interpreter: whether it gets an interpreter of its own, also where it could be forked.
    """

    def __init__(
        self,
        command: list[str],
        environment: dict[str, str],
        log: Path,
        *,
        checkout: Path = CHECKOUT,
        interpreter: bool = False,
    ) -> None:
        self.log = log
        self.process: Process
        if FORKS and not interpreter and checkout == CHECKOUT and FORKS.can_start(command):
            self.process = FORKS.start(
                command, environment=environment, folder=checkout, stdout=log, stderr=log
            )
            return
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=checkout,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def family(self) -> list[psutil.Process]:
        """The process and all its descendants."""
        try:
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, not to its children."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Send SIGKILL to the process and all its descendants at once."""
        family = self.family()
        for member in family:
            if member.is_running():
                member.kill()
        self.process.wait()
        psutil.wait_procs(family, timeout=60)

    def stop(self) -> None:
        """Send SIGTERM; kill the process if it still runs after a minute."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()


class Reader(Running):
    """A node: one gunicorn with its reader processes, on its own port."""

    url: str

    def processes(self) -> list[psutil.Process]:
        """The reader processes, without the arbiter."""
        return self.family()[1:]

    def get(self, path: str, **options: Any) -> requests.Response:
        """One request on a connection of its own."""
        return requests.get(self.url + path, timeout=90, **options)

    def post(self, path: str) -> requests.Response:
        """A request of a method that is not allowed."""
        return requests.post(self.url + path, timeout=60)

    def is_healthy(self) -> bool:
        """Whether every tracked resource can be served."""
        try:
            return self.get("/healthcheck").status_code == 200
        except requests.ConnectionError:
            return False


class Fleet:
    """The processes of a deployment with common settings; they end with the block.

    Args:
        folder: for data and logs.
        github: URL of the origin.
        redis: by default `redis_server`, which keeps its port when it is restarted.
        settings: environment variables for all; readers get no credentials of the refreshers.
    """

    def __init__(
        self,
        folder: Path,
        github: str,
        redis: RedisServer | None = None,
        /,
        **settings: object,
    ) -> None:
        self._folder = folder
        self.interpreters = False  # whether each process gets one, and readers get every setting
        self.checkout = CHECKOUT  # of processes that are started from now on
        self.redis_server = EmbeddedRedis(folder / "redis", port=free_port())
        self._redis: RedisServer = redis or self.redis_server
        self._settings = {
            "GITHUB_API_URL": github,
            "MISS_WAIT": "60",
            "BACKOFF_MAX": "1",
            "LOCK_TTL": "5",
            "DRIFT_CHECK_INTERVAL": "0",  # tests count requests to GitHub
            "WEB_CONCURRENCY": "1",
            **{name: str(value) for name, value in settings.items()},
        }
        self._running: list[Running] = []

    def __enter__(self) -> Self:
        self._redis.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Tests of how processes end have ended them. A graceful end of the others takes a second.
        for running in self._running:
            if running.process.poll() is None:
                running.kill()
        self._redis.stop()
        if kind is not None and kind is not KeyboardInterrupt:
            for running in self._running:
                print(f"--- {running.log.name}\n{running.output[-6000:]}")

    def redis(self) -> Redis:
        """A client of the fleet's Redis, which a busy machine may hold up; the caller closes it."""
        client = client_of(self._redis.url)
        client.connection_pool.connection_kwargs |= {
            "socket_timeout": 60,
            "socket_connect_timeout": 60,
        }
        return client

    def forget_data(self) -> None:
        """Delete the data of the stopped Redis, so that it starts empty."""
        (self._folder / "redis" / "dump.rdb").unlink(missing_ok=True)

    def reader(self, *arguments: str, **settings: object) -> Reader:
        """Start a reader as the Procfile does.

        Args:
            arguments: further ones for gunicorn.
            settings: environment variables.
        """
        return self._reader([*procfile()["reader"], *arguments], settings)

    def flask_reader(self, **settings: object) -> Reader:
        """Start the Flask application alone, without the front."""
        threads = ["--worker-class", "gthread", "--threads", "16"]
        command = ["gunicorn", "--config", "gunicorn.conf.py", *threads, "reader.wsgi:app"]
        return self._reader(command, settings)

    @property
    def readers(self) -> list[Reader]:
        """The readers started so far."""
        return [running for running in self._running if isinstance(running, Reader)]

    def worker(self, **settings: object) -> Running:
        """Start a refresher as the Procfile does."""
        return self._start(Running, "refresher", procfile()["refresher"], settings)

    def plain_worker(self, **settings: object) -> Running:
        """Start RQ's own worker, without our configuration and worker class."""
        command = ["rq", "worker", "--serializer", "json", "refresh"]
        return self._start(Running, "plain", command, settings)

    def scheduler(self, **settings: object) -> Running:
        """Start a scheduler as the Procfile does."""
        return self._start(Running, "scheduler", procfile()["scheduler"], settings)

    def healthy_reader(self, *arguments: str, **settings: object) -> Reader:
        """Start a reader; wait until all its processes listen and it serves what is tracked.

        gunicorn's arbiter starts its processes one after the other, and the first may be healthy
        before it has begun with the second.
        """
        reader = self.reader(*arguments, **settings)
        number = int(str((self._settings | settings)["WEB_CONCURRENCY"]))
        eventually(
            lambda: reader.output.count("ASGI server listening") >= number,
            what=f"{number} processes listen",
        )
        eventually(reader.is_healthy, what="the reader is healthy")
        return reader

    def run(self, *command: str, **settings: object) -> subprocess.CompletedProcess[str]:
        """Run a command of this project to its end, with the fleet's environment."""
        return run(list(command), self.environment(**settings), self._folder)

    def cache(self, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
        """Run `flask --app reader cache ...` with the fleet's environment."""
        return self.run("flask", "--app", "reader", "cache", *arguments, **settings)

    def environment(self, **settings: object) -> dict[str, str]:
        """The environment of a process: the fleet's settings and these, none of the caller's own.

        A setting that is None is left out.
        """
        known = {
            "PATH": os.pathsep.join([str(_PROGRAMS), os.environ["PATH"]]),
            "HOME": str(self._folder),
            "REDIS_URL": self._redis.url,
            "PYTHONUNBUFFERED": "1",
            **self._settings,
            **settings,
        }
        return {name: str(value) for name, value in known.items() if value is not None}

    def _reader(self, command: list[str], settings: dict[str, object]) -> Reader:
        port = settings.get("PORT") or free_port()
        known = {**settings, "PORT": port}
        if not self.interpreters:
            known = {**dict.fromkeys(REFRESHERS_ONLY), **known}
        reader = self._start(Reader, "reader", command, known)
        reader.url = f"http://127.0.0.1:{port}"
        eventually(lambda: self._answers(reader), what="the reader answers")
        return reader

    def _start(
        self, kind: type[Kind], process: str, command: list[str], settings: dict[str, object]
    ) -> Kind:
        log = self._folder / f"{process}-{len(self._running)}.log"
        running = kind(
            command,
            self.environment(**settings),
            log,
            checkout=self.checkout,
            interpreter=self.interpreters,
        )
        self._running.append(running)
        return running

    @staticmethod
    def _answers(reader: Reader) -> bool:
        assert reader.process.poll() is None, reader.output
        try:
            return reader.get("/livez").ok
        except requests.ConnectionError:
            return False


def run(
    command: list[str], environment: dict[str, str], folder: Path, *, timeout: float = 200
) -> subprocess.CompletedProcess[str]:
    """Run a command of this project to its end, and give its status and what it printed.

    Args:
        command: `flask ...`, `rq ...`, `gunicorn ...` or `python -m ...`.
        environment: all of its variables.
        folder: for its output.
        timeout: seconds after which it is killed, and `subprocess.TimeoutExpired` is raised.
    """
    if not (FORKS and FORKS.can_start(command)):
        return subprocess.run(
            command,
            cwd=CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    with TemporaryDirectory(dir=folder) as made:
        stdout, stderr = Path(made, "stdout"), Path(made, "stderr")
        process = FORKS.start(
            command, environment=environment, folder=CHECKOUT, stdout=stdout, stderr=stderr
        )
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(command, status, stdout.read_text(), stderr.read_text())


def procfile() -> dict[str, list[str]]:
    """The commands of the Procfile, by process type."""
    lines = (CHECKOUT / "Procfile").read_text().splitlines()
    pairs = (line.partition(":") for line in lines if line.strip())
    return {name: shlex.split(command) for name, _, command in pairs}
