"""Whether a process can write temporary files, and why not: nothing ends without them.

What each file is for is done in another way then, or is refused, and that must not go unnoticed.
"""

import logging
from collections.abc import Mapping
from enum import StrEnum
from threading import Lock

from shared.clock import Clock

log = logging.getLogger("reader")

_LOGGED_AGAIN = 60.0  # seconds after which a second line is logged; doubled each time
_LONGEST = 3600.0  # seconds between two lines


class Use(StrEnum):
    """What temporary files are for."""

    COUNTS = "counts"  # of what the processes of a node have counted
    SEGMENTS = "segments"  # of large lists, which the processes of a node share
    BODIES = "bodies"  # of large deliveries, while they arrive


# What happens without.
WITHOUT: Mapping[Use, str] = {
    Use.COUNTS: "each process shows only what it has counted itself",
    Use.SEGMENTS: "each process has large lists in its own memory",
    Use.BODIES: "deliveries of more than 1 MiB are refused, and are asked for again later",
}


class TemporaryFiles:
    """What cannot be written at the moment; thread-safe.

    Args:
        clock: of the process.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failing: dict[Use, str] = {}
        self._log_at: dict[Use, tuple[float, float]] = {}  # time of the next line, and its pause

    @property
    def failing(self) -> Mapping[str, str]:
        """Why it failed last, by what it is for."""
        with self._lock:
            return {use.value: reason for use, reason in self._failing.items()}

    def failed(self, use: Use, error: OSError | None = None) -> None:
        """Take note of a failure; log it, unless that was done a moment ago.

        Args:
            use: what the file is for.
            error: why; None if no folder could be made for it as the node began.
        """
        reason = "there is no folder for it" if error is None else error.strerror or str(error)
        now = self._clock.monotonic()
        with self._lock:
            self._failing[use] = reason
            log_at, pause = self._log_at.get(use, (now, _LOGGED_AGAIN))
            if now < log_at:
                return
            self._log_at[use] = (now + pause, min(2 * pause, _LONGEST))
        log.warning("no temporary file can be written for %s: %s; %s", use, reason, WITHOUT[use])

    def worked(self, use: Use) -> None:
        """Take note that a file was written."""
        if use not in self._failing:  # as nearly always
            return
        with self._lock:
            self._failing.pop(use, None)
        log.warning("temporary files can be written for %s again", use)
