"""Refreshes on command, and the times of their announcements.

`python -m bench.refreshing` is a process that runs `refresher.jobs.refresh` like a work horse. It
is already started, so that a measurement begins with the refresh itself.
"""

import subprocess
import sys
import time
from pathlib import Path

from redis import Redis

from bench.errors import BenchError
from refresher.jobs import refresh
from shared.outcomes import RefreshOutcome
from shared.redis import announcements, keys

CHECKOUT = Path(__file__).resolve().parents[1]
_READY = "ready"
_PATIENCE = 60.0  # seconds for one refresh


class Refresher:
    """A process that refreshes resources on command, one after the other.

    Args:
        environment: of a refresher of the fleet.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.refreshing"],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if self._line() != _READY:
            raise BenchError("the refreshing process does not start")

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def __enter__(self) -> "Refresher":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(self, name: str) -> None:
        """Begin to refresh a resource, even if it is fresh; return at once."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Wait for the end of the refresh.

        Raises:
            BenchError: it did not store a new version.
        """
        outcome = self._line()
        if outcome != RefreshOutcome.UPDATED:
            raise BenchError(f"a refresh ended as {outcome or 'nothing'} instead of updated")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class Announced:
    """Receives the announcements for readers, as they do; a context manager."""

    def __init__(self, redis: Redis) -> None:
        self._pubsub = redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self._pubsub.subscribe(keys.ANNOUNCE)

    def __enter__(self) -> "Announced":
        return self

    def __exit__(self, *_: object) -> None:
        self._pubsub.close()

    def wait(self, name: str) -> float:
        """Wait for a resource's next announcement; return its time by the monotonic clock.

        Raises:
            BenchError: none came.
        """
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            message = self._pubsub.get_message(timeout=1.0)
            now = time.monotonic()
            if message is None:
                continue
            announcement = announcements.parse(message["data"])
            if announcement is not None and announcement.name == name:
                return now
        raise BenchError(f"{name}: no announcement in {_PATIENCE:.0f} s")


def main() -> int:
    """Refresh the resource in each line of standard input, and print the outcome."""
    print(_READY, flush=True)
    for line in sys.stdin:
        print(refresh(line.strip(), force=True), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
