"""The connections of a process, and what bounds them in number and in time.

Progress is what counts, not age: an honest slow client is served for as long as it takes.
"""

import logging
from collections.abc import Iterator
from typing import Protocol

log = logging.getLogger("reader")

REQUEST_TIMEOUT = 15.0  # seconds for a request's head, from the connection or its first byte on
STALL_TIMEOUT = 60.0  # seconds in which a client has not taken a single byte of its answer
LINGER = 3.0  # seconds that idle connections are kept after SIGTERM: requests may be on their way


class Bounded(Protocol):
    """A connection that can be looked after."""

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request and nothing else."""

    def check_timeouts(self, now: float) -> None:
        """End it if it has taken too long."""

    def close(self) -> None:
        """End it in peace."""

    def abort(self) -> None:
        """End it now."""


class ConnectionLimits:
    """All connections of a process, the oldest first.

    Args:
        limit: how many there may be.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._all: dict[Bounded, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Bounded]:
        return iter(list(self._all))

    def admit(self, connection: Bounded) -> bool:
        """Take a connection in, closing an idle one where there are too many; False: no room."""
        if len(self._all) >= self._limit:
            idle = next((other for other in self._all if other.is_idle), None)
            if idle is None:
                return False
            idle.close()
            self.forget(idle)
        self._all[connection] = None
        return True

    def forget(self, connection: Bounded) -> None:
        """A connection is gone."""
        self._all.pop(connection, None)

    def check_timeouts(self, now: float) -> None:
        """End those that have taken too long; call it about once a second.

        Outlives every error: who calls it keeps the time of the whole process.
        """
        for connection in self:
            try:
                connection.check_timeouts(now)
            except Exception:
                log.exception("unexpected error while looking after a connection")
                self.forget(connection)
