"""How long on-demand refreshes take, so that the queue can estimate waits."""

from threading import Lock

# Weight of one refresh in the moving average.
_WEIGHT = 0.1


class Pace:
    """A moving average of the seconds that on-demand jobs without an error take; thread-safe.

    Their waits for GitHub's limits count as well.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._seconds: float | None = None

    def note(self, seconds: float) -> None:
        """Count a job of so many seconds."""
        with self._lock:
            before = seconds if self._seconds is None else self._seconds
            self._seconds = before + _WEIGHT * (seconds - before)

    @property
    def seconds(self) -> float | None:
        """The average in seconds; None before the first job."""
        return self._seconds
