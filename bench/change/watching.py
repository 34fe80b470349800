"""What one reader process serves: the version of the list, and what its view says changed last."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.errors import BenchError
from bench.workloads import LIST
from tests.http_client import Connection, Response

_POLL = 0.01  # seconds between two looks at a process


@dataclass(frozen=True)
class Shown:
    """What a process serves at one time.

    Args:
        etag: of the list.
        newest: names of the repositories that changed last, the last one first.
    """

    etag: str
    newest: tuple[str, ...]


class Watched:
    """One reader process, asked on a connection of its own.

    Args:
        port: where it listens; one of several processes accepts the connection and keeps it.
    """

    def __init__(self, port: int) -> None:
        self._connection = Connection(f"http://127.0.0.1:{port}", timeout=60)
        self.shown(1)

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def shown(self, newest: int) -> Shown:
        """What it serves now, with this number of names."""
        view = self._ask(f"/view/top/{newest}/last_updated")
        etag = self._ask(LIST, method="HEAD").headers["etag"]
        return Shown(etag, tuple(name for name, _ in view.json))

    def read(self) -> int:
        """Read the whole list in both encodings, as clients do; return its bytes without one."""
        self._ask(LIST, Accept_Encoding="gzip")
        return len(self._ask(LIST, Accept_Encoding="identity").body)

    def follow(
        self, until: Callable[[Shown], bool], *, newest: int, patience: float
    ) -> list[tuple[float, Shown]]:
        """What it serves each time that it changes, with the time by the monotonic clock.

        Args:
            until: whether this is the last that is expected.
            newest: how many names to look at.
            patience: seconds until the last has to be served.

        Raises:
            BenchError: it was not.
        """
        deadline, seen = time.monotonic() + patience, list[tuple[float, Shown]]()
        while not (seen and until(seen[-1][1])):
            shown, now = self.shown(newest), time.monotonic()
            if not seen or shown != seen[-1][1]:
                seen.append((now, shown))
            if now > deadline:
                raise BenchError(f"a process does not serve a change after {patience:.0f} s")
            time.sleep(_POLL)
        return seen

    def _ask(self, target: str, *, method: str = "GET", **fields: str) -> Response:
        response = self._connection.ask(target, method=method, **fields)
        if response.status != 200:
            raise BenchError(f"{target}: a process responds with {response.status}")
        return response
