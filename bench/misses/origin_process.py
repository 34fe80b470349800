"""The stand-in GitHub for timing in a process of its own, and its controls."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench.errors import BenchError
from bench.load_process import CHECKOUT
from bench.misses.origin import Log
from tests.end_to_end.tls import Authority
from tests.http_client import Connection


@dataclass(frozen=True)
class Seen:
    """One request at the origin; times by the machine's monotonic clock, in seconds."""

    target: str
    arrived: float
    left: float
    status: int


class OriginProcess:
    """Runs `bench.misses.origin` until the end of the block.

    Args:
        folder: for keys and certificates.
        repositories: of the large list.
    """

    def __init__(self, folder: Path, *, repositories: int) -> None:
        self.authority = Authority(folder, "origin")
        options = {
            "--repositories": repositories,
            "--certificate": self.authority.server_file,
            "--key": self.authority.server_key,
        }
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "bench.misses.origin"),
                *(str(part) for pair in options.items() for part in pair),
            ],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        ports = self._process.stdout.readline().split()
        if len(ports) != 2:
            self.stop()
            raise BenchError("the stand-in GitHub does not start")
        self.port, self.secure_port = map(int, ports)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Base URL without TLS."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def secure_url(self) -> str:
        """Base URL with TLS."""
        return f"https://127.0.0.1:{self.secure_port}"

    def delay(self, seconds: float) -> None:
        """Set the time from each request to its response."""
        self._control(f"delay?seconds={seconds}")

    def change(self) -> None:
        """Change an item of the large list."""
        self._control("change")

    def log(self) -> tuple[list[Seen], Log]:
        """The requests since the last call, and the counts."""
        log = Log(**self._control("log"))
        return [Seen(*fields) for fields in log.requests], log

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _control(self, path: str) -> Any:
        with Connection(self.url, timeout=30) as connection:
            return json.loads(connection.ask(f"/_control/{path}").body)
