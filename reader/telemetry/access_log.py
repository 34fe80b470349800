"""The access log: some requests, or all, a line each."""

import logging
import time
from collections import deque
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple

log = logging.getLogger("reader.access")

_MOST_WAITING = 10_000  # lines


class Access(NamedTuple):
    """One answered request.

    Args:
        method: of the request.
        path: without its query, in which clients have sent secrets before.
        status: of the answer.
        served: how it was come by.
        seconds: that it took.
        request_id: given or taken.
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
    """Notes accesses where they happen, and writes them where there is time.

    A standard error that nobody reads would otherwise hold up the front. Where more is noted than
    written, the oldest lines are lost, and it says how many.

    Args:
        share: of requests, from 0 to 1; one in so many is noted, the first one first.
    """

    def __init__(self, share: float) -> None:
        self.is_on = share > 0
        self._interval = 1 / share if share else 0.0
        self._numbers = count(1)  # of requests; the one thing that two threads share
        self._due = 1.0
        self._waiting: deque[Access] = deque(maxlen=_MOST_WAITING)
        self._lost = 0

    def wants_next(self) -> bool:
        """Whether the next request should be noted; call it once for each."""
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
        """Note a request; `target` is what it asked for, path and query."""
        self._lost += len(self._waiting) == _MOST_WAITING
        path = target.partition("?")[0]
        self._waiting.append(
            Access(method, path, status, served, seconds, request_id, client, time.time())
        )

    def write(self) -> None:
        """Write what was noted; two may do so at once when the process ends."""
        lost, self._lost = self._lost, 0
        if lost:
            log.warning("%d lines of the access log are lost", lost)
        for _ in range(len(self._waiting)):
            try:
                access = self._waiting.popleft()
            except IndexError:  # the other one was quicker
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
