"""Starts reader processes when the system allows it: gunicorn's arbiter ends when a fork fails."""

import logging
from collections.abc import Callable

from shared.times_in_words import duration

log = logging.getLogger("reader")

_FIRST_PAUSE = 1.0  # seconds until the next try
_LONGEST_PAUSE = 30.0


class PatientSpawning:
    """gunicorn's `spawn_worker`, which may fail: for want of processes, memory, files or room.

    The arbiter calls it again about once a second while a process is missing, and goes on serving
    with those that it has.

    Args:
        spawn: gunicorn's own; may raise OSError.
        stopwatch: returns seconds from any fixed point; never set back.
        pid: returns the id of the process that asks.
    """

    def __init__(
        self,
        spawn: Callable[[], int | None],
        *,
        stopwatch: Callable[[], float],
        pid: Callable[[], int],
    ) -> None:
        self._spawn = spawn
        self._stopwatch = stopwatch
        self._pid = pid
        self._arbiter = pid()
        self._pause = 0.0
        self._next_at = 0.0
        self._since = 0.0

    def __call__(self) -> int | None:
        """The id of the new process; None if it could not be started yet."""
        if self._pause and self._stopwatch() < self._next_at:
            return None
        try:
            pid = self._spawn()
        except OSError as error:
            if self._pid() != self._arbiter:  # the new process must not go on as an arbiter
                raise
            now = self._stopwatch()
            if not self._pause:
                self._since = now
            self._pause = min(2 * self._pause or _FIRST_PAUSE, _LONGEST_PAUSE)
            self._next_at = now + self._pause
            reason = error.strerror or type(error).__name__
            log.error("a process cannot be started: %s; next try in %d s", reason, self._pause)
            return None
        if self._pause:
            lasted = duration(self._stopwatch() - self._since)
            log.warning("processes can be started again; for %s they could not be", lasted)
        self._pause = 0.0
        return pid
