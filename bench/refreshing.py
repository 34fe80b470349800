"""Real refreshes on command, and when what they wrote is announced.

`python -m bench.refreshing` is the process that refreshes: `refresher.jobs.refresh`, as a work
horse runs it, but started already, so that a measurement begins with the refresh itself.
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
    """A process that refreshes what it is told to, one after the other.

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
        """The process."""
        return self._process.pid

    def __enter__(self) -> "Refresher":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(self, name: str) -> None:
        """Have a resource refreshed, however fresh it is; returns at once."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Wait for the end of what was begun.

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
    """Hears what is announced to the readers, when they hear it; close it with the block."""

    def __init__(self, redis: Redis) -> None:
        self._pubsub = redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self._pubsub.subscribe(keys.ANNOUNCE)

    def __enter__(self) -> "Announced":
        return self

    def __exit__(self, *_: object) -> None:
        self._pubsub.close()

    def wait(self, name: str) -> float:
        """When the next announcement of a resource came, by the monotonic clock in seconds.

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
    """Refresh what each line of standard input names, and say how it ended."""
    print(_READY, flush=True)
    for line in sys.stdin:
        print(refresh(line.strip(), force=True), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
