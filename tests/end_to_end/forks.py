"""The tests' side of the fork server: processes that can be used like those of `subprocess`."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.end_to_end.fork_server import can_start

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_FIRST_PAUSE: Final = 0.005  # seconds between two questions whether a process has ended
_LONGEST_PAUSE: Final = 0.05


class Forked:
    """A process that the fork server started, with the methods of `subprocess.Popen`."""

    def __init__(self, forks: "Forks", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._forks = forks

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self._forks.status_of(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit status.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                assert timeout is not None
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Forks:
    """A fork server, started with the first process that it is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None

    @staticmethod
    def can_start(command: list[str]) -> bool:
        """Whether it knows the command's program."""
        return can_start(command)

    def start(
        self,
        command: list[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        stdout: Path,
        stderr: Path,
    ) -> Forked:
        """Start a program in a session of its own.

        Args:
            command: `gunicorn ...`, `rq ...`, `flask ...` or `python -m MODULE ...`.
            environment: all of its variables.
            folder: its working directory.
            stdout: file to which its output is appended.
            stderr: the same for its errors; may be the same file.
        """
        names = {"folder": folder, "stdout": stdout, "stderr": stderr}
        paths = {name: str(path.resolve()) for name, path in names.items()}
        response = self._ask({"command": command, "environment": dict(environment), **paths})
        return Forked(self, response["pid"])

    def status_of(self, pid: int) -> int | None:
        """The exit status of a process, None while it runs."""
        status: int | None = self._ask({"pid": pid})["status"]
        return status

    def stop(self) -> None:
        """End the server, and kill what it started and still runs."""
        with self._lock:
            if self._server is not None:
                self._lines.close()
                self._channel.close()
                self._server.wait(60)
                self._server = None

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if self._server is None:
                self._begin()
            self._channel.sendall(json.dumps(request).encode() + b"\n")
            line = self._lines.readline()
        assert line, "the fork server has ended"
        response: dict[str, Any] = json.loads(line)
        return response

    def _begin(self) -> None:
        self._channel, its = socket.socketpair()
        with its:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.end_to_end.fork_server", str(its.fileno())],
                cwd=_CHECKOUT,
                env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                pass_fds=(its.fileno(),),
                start_new_session=True,
            )
        self._lines = self._channel.makefile("rb")
