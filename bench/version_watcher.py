"""Watches which version of the list of repositories a reader process serves."""

import time

from bench.errors import BenchError
from bench.workloads import LIST
from tests.http_client import Connection

_PATIENCE = 30.0  # seconds until a process should have a new version


class VersionWatcher:
    """Polls one reader process, on one connection.

    Args:
        port: where it listens; one of several processes accepts the connection and keeps it.
    """

    def __init__(self, port: int) -> None:
        self._connection = Connection(f"http://127.0.0.1:{port}", timeout=_PATIENCE)
        self.size = 0
        self._etag = self._ask()

    def __enter__(self) -> "VersionWatcher":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def wait_for_new_version(self, *, every: float) -> float:
        """Wait until the list's ETag changes; return the time by the monotonic clock.

        Args:
            every: seconds between two polls.

        Raises:
            BenchError: it did not change.
        """
        deadline = time.monotonic() + _PATIENCE
        while (etag := self._ask()) == self._etag:
            if time.monotonic() > deadline:
                raise BenchError(f"a process serves no new version after {_PATIENCE:.0f} s")
            time.sleep(every)
        self._etag = etag
        return time.monotonic()

    def _ask(self) -> str | None:
        response = self._connection.ask(LIST, method="HEAD", Accept_Encoding="identity")
        if response.status != 200:
            raise BenchError(f"a process responds with {response.status}")
        self.size = int(response.headers["content-length"])
        return response.headers.get("etag")
