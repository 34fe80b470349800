"""The access log: one line for each of some requests, or of all."""

import logging
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple

log = logging.getLogger("reader.access")

_MOST_WAITING = 10_000  # lines


class Access(NamedTuple):
    """One request with its response.

    Args:
        method: of the request.
        path: without the query, in which clients have sent secrets before.
        status: of the response.
        served: the `Served` outcome.
        seconds: the response took.
        request_id: sent by the client, or new.
        client: IP address of the peer.
        at: Unix time in seconds.
    """

    method: str
    path: str
    status: int
    served: str
    seconds: float
    request_id: str
    client: str
    at: float


class AccessLog:
    """Notes requests in memory, and writes them to the log later, from another thread.

    If writing blocked, a standard error that no process reads would block the front. If more
    requests are noted than written, the oldest lines are lost, and a warning tells how many.

    Args:
        share: of requests that are logged, from 0 to 1; the first request is one of them.
        clock: returns Unix time in seconds.
    """

    def __init__(self, share: float, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.is_on = share > 0
        self._interval = 1 / share if share else 0.0
        self._numbers = count(1)  # of requests; the only object that two threads share
        self._due = 1.0
        self._waiting: deque[Access] = deque(maxlen=_MOST_WAITING)
        self._lost = 0

    def wants_next(self) -> bool:
        """Whether to note the next request; call it once for each request."""
        if not self.is_on or next(self._numbers) < self._due:
            return False
        self._due += self._interval
        return True

    def note(
        self,
        *,
        method: str,
        target: str,
        status: int,
        served: str,
        seconds: float,
        request_id: str,
        client: str,
    ) -> None:
        """Note a request; `target` is its path and query."""
        self._lost += len(self._waiting) == _MOST_WAITING
        path = target.partition("?")[0]
        self._waiting.append(
            Access(method, path, status, served, seconds, request_id, client, self._clock())
        )

    def write(self) -> None:
        """Write the noted requests; two threads may do so at once when the process ends."""
        lost, self._lost = self._lost, 0
        if lost:
            log.warning("%d lines of the access log are lost", lost)
        for _ in range(len(self._waiting)):
            try:
                access = self._waiting.popleft()
            except IndexError:  # the other thread was quicker
                return
            log.info(
                "%s %s %d",
                access.method,
                access.path,
                access.status,
                extra={"fields": _fields(access)},
            )


def _fields(access: Access) -> dict[str, object]:
    fields = access._asdict()
    at = datetime.fromtimestamp(fields.pop("at"), UTC)
    return {**fields, "seconds": round(access.seconds, 6), "answered_at": at.isoformat()}
