"""gunicorn's own protocol, borrowed for what the front does not answer itself.

The one place that knows gunicorn's insides. It relies on these of gunicorn 27, and
`tests/reader/front/test_borrowed.py` fails when one of them moves:

- `gunicorn.workers.gasgi` makes a protocol of each connection by its global name `ASGIProtocol`;
- `ASGIProtocol._arm_keepalive_timer` is called when a request was answered, nothing is pipelined
  behind it, and the connection is to be kept;
- `_closed` keeps `_close_transport` from closing, `_task` is the connection's task, and
  `_current_request` is None until a head is complete;
- `worker.nr_conns` counts connections: one more in `connection_made`, one less in
  `connection_lost`.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

if TYPE_CHECKING:
    from reader.front.worker import FrontWorker


def use_for_connections(make: Callable[["FrontWorker"], asyncio.Protocol]) -> None:
    """Have this process's connections begin with a protocol of ours."""
    gasgi.ASGIProtocol = make


class Borrowed(ASGIProtocol):  # type: ignore[misc]
    """Serves requests by gunicorn and the application, then gives the connection back.

    Args:
        worker: gunicorn's.
        give_back: called with nothing when gunicorn has nothing more to do with the connection.
        lost: called when the connection is lost meanwhile.
    """

    _closed: bool

    def __init__(
        self, worker: "FrontWorker", *, give_back: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        super().__init__(worker)
        self._give_back = give_back
        self._lost = lost

    @property
    def awaits_head(self) -> bool:
        """Whether the request that was handed over is not even complete."""
        return self._current_request is None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._lost()

    def _arm_keepalive_timer(self) -> None:
        """Give the connection back in place of waiting for its next request."""
        if self._closed or self.transport.is_closing():
            super()._arm_keepalive_timer()
            return
        self._closed = True  # so that the end of the task does not close the connection
        self._task.cancel()
        self._give_back()
