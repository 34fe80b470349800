"""gunicorn's own protocol, for the requests that the front does not serve itself.

Only this module knows gunicorn's internals. It relies on these of gunicorn 27, and
`tests/reader/front/test_gunicorn_protocol.py` fails when one of them changes:

- `gunicorn.workers.gasgi` makes the protocol of each connection by its global name `ASGIProtocol`;
- `ASGIProtocol._arm_keepalive_timer` is called after a response, if no request is pipelined behind
  it and the connection is kept; `_awaiting_request` is true while it waits for the next request;
  `req_count` is the number of the current request on this connection;
- `_feed_callback_parser` receives all bytes, including those replayed from behind a request; after
  it, `_current_request` is None as long as a head is not complete;
- with `_closed` set, `_request_ready` ends the connection's task without closing anything;
- `_will_close` decides whether a response announces the end of the connection, and
  `_close_transport` ends it: also unannounced, if the process is told to end in between;
- `_on_headers_complete` and `_on_body` are called with what the parser finds, the latter with each
  piece of a body; `_http1_buffered` is the number of its bytes that wait, and beyond
  `_max_buffer_size` nothing more is read from the socket until `_resume_reading`;
- a `ParseError` that `_on_body` raises becomes a 400 and the end of the connection;
- `_body_receiver._complete` is true once the whole body of the current request has come;
- `_send_error_response` takes the status for a request that the parser refuses;
- `worker.nr_conns` counts connections: `connection_made` adds one, `connection_lost` removes one.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from gunicorn.asgi.parser import ParseError
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

from reader.bodies.body_reader import DISCARDED
from reader.bodies.wanted_bodies import may_bring_a_body
from reader.front.worker_interface import WorkerInterface
from reader.telemetry.counters import RequestLabels, Route
from shared.outcomes import Served

# A body of up to so many pieces may have pieces of any size; those of a body with more pieces need
# this mean size in bytes. Taking a piece costs as much as taking kilobytes: 100 kB in chunks of two
# bytes would hold up all other requests for a tenth of a second.
_FEW_PIECES = 1000
_SMALL_PIECE = 64


def use_for_connections(make: Callable[[Any], asyncio.Protocol]) -> None:
    """Have gunicorn make a protocol of ours for each new connection of this process."""
    gasgi.ASGIProtocol = make


class GunicornProtocol(ASGIProtocol):  # type: ignore[misc]
    """Serves requests through gunicorn and the application, then gives the connection back.

    Args:
        worker: gunicorn's.
        give_back: called after the response, with the bytes that have arrived since.
        lost: called if the connection is lost before that.
    """

    _closed: bool

    def __init__(
        self,
        worker: WorkerInterface,
        *,
        give_back: Callable[[bytes], None],
        lost: Callable[[], None],
    ) -> None:
        super().__init__(worker)
        self._give_back = give_back
        self._lost = lost
        self._holds_part = False  # of a request's head
        self._is_kept = False  # as the last response said
        self._takes_body = False  # of the current request
        self._dropped = 0  # bytes of the current request's body
        self._pieces = self._size = 0  # of that body
        self._max_buffer_size = DISCARDED
        self.heard_at = worker.now  # seconds of the loop's clock, of the last complete head

    @property
    def awaits_head(self) -> bool:
        """Whether it waits for a request, or for the rest of one."""
        return self._current_request is None

    def data_received(self, data: bytes) -> None:
        """Serve a request, or give the connection back if the previous response is sent.

        The application may still be cleaning up after that response: the next request of a fast
        client would never find the connection idle.
        """
        if self._awaiting_request and self.req_count > 1 and self._may_be_given_back():
            self._end(data)
        else:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._lost()

    def _arm_keepalive_timer(self) -> None:
        if self._may_be_given_back():
            self._end(b"")
        else:
            super()._arm_keepalive_timer()

    def _feed_callback_parser(self, data: bytes) -> bool:
        goes_on: bool = super()._feed_callback_parser(data)
        self._holds_part = self._current_request is None
        if not self._holds_part:
            self.heard_at = self.worker.now
        return goes_on

    def _on_headers_complete(self) -> Any:
        skips = super()._on_headers_complete()
        asked = self._current_request
        self._takes_body = may_bring_a_body(asked.method, asked.path)
        self._dropped = self._pieces = self._size = 0
        return skips

    def _on_body(self, chunk: bytes) -> None:
        """Drop the pieces of a body that is not wanted; refuse too many small pieces."""
        self._pieces += 1
        self._size += len(chunk)
        if self._pieces > _FEW_PIECES and self._size < self._pieces * _SMALL_PIECE:
            raise ParseError("The body comes in too many small pieces.")
        if self._takes_body:
            super()._on_body(chunk)
        else:
            self._dropped += len(chunk)

    def _http1_buffered(self) -> int:
        buffered: int = super()._http1_buffered()
        return buffered + self._dropped

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        closes: bool = super()._will_close(request, response_requires_close)
        closes = closes or self._owes_much(request)
        self._is_kept = not closes
        return closes

    def _owes_much(self, request: Any) -> bool:
        """Whether the rest of a refused body is too large, or may never be sent."""
        receiver = self._body_receiver
        if receiver is None or receiver._complete:
            return False
        is_unsure: bool = request.chunked or request._expect_100_continue
        return is_unsure or request.content_length > DISCARDED

    def _send_error_response(self, status: int, *arguments: Any) -> None:
        self._is_kept = False
        labels = RequestLabels(Route.OTHER, Served.REFUSED, status)
        self.worker.local_counters.of(labels).count(0.0)
        super()._send_error_response(status, *arguments)

    def _close_transport(self) -> None:
        """Close it, or give it back if the response said that the connection is kept."""
        receiver = self._body_receiver
        is_whole = receiver is None or receiver._complete
        ends_unsaid = self._is_kept and not self.worker.alive and self._websocket is None
        if ends_unsaid and is_whole and not self._closed and not self.transport.is_closing():
            self._end(self._callback_parser.remaining())
        else:
            super()._close_transport()

    def _may_be_given_back(self) -> bool:
        return not (self._holds_part or self._closed or self.transport.is_closing())

    def _end(self, data: bytes) -> None:
        self._closed = True
        self._request_ready.set()
        self._resume_reading()
        self._give_back(data)
