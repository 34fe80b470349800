"""The connections of a process, bounded in number and in time.

Progress is what counts, not age: an honest slow client is served for as long as it takes.
"""

import logging
from collections.abc import Iterator
from typing import Protocol

log = logging.getLogger("reader")

REQUEST_TIMEOUT = 15.0  # seconds for a request's head, from the connection or its first byte on
STALL_TIMEOUT = 60.0  # seconds without the client taking a single byte of its response
LINGER = 3.0  # seconds that idle connections are kept after SIGTERM: requests may be on their way
# Seconds for which an idle connection that we have ended is still read: closed with bytes unread it
# would be reset, and the client could lose the last response (RFC 9112, section 9.6).
HALF_CLOSED = 1.0


class Bounded(Protocol):
    """A connection with time limits."""

    @property
    def may_be_ended(self) -> bool:
        """Whether it only waits for the next request, which has not arrived."""

    def check_timeouts(self, now: float) -> None:
        """End it if it has exceeded a time limit."""

    def close(self) -> None:
        """End it after its response."""

    def abort(self) -> None:
        """End it now."""


class ConnectionLimits:
    """All connections of a process, the oldest first.

    Args:
        limit: of their number.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._all: dict[Bounded, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Bounded]:
        return iter(list(self._all))

    def admit(self, connection: Bounded) -> bool:
        """Admit a connection, closing an idle one at the limit; False if none is idle."""
        if len(self._all) >= self._limit:
            idle = next((other for other in self._all if other.may_be_ended), None)
            if idle is None:
                return False
            idle.close()
            self.forget(idle)
        self._all[connection] = None
        return True

    def forget(self, connection: Bounded) -> None:
        """Remove a connection that has ended."""
        self._all.pop(connection, None)

    def check_timeouts(self, now: float) -> None:
        """End the connections that have exceeded a time limit; call it about once a second.

        Survives every error: its caller is the timer of the whole process.
        """
        for connection in self:
            try:
                connection.check_timeouts(now)
            except Exception:
                log.exception("unexpected error while checking a connection")
                self.forget(connection)
